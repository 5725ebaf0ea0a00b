"""The paper's panels above, ours below: Figures 1, 3 and 5 to 8.

A group of panels is a mapping from (row, column) to a published panel, or to curves of ours over
seeds. The row's name is the label at its left, the column's name the title above it. A place that
is not in the mapping stays empty. Every panel shows a mean token log-probability in nats, by
unlearning step and path.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from paper_figs.drawing import style
from paper_figs.drawing.paths import Band, draw_paths, limit, mean_band, seeds_text
from paper_figs.published.numbers import Panel
from protocol.readings.curves import Curves, curves

QUANTITIES = {"label_loglik": "unlearn label", "tofu_loglik": "TOFU"}  # our metrics
PUBLISHED = {"unlearn_label_loglik": "unlearn label", "tofu_loglik": "TOFU"}

Group = Mapping[tuple[str, str], Panel] | Mapping[tuple[str, str], Curves]


class Measured(NamedTuple):
    """Curves of one language model under one method, with the name of their quantity."""

    model: str
    quantity: str
    method: str
    curves: Curves


def measured(
    records: pl.DataFrame, metrics: Iterable[str], methods: Iterable[str]
) -> list[Measured]:
    """The language models' curves of these metrics, by metric, method and model."""
    return [
        Measured(ours.model, QUANTITIES[metric], method, ours)
        for metric in metrics
        for method in methods
        for ours in curves(records, world="llm", method=method, metric=metric)
    ]


def _names(group: Group, which: int) -> list[str]:
    """Rows (0) or columns (1) in the order they first come."""
    return list(dict.fromkeys(place[which] for place in group))


def _draw_cell(axes: Axes, cell: Panel | Curves) -> None:
    """A published panel as printed; ours as mean over seeds with its interval."""
    if isinstance(cell, Panel):
        draw_paths(axes, Band(cell.values, cell.low, cell.high), range(cell.values.shape[1]))
    else:
        draw_paths(axes, mean_band(cell.values), cell.steps)
        limit(axes, cell.values)
    style.step_axis(axes, last_row=False)


def _label(grid: np.ndarray, rows: list[str], columns: list[str]) -> None:
    """Names at the outermost visible panels."""
    for line, name in zip(grid, rows, strict=True):
        first = next(axes for axes in line if axes.get_visible())
        first.set_ylabel(f"{name}\nlog-likelihood (nats)".replace(": ", "\n"))
    for column, name in zip(grid.T, columns, strict=True):
        visible = [axes for axes in column if axes.get_visible()]
        visible[0].set_title(name)
        visible[-1].set_xlabel("unlearning step")
        visible[-1].tick_params(labelbottom=True)


def _draw_group(figure: SubFigure, group: Group, heading: str) -> None:
    rows, columns = _names(group, 0), _names(group, 1)
    grid = figure.subplots(len(rows), len(columns), sharex="col", squeeze=False)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            cell = group.get((row, column))
            grid[i, j].set_visible(cell is not None)
            if cell is not None:
                _draw_cell(grid[i, j], cell)
    _label(grid, rows, columns)
    style.heading(figure, heading)


def compare(
    number: int,
    theirs: Mapping[tuple[str, str], Panel],
    ours: Mapping[tuple[str, str], Curves],
    *,
    runs: str = "single runs",
    experiment: str = "",
) -> Figure | None:
    """Figure `number` of the paper above ours; None if there is nothing of ours.

    runs: what a published curve is · experiment: of our records, if several could be shown.
    """
    if not ours:
        return None
    heights = [len(_names(group, 0)) for group in (theirs, ours)]
    figure = Figure(figsize=(10, 2.6 + 1.5 * sum(heights)), layout="constrained")
    ratios = [heights[0] + 0.5, heights[1] + 0.8]
    above, below = figure.subfigures(2, 1, height_ratios=ratios, hspace=0.03, squeeze=False)[:, 0]
    _draw_group(above, theirs, f"Published: Figure {number} of arXiv 2510.16629 ({runs})")
    of_experiment = f", {experiment}" if experiment else ""
    _draw_group(below, ours, f"Ours{of_experiment} ({seeds_text(ours.values())})")
    style.path_legend(below, max(curves.values.shape[1] for curves in ours.values()))
    return figure
