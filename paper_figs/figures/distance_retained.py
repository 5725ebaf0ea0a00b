"""Distance to the retrained model on retained prompts, a row per model and retained stage."""

from matplotlib.figure import Figure

from paper_figs.drawing import distance_rows, style
from paper_figs.drawing.entry import FigureEntry, main
from protocol.readings.curves import metrics_under, positions
from protocol.records import Tables


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if no language model's distance was measured."""
    names = metrics_under(positions(tables), world="llm", prefix="re_distance")
    return distance_rows.draw(tables, [name for name in names if name != "re_distance/forget"])


FIGURE = FigureEntry(
    name="distance-retained",
    title="Distance to the retrained model, retained prompts",
    caption=(
        "The same distance on held-out prompts of each retained stage, a row per model and stage. "
        "On these prompts unlearning can only keep or lose what the model has learned."
    ),
    alt=(
        "Line charts on a log scale of the distance to the retrained model on retained prompts, "
        "a row per model and retained stage, columns methods, with the noise floor shaded and the "
        "distance at step 0 dotted."
    ),
    worlds=("llm",),
    claims=(),
    commands=("retrace llm positions",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
