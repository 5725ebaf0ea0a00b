"""Distance to the retrained model on retained prompts along unlearning; see distance.py."""

from paper_figs.drawing.distance import draw_retained
from paper_figs.drawing.entry import FigureEntry, main

FIGURE = FigureEntry(
    name="distance-retained",
    title="Distance to the retrained model, retained prompts",
    caption=(
        "As above on held-out prompts of each retained stage, a row per model and stage: here "
        "unlearning can only "
        "keep or lose what was there."
    ),
    alt=(
        "Line charts on a log scale of the distance to the retrained model on retained prompts, "
        "a row per model and "
        "retained stage, columns methods, with the noise floor shaded and the distance at step 0 "
        "dotted."
    ),
    worlds=("llm",),
    claims=(),
    commands=("retrace llm positions",),
    draw=draw_retained,
)

if __name__ == "__main__":
    main(FIGURE)
