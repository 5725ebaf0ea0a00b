"""Depth of forgetting over the six orders of C, U, R (arXiv 2510.16629, Figure 4).

Above: log π of the three answers while U is unlearned by gradient ascent, a panel per order, mean
over seeds. Below: depth scores (C_0 − C_T)/(U_0 − U_T) by order, a marker per method, and the
published scores of Llama-3.2-3B.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.paths import draw_band, draw_means, mean_band
from paper_figs.published import numbers
from protocol import metrics
from protocol.readings.depth import Depth, depths
from protocol.records import Tables

PUBLISHED = {order: path for path, order in numbers.ORDERS.items()}
ANSWERS: dict[str, tuple[int, Any, str]] = {  # colour, line, words
    "C": (3, "--", "C, alike"),
    "U": (4, "-", "U, unlearned"),
    "R": (1, ":", "R, unlike"),
}


def published_scores() -> dict[str, float]:
    """Depth score of each order, from the published curves of Figure 4."""
    curves = {(panel.paths[0], panel.quantity): panel.values[0] for panel in numbers.panels(4)}
    scores = {}
    for order, path in PUBLISHED.items():
        C, U = curves[path, "logprob_C"], curves[path, "logprob_U"]
        scores[order] = float(metrics.depth_score(C, U))
    return scores


def _arrows(order: str) -> str:
    return order.replace(">", " → ")


def _draw_curves(axes: Axes, depth: Depth, order: str) -> None:
    index = depth.orders.index(order)
    for answer, (number, line, _) in ANSWERS.items():
        of_order = getattr(depth, answer)[:, index : index + 1]  # (seeds, 1, points)
        band = mean_band(of_order)
        steps = np.arange(band.middle.shape[1])
        draw_band(axes, steps, band, color=style.colour(number), linestyle=line)
    score = float(depth.scores[:, index].mean())
    rounded = round(score, 2) + 0.0  # no negative zero
    text = style.minus(f"{rounded:.2f}")
    axes.set_title(f"{_arrows(order)}: {text}, {depth.classes()[index]}")
    style.step_axis(axes)


def _draw_scores(axes: Axes, by_method: list[Depth], orders: list[str]) -> None:
    ticks = np.arange(len(orders))
    middle = (len(by_method) + 1) / 2
    for number, depth in enumerate(by_method, start=1):
        columns = [depth.orders.index(order) for order in orders]
        places = ticks + 0.12 * (number - middle)
        look: dict[str, Any] = {"marker": style.marker(number), "color": style.colour(number)}
        draw_means(axes, places, depth.scores[:, columns], **look)
    published = published_scores()
    levels = [published[order] for order in orders]
    axes.scatter(ticks, levels, marker="_", s=500, color="black")
    axes.axhline(metrics.DEEP, color="black", linewidth=0.8, linestyle="--")
    axes.set_xticks(ticks, [_arrows(order) for order in orders])
    axes.set_ylabel("depth score")
    axes.set_title(f"depth score by order (dashed: forgetting is deep from {metrics.DEEP:g} on)")


def _legend(figure: Figure, by_method: list[Depth]) -> None:
    lines = [
        style.legend_entry(f"log π of {words}", color=style.colour(number), linestyle=line)
        for number, line, words in ANSWERS.values()
    ]
    marks = []
    for number, depth in enumerate(by_method, start=1):
        look = style.path_look(number) | {"linestyle": ""}
        marks.append(style.legend_entry(depth.method, **look))
    bar: dict[str, Any] = {"color": "black", "linestyle": "", "marker": "_", "markersize": 14}
    published = style.legend_entry("published, Llama-3.2-3B", **bar)
    figure.legend(handles=[*lines, *marks, published], loc="outside lower center", ncols=4)


def _seeds_text(count: int) -> str:
    if count == 1:
        return "1 seed"
    band = "their range" if count == 2 else "95% interval"
    return f"mean of {count} seeds with {band}"


def draw(tables: Tables, world: str) -> Figure | None:
    """The figure of the first model of one kind; None without records of experiment "depth"."""
    of_world = [depth for depth in depths(tables) if depth.world == world]
    if not of_world:
        return None
    first = of_world[0]
    by_method = [depth for depth in of_world if depth.model == first.model]
    orders = [order for order in PUBLISHED if order in first.orders]
    figure = Figure(figsize=(10, 8.4), layout="constrained")
    grid = figure.subplot_mosaic([["0", "1", "2"], ["3", "4", "5"], ["scores"] * 3])
    for i, order in enumerate(orders):
        _draw_curves(grid[str(i)], first, order)
    for left in ("0", "3"):
        grid[left].set_ylabel("log π of the answer (nats)")
    _draw_scores(grid["scores"], by_method, orders)
    seeds = _seeds_text(first.C.shape[0])
    style.heading(figure, f"{first.model}, {first.method}: {seeds}")
    _legend(figure, by_method)
    return figure
