"""What a pointer over a figure can read: every panel of a Matplotlib figure with its curves, as plain numbers.

Positions are fractions of the figure from its top left corner, as on a page, and come from Matplotlib's own transforms:
any scale will do. They hold for a figure that has been saved, when its layout is settled. A panel without a title, an
x label or a y label of its own has those of the panels above, below or left of it in the same column or row.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter

MOST_POINTS = 300  # of one curve; longer ones are thinned evenly
DIGITS = 5  # significant ones of a value
SAME = 0.01  # of the figure: panels whose edges differ by less are in one row or column

Points = Float[np.ndarray, "points 2"]
Point = tuple[float | str, float | str, float, float]  # x, y, left, top; a text on an axis of names
Look = tuple[str, str, str]  # colour, line style, marker


@dataclass(frozen=True)
class Series:
    """One curve or cloud of points; its name is "" where neither a label nor a legend gives it one."""

    name: str
    colour: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Panel:
    """One axes; box: left, top, right, bottom."""

    title: str
    box: tuple[float, float, float, float]
    x: str
    y: str
    series: tuple[Series, ...]


def _box(axes: Axes) -> tuple[float, float, float, float]:
    figure = axes.get_figure(root=True)
    left, bottom, right, top = axes.get_window_extent().transformed(figure.transFigure.inverted()).extents
    return round(left, 4), round(1 - top, 4), round(right, 4), round(1 - bottom, 4)


def _values(axis: Axis, values: Float[np.ndarray, " points"]) -> list[float | str]:
    """Rounded numbers; on an axis whose ticks have names, the name of the nearest tick."""
    formatter = axis.get_major_formatter()
    if not isinstance(formatter, FixedFormatter):
        return [float(f"{value:.{DIGITS}g}") for value in values]
    ticks = np.asarray(axis.get_majorticklocs())
    return [formatter(0.0, int(np.abs(ticks - value).argmin())) for value in values]


def _points(axes: Axes, data: Points) -> tuple[Point, ...]:
    """Points inside the panel, thinned, with their positions on the figure."""
    figure = axes.get_figure(root=True)
    data = data[np.isfinite(data).all(axis=1)]
    places = figure.transFigure.inverted().transform(axes.transData.transform(data)) if data.size else data
    left, top, right, bottom = _box(axes)
    across, down = places[:, 0], 1 - places[:, 1]
    inside = (across > left - SAME) & (across < right + SAME) & (down > top - SAME) & (down < bottom + SAME)
    chosen = np.flatnonzero(inside)[:: max(1, -(-int(inside.sum()) // MOST_POINTS))]
    x, y = _values(axes.xaxis, data[chosen, 0]), _values(axes.yaxis, data[chosen, 1])
    places = np.round(np.column_stack([across, down])[chosen], 4)
    return tuple((*values, *map(float, place)) for *values, place in zip(x, y, places, strict=True))  # type: ignore[misc]


def _look(line: Line2D) -> Look:
    return to_hex(line.get_color()), str(line.get_linestyle()), str(line.get_marker())


def _legend_names(figure: Figure) -> dict[Look, str]:
    """Names of lines by their look, from every legend of the figure; the first one counts."""
    legends = figure.findobj(Legend)
    handles = [handle for legend in legends for handle in legend.legend_handles if isinstance(handle, Line2D)]  # type: ignore[attr-defined]
    return {_look(handle): str(handle.get_label()) for handle in reversed(handles)}


def _series(axes: Axes, names: dict[Look, str]) -> Iterator[Series]:
    """Curves and clouds in data coordinates; lines across a whole panel are no curves."""
    for line in axes.get_lines():
        if line.get_transform() == axes.transData:
            label = str(line.get_label())
            name = names.get(_look(line), "") if label.startswith("_") else label
            yield Series(name, to_hex(line.get_color()), _points(axes, np.asarray(line.get_xydata(), float)))
    for cloud in axes.collections:
        if isinstance(cloud, PathCollection):
            label, colours = str(cloud.get_label()), cloud.get_facecolor()
            offsets = np.ma.filled(np.ma.asarray(cloud.get_offsets(), float), np.nan)
            name = "" if label.startswith("_") else label
            yield Series(name, to_hex(colours[0]) if len(colours) else "#000000", _points(axes, offsets))


def _inherited(panels: list[Panel], own: Panel, text: Callable[[Panel], str], line: int, towards: int) -> str:
    """A panel's text, or that of the nearest panel with one on the same `line` (index into box) in a direction.

    towards: index into box of the side on which to look; 0 left, 1 above, 3 below.
    """
    sign = 1 if towards == 3 else -1
    aligned = [
        other
        for other in panels
        if text(other)
        and abs(other.box[line] - own.box[line]) < SAME
        and sign * (other.box[towards] - own.box[towards]) >= 0
    ]
    nearest = min(aligned, key=lambda other: abs(other.box[towards] - own.box[towards]), default=own)
    return text(nearest)


def _flat(text: str) -> str:
    return " ".join(text.split())


def panels(figure: Figure) -> tuple[Panel, ...]:
    """Every visible panel that holds a curve; `figure` as it was saved."""
    names = _legend_names(figure)
    found = [
        Panel(
            _flat(axes.get_title() or axes.get_title("left")), _box(axes), _flat(axes.get_xlabel()),
            _flat(axes.get_ylabel()), tuple(one for one in _series(axes, names) if one.points),
        )
        for axes in figure.axes
        if axes.get_visible()
    ]  # fmt: skip
    return tuple(
        Panel(
            _inherited(found, one, lambda panel: panel.title, 0, 1), one.box,
            _inherited(found, one, lambda panel: panel.x, 0, 3),
            _inherited(found, one, lambda panel: panel.y, 1, 0), one.series,
        )
        for one in found
        if one.series
    )  # fmt: skip


def to_json(found: tuple[Panel, ...]) -> str:
    """The panels as compact JSON that may stand inside a script element."""
    text = json.dumps([asdict(panel) for panel in found], ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", r"\u003c")
