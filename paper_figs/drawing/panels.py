"""The paper's panels above, ours below: what Figures 1, 3 and 5 to 8 share.

A group of panels is a mapping from (row, column), both named as they stand beside and above the
panels, to what is drawn there: a published panel, or curves of ours over seeds. A place that is not
in the mapping stays empty. Every panel shows a mean token log-probability in nats, by unlearning
step and path.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from paper_figs.drawing import style
from paper_figs.drawing.paths import Band, draw_paths, limit, mean_band, seeds_text
from paper_figs.published.numbers import Panel
from protocol.readings.curves import Curves

QUANTITIES = {"label_loglik": "unlearn label", "tofu_loglik": "TOFU"}  # our metrics
PUBLISHED = {"unlearn_label_loglik": "unlearn label", "tofu_loglik": "TOFU"}

Group = Mapping[tuple[str, str], Panel] | Mapping[tuple[str, str], Curves]


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
    """Names at the outermost panels there are."""
    for line, name in zip(grid, rows, strict=True):
        first = next(axes for axes in line if axes.get_visible())
        first.set_ylabel(f"{name}\nlog-likelihood (nats)".replace(": ", "\n"))
    for column, name in zip(grid.T, columns, strict=True):
        there = [axes for axes in column if axes.get_visible()]
        there[0].set_title(name)
        there[-1].set_xlabel("unlearning step")
        there[-1].tick_params(labelbottom=True)


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
    """Figure `number` of the paper above ours; None where there is nothing of ours.

    runs: what a published curve is · experiment: of the records shown, where the heading must tell.
    """
    if not ours:
        return None
    heights = [len(_names(group, 0)) for group in (theirs, ours)]
    figure = Figure(figsize=(10, 2.6 + 1.5 * sum(heights)), layout="constrained")
    ratios = [height + extra for height, extra in zip(heights, (0.5, 0.8), strict=True)]
    above, below = figure.subfigures(2, 1, height_ratios=ratios, hspace=0.03, squeeze=False)[:, 0]
    _draw_group(above, theirs, f"Published: Figure {number} of arXiv 2510.16629 ({runs})")
    where = f", {experiment}" if experiment else ""
    _draw_group(below, ours, f"Ours{where} ({seeds_text(ours.values())})")
    style.path_legend(below, max(one.values.shape[1] for one in ours.values()))
    return figure
