"""Distance to the retrained model on forget prompts along unlearning; see distance.py."""

from paper_figs.drawing.distance import draw_forget
from paper_figs.drawing.entry import FigureEntry, main

FIGURE = FigureEntry(
    name="distance-forget",
    title="Distance to the retrained model, forget prompts",
    caption=(
        "RE distance (Definition 2.1) of next-token probabilities between the unlearned model "
        "and the model retrained"
        " without the forget set, on held-out forget prompts; geometric mean over seeds with its "
        "95% interval (of two"
        " seeds their range), log scale. Grey: within the noise floor, the largest distance "
        "between two retrained "
        "models that differ only in the shuffle seed. Dotted: the distance before unlearning. A "
        "method helps where "
        "its curve falls below its dotted line; it reaches retrain equivalence where it enters "
        "the grey area on every"
        " kind of prompt at the same step."
    ),
    alt=(
        "Line charts on a log scale of the distance to the retrained model on forget prompts, "
        "rows models, columns "
        "methods, with the noise floor shaded and the distance at step 0 dotted."
    ),
    worlds=("llm",),
    claims=("E1",),
    commands=("retrace llm positions",),
    draw=draw_forget,
)

if __name__ == "__main__":
    main(FIGURE)
