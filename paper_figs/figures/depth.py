"""Depth of forgetting over the six orders of C, U, R in softmax regression (as Figure 4)."""

from matplotlib.figure import Figure

from paper_figs.drawing import depth_by_order, style
from paper_figs.drawing.entry import FigureEntry, main
from protocol.records import Tables


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "depth" was not run on a small network."""
    return depth_by_order.draw(tables, "network")


FIGURE = FigureEntry(
    name="depth",
    title="Depth of forgetting by order (as Figure 4)",
    caption=(
        "Softmax regression learns three answers to the same prompts in six orders. The features "
        "of C resemble those of U, the features of R do not. Then U is unlearned. Above: mean "
        "log-likelihood of the answers under gradient ascent; each title gives the depth score "
        "and its class. Below: depth score (C₀ − C_T)/(U₀ − U_T) by order and method. The score "
        "is the fall of C as a share of the fall of U. Bars: published scores of Llama-3.2-3B, "
        "computed from its curves."
    ),
    alt=(
        "Six line charts of the log-likelihoods of answers C, U and R over unlearning steps, one "
        "per order, and a dot chart of depth scores by order and method with the threshold and "
        "the published scores."
    ),
    worlds=("network",),
    claims=("L4",),
    commands=("retrace theory depth",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
