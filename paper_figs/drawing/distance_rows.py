"""Rows of panels: distance to the retrained model along unlearning (Definition 2.1), by path.

A row is a model and a kind of prompt, a column a method; d(θ_u, θ_r) of next-token probabilities on
a log axis. Grey: at most the noise floor, the largest distance between two retrained models of
different shuffle seeds. Dotted: the distance at step 0, which a model keeps without unlearning.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.path_panels import NOISE_GREY, draw_log_paths, shade_noise
from protocol.readings.curves import Curves, curves, positions
from protocol.readings.distances import noise_floor
from protocol.records import Tables
from protocol.spec import PAPER_METHODS

Measured = dict[tuple[str, str, str], Curves]  # by (model, metric, method)


def _measured(tables: Tables, names: list[str]) -> Measured:
    records = positions(tables)
    return {
        (distance.model, metric, method): distance
        for metric in names
        for method in PAPER_METHODS
        for distance in curves(records, world="llm", method=method, metric=metric)
    }


def _limits(parts: list[Curves], floor: float | None) -> tuple[float, float]:
    """The row's axis: all seeds' values and the floor, with a third of room below and above.

    A wide interval may be cut off.
    """
    values = np.concatenate([part.values.ravel() for part in parts])
    if floor is not None:
        values = np.append(values, floor)
    positive = values[values > 0]
    if not positive.size:
        return 0.1, 10.0
    return float(positive.min()) / 1.35, float(positive.max()) * 1.35


def _draw_cell(
    axes: Axes, distance: Curves, floor: float | None, limits: tuple[float, float]
) -> None:
    draw_log_paths(axes, distance)
    if floor is not None and floor > 0:
        shade_noise(axes, limits[0], floor)
        axes.axhline(floor, color=NOISE_GREY, linewidth=1.2, zorder=1)
    axes.set_ylim(*limits)
    style.log_axis(axes)
    style.step_axis(axes, last_row=False)


def draw_row(cells: np.ndarray, row: list[Curves | None], floor: float | None) -> None:
    """A row of panels on one axis, one of `cells` for each of `row`; None hides the panel."""
    limits = _limits([distance for distance in row if distance is not None], floor)
    for axes, distance in zip(cells, row, strict=True):
        if distance is None:
            axes.set_visible(False)
        else:
            _draw_cell(axes, distance, floor, limits)


def draw_legend(figure: Figure, paths: int, with_floor: bool) -> None:
    """The paths, the level of doing nothing, and the noise floor if one is drawn."""
    extra = [style.nothing_line()]
    if with_floor:
        look = {"color": NOISE_GREY, "linewidth": 6, "alpha": 0.5}
        extra.append(style.legend_entry("within the noise floor", **look))
    style.path_legend(figure, paths, tuple(extra))


def _label(grid: np.ndarray, rows: list[tuple[str, str]], columns: list[str]) -> None:
    for cells, (model, metric) in zip(grid, rows, strict=True):
        cells[0].set_ylabel(f"{model}\n{metric.removeprefix('re_distance/')}")
    for axes, method in zip(grid[0], columns, strict=True):
        axes.set_title(method)
    for axes in grid[-1]:
        axes.set_xlabel("unlearning step")


def draw(tables: Tables, names: list[str]) -> Figure | None:
    """The figure of these distances, a row per model and distance; None if no model has any."""
    measured = _measured(tables, names)
    if not measured:
        return None
    places = {(model, metric) for model, metric, _ in measured}
    rows = sorted(places, key=lambda row: (row[0], names.index(row[1])))
    methods = {method for _, _, method in measured}
    columns = [method for method in PAPER_METHODS if method in methods]
    figure = Figure(figsize=(10, 1.1 + 1.9 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), sharex=True, squeeze=False)
    floors = [noise_floor(tables, model=model, metric=metric) for model, metric in rows]
    for cells, (model, metric), floor in zip(grid, rows, floors, strict=True):
        row = [measured.get((model, metric, method)) for method in columns]
        draw_row(cells, row, floor)
    _label(grid, rows, columns)
    paths = next(iter(measured.values())).values.shape[1]
    draw_legend(figure, paths, any(floor is not None for floor in floors))
    return figure
