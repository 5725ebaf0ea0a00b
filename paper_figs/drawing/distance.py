"""Retrain-equivalence distance of language models along unlearning (arXiv 2510.16629, Definition
2.1).

d(θ_u, θ_r) of next-token probabilities by path, on a log axis; forget prompts and retained prompts
in figures of their own, every retained stage in a row of its own. Grey: at most the noise floor,
the largest distance between two retrained models of different shuffle seeds. Dotted: the distance
at step 0, what doing nothing gives.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figs.drawing import style
from paper_figs.drawing.paths import draw_paths, geometric_band
from protocol.readings.curves import PAPER_METHODS, Curves, curves, metrics_under, positions
from protocol.readings.distances import noise_floor
from protocol.records import Tables

FLOOR = "#9a9a9a"
FORGET = "re_distance/forget"

Measured = dict[tuple[str, str, str], Curves]  # by (model, metric, method)


def _measured(tables: Tables, names: list[str]) -> Measured:
    records = positions(tables)
    return {
        (one.model, metric, method): one
        for metric in names
        for method in PAPER_METHODS
        for one in curves(records, world="llm", method=method, metric=metric)
    }


def _limits(parts: list[Curves], floor: float | None) -> tuple[float, float]:
    """The row's axis: every seed's values and the floor, a third beyond both; a wide interval may
    be cut.
    """
    positive = np.concatenate([one.values[one.values > 0] for one in parts])
    values = positive if floor is None or floor <= 0 else np.append(positive, floor)
    return (float(values.min()) / 1.35, float(values.max()) * 1.35) if values.size else (0.1, 10.0)


def _draw_cell(axes: Axes, one: Curves, floor: float | None, limits: tuple[float, float]) -> None:
    band = geometric_band(one.values)
    axes.set_yscale("log")
    draw_paths(axes, band, one.steps)
    for p, start in enumerate(band.middle[:, 0], start=1):
        axes.axhline(start, color=style.colour(p), linestyle=":", linewidth=1.0)
    if floor is not None and floor > 0:
        axes.axhspan(limits[0], floor, color=FLOOR, alpha=0.25, linewidth=0, zorder=0)
        axes.axhline(floor, color=FLOOR, linewidth=1.2, zorder=1)
    axes.set_ylim(*limits)
    style.log_axis(axes)
    style.step_axis(axes, last_row=False)


def draw_row(cells: np.ndarray, row: list[Curves | None], floor: float | None) -> None:
    """A row of panels on one axis, an axes of `cells` for each of `row`; None leaves its place
    empty.
    """
    limits = _limits([one for one in row if one is not None], floor)
    for axes, one in zip(cells, row, strict=True):
        if one is None:
            axes.set_visible(False)
        else:
            _draw_cell(axes, one, floor, limits)


def draw_legend(figure: Figure, paths: int, with_floor: bool) -> None:
    """The paths, the level of doing nothing, and the noise floor where one is drawn."""
    extra = [style.nothing_line()]
    if with_floor:
        extra.append(
            Line2D([], [], color=FLOOR, linewidth=6, alpha=0.5, label="within the noise floor")
        )
    style.path_legend(figure, paths, tuple(extra))


def _draw(tables: Tables, names: list[str]) -> Figure | None:
    measured = _measured(tables, names)
    if not measured:
        return None
    rows = sorted(
        {(model, metric) for model, metric, _ in measured},
        key=lambda row: (row[0], names.index(row[1])),
    )
    columns = [method for method in PAPER_METHODS if any(key[2] == method for key in measured)]
    figure = Figure(figsize=(10, 1.1 + 1.9 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), sharex=True, squeeze=False)
    floors = [noise_floor(tables, model=model, metric=metric) for model, metric in rows]
    for cells, (model, metric), floor in zip(grid, rows, floors, strict=True):
        draw_row(cells, [measured.get((model, metric, method)) for method in columns], floor)
        cells[0].set_ylabel(f"{model}\n{metric.removeprefix('re_distance/')}")
    for axes, method in zip(grid[0], columns, strict=True):
        axes.set_title(method)
    for axes in grid[-1]:
        axes.set_xlabel("unlearning step")
    draw_legend(
        figure,
        next(iter(measured.values())).values.shape[1],
        any(floor is not None for floor in floors),
    )
    return figure


@style.styled
def draw_forget(tables: Tables) -> Figure | None:
    """Distance on forget prompts, a row per model; None where no language model's distance was
    measured.
    """
    return _draw(tables, [FORGET])


@style.styled
def draw_retained(tables: Tables) -> Figure | None:
    """Distance on retained prompts, a row per model and retained stage; None where there is none."""
    names = metrics_under(positions(tables), world="llm", prefix="re_distance")
    return _draw(tables, [name for name in names if name != FORGET])
