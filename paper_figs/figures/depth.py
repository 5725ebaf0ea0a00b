"""Depth of forgetting over the six orders of C, U, R (arXiv 2510.16629, Figure 4): curves and
scores.

Above: log π of the three answers while U is unlearned by gradient ascent, a panel per order, mean
over seeds. Below: depth scores (C_0 − C_T)/(U_0 − U_T) by order, a marker per method, with the
published ones of Llama-3.2-3B beside them.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.paths import mean_band
from paper_figs.published import numbers
from paper_figs.tables import text
from protocol import metrics
from protocol.readings.depth import Depth, depths
from protocol.records import Tables

PUBLISHED = {order: path for path, order in numbers.ORDERS.items()}
ANSWERS: dict[str, tuple[int, Any, str]] = {
    "C": (3, "--", "C, alike"), "U": (4, "-", "U, unlearned"), "R": (1, ":", "R, unlike")
}  # fmt: skip


def published_scores() -> dict[str, float]:
    """Depth score of each order, from the published curves of Figure 4."""
    curves = {(panel.paths[0], panel.quantity): panel.values[0] for panel in numbers.panels(4)}
    return {
        order: float(metrics.depth_score(curves[path, "logprob_C"], curves[path, "logprob_U"]))
        for order, path in PUBLISHED.items()
    }


def _draw_curves(axes: Axes, depth: Depth, order: str) -> None:
    at = depth.orders.index(order)
    for answer, (number, line, _) in ANSWERS.items():
        band = mean_band(getattr(depth, answer)[:, at : at + 1])
        step = np.arange(band.middle.shape[1])
        axes.plot(step, band.middle[0], color=style.colour(number), linestyle=line)
        if band.low is not None and band.high is not None:
            axes.fill_between(
                step, band.low[0], band.high[0], color=style.colour(number), alpha=0.2, linewidth=0
            )
    score = depth.scores[:, at].mean()
    axes.set_title(f"{order.replace('>', ' → ')}: {text.number(score, 2)}, {depth.classes()[at]}")
    style.step_axis(axes)


def _draw_scores(axes: Axes, found: list[Depth], orders: list[str]) -> None:
    for number, depth in enumerate(found, start=1):
        at = [depth.orders.index(order) for order in orders]
        scores = depth.scores[:, at]
        band = mean_band(scores[:, :, None])
        middle = band.middle[:, 0]
        spread = (
            None
            if band.low is None or band.high is None
            else (middle - band.low[:, 0], band.high[:, 0] - middle)
        )
        place = np.arange(len(orders)) + 0.12 * (number - (len(found) + 1) / 2)
        axes.errorbar(
            place,
            middle,
            yerr=spread,
            linestyle="",
            marker=style.marker(number),
            color=style.colour(number),
        )
    theirs = published_scores()
    axes.scatter(
        range(len(orders)), [theirs[order] for order in orders], marker="_", s=500, color="black"
    )
    axes.axhline(metrics.DEEP, color="black", linewidth=0.8, linestyle="--")
    axes.set_xticks(range(len(orders)), [order.replace(">", " → ") for order in orders])
    axes.set_ylabel("depth score")
    axes.set_title(
        f"depth score by order; dashed: {metrics.DEEP:g}, from which forgetting counts as deep"
    )


def _legend(figure: Figure, found: list[Depth]) -> None:
    lines = [
        Line2D([], [], color=style.colour(n), linestyle=line, label=f"log π of {text}")
        for n, line, text in ANSWERS.values()
    ]
    marks = [
        Line2D(
            [], [], color=style.colour(n), linestyle="", marker=style.marker(n), label=depth.method
        )
        for n, depth in enumerate(found, start=1)
    ]
    theirs = Line2D(
        [],
        [],
        color="black",
        linestyle="",
        marker="_",
        markersize=14,
        label="published, Llama-3.2-3B",
    )
    figure.legend(handles=[*lines, *marks, theirs], loc="outside lower center", ncols=4)


def _draw(tables: Tables, world: str) -> Figure | None:
    """The figure of the first model of a world there is; None where experiment "depth" was not run
    in it.
    """
    found = [depth for depth in depths(tables) if depth.world == world]
    if not found:
        return None
    found = [depth for depth in found if depth.model == found[0].model]
    orders = [order for order in PUBLISHED if order in found[0].orders]
    figure = Figure(figsize=(10, 8.4), layout="constrained")
    grid = figure.subplot_mosaic([["0", "1", "2"], ["3", "4", "5"], ["scores"] * 3])
    for i, order in enumerate(orders):
        _draw_curves(grid[str(i)], found[0], order)
    for left in ("0", "3"):
        grid[left].set_ylabel("log π of the answer (nats)")
    _draw_scores(grid["scores"], found, orders)
    style.heading(figure, f"{found[0].model}, {found[0].method}: {_seeds(found[0].C.shape[0])}")
    _legend(figure, found)
    return figure


def _seeds(count: int) -> str:
    return (
        "1 seed"
        if count == 1
        else f"mean of {count} seeds with {'their range' if count == 2 else '95% interval'}"
    )


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure of the small networks, or None."""
    return _draw(tables, "network")


@style.styled
def draw_llm(tables: Tables) -> Figure | None:
    """The figure of the language models, or None."""
    return _draw(tables, "llm")


FIGURE = FigureEntry(
    name="depth",
    title="Depth of forgetting by order (as Figure 4)",
    caption=(
        "Softmax regression: three answers to the same prompts, C with features like those of U, "
        "R without, learned "
        "in six orders; then U is unlearned. Above: mean log-likelihood of the answers under "
        "gradient ascent, the "
        "depth score and its class in the titles. Below: depth score (C₀ − C_T)/(U₀ − U_T), the "
        "share of U's fall "
        "that C took part in, by order and method; bars: published scores of Llama-3.2-3B, "
        "computed from its curves."
    ),
    alt=(
        "Six line charts of the log-likelihoods of answers C, U and R over unlearning steps, one "
        "per order, and a dot"
        " chart of depth scores by order and method against the threshold and the published scores."
    ),
    worlds=("network",),
    claims=("L4",),
    commands=("retrace theory depth",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
