"""Figure 2: the orders of training, a row per path with the position of the forget stage.

The paths and the retrained model's order come from `protocol.orders`, the orders that are trained;
no records are needed. The lowest row is the retrained model, the reference of every path.
"""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from protocol.orders import Order, positions, retrained
from protocol.records import Tables

RETAIN, FORGET = ("inst", "tofu", "math"), "safety"
NAMES = {"inst": "instructions", "tofu": "authors (TOFU)", "math": "sums", FORGET: "refusals = U"}
WIDTH, HEIGHT, STEP = 1.0, 0.56, 1.3  # of a box, and from box to box
START, UNLEARNED = -STEP, 4 * STEP + 0.75  # x of the base, and of the unlearned model
PLAIN = "#eeeeee"


def _box(axes: Axes, x: float, y: float, text: str, face: str, *, bold: bool = False) -> None:
    """A stage or a model, centred at (x, y); bold marks the forget stage without colour, too."""
    corner = (x - WIDTH / 2, y - HEIGHT / 2)
    look: dict[str, Any] = {"boxstyle": "round,pad=0.04,rounding_size=0.08", "facecolor": face}
    look |= {"edgecolor": "black", "linewidth": 2.0 if bold else 0.8}
    axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, **look))
    weight = "bold" if bold else "normal"
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5, fontweight=weight)


def _arrow(axes: Axes, start: float, end: float, y: float, text: str = "") -> None:
    """From the right side of the box at `start` to the left side of the box at `end`.

    An arrow with a text is unlearning, and dashed.
    """
    left, right = start + WIDTH / 2 + 0.06, end - WIDTH / 2 - 0.06
    look: dict[str, Any] = {"linestyle": "--" if text else "-", "color": "black"}
    arrow = FancyArrowPatch((left, y), (right, y), arrowstyle="-|>", mutation_scale=9, **look)
    axes.add_patch(arrow)
    axes.text((left + right) / 2, y + 0.1, text, ha="center", va="bottom", fontsize=8)


def _tint(position: int) -> str:
    """The path's colour, lightened so that black text reads on it."""
    red, green, blue = (0.45 + 0.55 * part for part in to_rgb(style.colour(position)))
    return to_hex((red, green, blue))


def _draw_path(axes: Axes, order: Order, y: float, position: int) -> None:
    """The base, the stages in their order and, of a path p ≥ 1, unlearning."""
    _box(axes, START, y, "base", "white")
    for place, stage in enumerate(order):
        _arrow(axes, (place - 1) * STEP, place * STEP, y)
        forget = stage == FORGET
        _box(axes, place * STEP, y, NAMES[stage], _tint(position) if forget else PLAIN, bold=forget)
    if position:
        _arrow(axes, (len(order) - 1) * STEP, UNLEARNED, y, "unlearn U")
        _box(axes, UNLEARNED, y, f"unlearned {position}", "white")


def _draw_retrained(axes: Axes, order: Order, y: float) -> None:
    axes.axhline(y + 0.65, color="#999999", linewidth=0.8)
    _draw_path(axes, order, y, 0)
    axes.text(START - 0.75, y, "retrained", ha="right", va="center", fontweight="bold")
    text = "the same start and order without U:\nwhat each unlearned model should equal"
    right = len(order) * STEP - WIDTH / 2
    axes.text(right, y, text, ha="left", va="center", fontsize=8.5)


@style.styled
def draw(tables: Tables) -> Figure:
    """The diagram, for any tables."""
    paths = positions(RETAIN, FORGET)
    figure = Figure(figsize=(10, 4.0), layout="constrained")
    axes = figure.subplots()
    for position, order in enumerate(paths, start=1):
        _draw_path(axes, order, -position, position)
        name = f"p = {position}" + {1: " (first)", len(paths): " (last)"}.get(position, "")
        axes.text(START - 0.75, -position, name, ha="right", va="center", color="black")
    below = -len(paths) - 1.3
    _draw_retrained(axes, retrained(paths[0], FORGET), below)
    axes.set(xlim=(START - 1.75, UNLEARNED + 0.65), ylim=(below - 0.5, -0.5))
    axes.axis("off")
    return figure


FIGURE = FigureEntry(
    name="figure2",
    title="Figure 2: the orders of training",
    caption=(
        "A diagram without measurements. Every path learns the same four stages from the same "
        "base. The forget stage U (bold frame) has position p, the other stages keep their order. "
        "Each trained model is unlearned on U alone (dashed arrow). The result is compared with "
        "the retrained model in the lowest row, which never learned U."
    ),
    alt=(
        "Diagram of four rows of boxes, one per position of the forget stage among three other "
        "stages, each followed by an arrow to its unlearned model; below them the row of the "
        "retrained model, without the forget stage."
    ),
    worlds=(),
    claims=(),
    commands=(),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
