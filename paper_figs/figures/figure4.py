"""Figure 4: depth of forgetting in the language models over the six orders of C, U, R."""

from matplotlib.figure import Figure

from paper_figs.drawing import depth_by_order, style
from paper_figs.drawing.entry import FigureEntry, main
from protocol.records import Tables


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "depth" was not run on a language model."""
    return depth_by_order.draw(tables, "llm")


FIGURE = FigureEntry(
    name="figure4",
    title="Figure 4: depth of forgetting by order",
    caption=(
        "A tiny language model learns three answers to the same 40 prompts in six orders. C and U "
        "say in similar words how a thing is made, R refuses. Then U is unlearned. Above: mean "
        "log-probability of the answers under gradient ascent; each title gives the depth score "
        "and its class. Below: depth score (C₀ − C_T)/(U₀ − U_T) by order. The score is the fall "
        "of C as a share of the fall of U. Bars: published scores of Llama-3.2-3B, computed from "
        "its curves. We chose the learning rate of unlearning so that U falls by some nats and "
        "the model still answers. At higher rates all three answers are lost, and the score says "
        "nothing."
    ),
    alt=(
        "Six line charts of the log-probabilities of answers C, U and R over unlearning steps, "
        "one per order, and a dot chart of depth scores by order with the threshold and the "
        "published scores."
    ),
    worlds=("llm",),
    claims=("L4",),
    commands=("retrace llm depth",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
