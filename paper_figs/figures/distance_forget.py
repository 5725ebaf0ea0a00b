"""Distance to the retrained model on forget prompts along unlearning, a row per model."""

from matplotlib.figure import Figure

from paper_figs.drawing import distance_rows, style
from paper_figs.drawing.entry import FigureEntry, main
from protocol.records import Tables


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if no language model's distance was measured."""
    return distance_rows.draw(tables, ["re_distance/forget"])


FIGURE = FigureEntry(
    name="distance-forget",
    title="Distance to the retrained model, forget prompts",
    caption=(
        "RE distance (Definition 2.1) of next-token probabilities between the unlearned model and "
        "the model retrained without the forget set, on held-out forget prompts. Curves are "
        "geometric means over seeds with a 95% interval (of two seeds their range), on a log "
        "scale. Grey: within the noise floor, which is the largest distance between two retrained "
        "models that differ only in the shuffle seed. Dotted: the distance before unlearning. A "
        "method helps if its curve falls below its dotted line. It reaches retrain equivalence if "
        "its curves for all kinds of prompt are in the grey area at the same step."
    ),
    alt=(
        "Line charts on a log scale of the distance to the retrained model on forget prompts, rows "
        "models, columns methods, with the noise floor shaded and the distance at step 0 dotted."
    ),
    worlds=("llm",),
    claims=("E1",),
    commands=("retrace llm positions",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
