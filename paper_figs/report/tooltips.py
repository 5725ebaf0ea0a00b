"""What a pointer over a figure can read: every panel of a Matplotlib figure with its curves, as
plain numbers.

Positions are fractions of the figure from its top left corner, as on a page, and come from
Matplotlib's own transforms: any scale will do. They hold for a figure that has been saved, when its
layout is settled. A panel without a title, an x label or a y label of its own has those of the
panels above, below or left of it in the same column or row.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Transform

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


def _to_figure(axes: Axes) -> Transform:
    """From pixels to fractions of the figure, bottom left first."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("axes: expected axes of a figure; got some that were removed")
    return figure.transFigure.inverted()


def _box(axes: Axes) -> tuple[float, float, float, float]:
    left, bottom, right, top = axes.get_window_extent().transformed(_to_figure(axes)).extents
    return round(left, 4), round(1 - top, 4), round(right, 4), round(1 - bottom, 4)


def _values(axis: Axis, values: Float[np.ndarray, " points"]) -> list[float | str]:
    """Rounded numbers; on an axis whose ticks were given words, the words of the nearest tick."""
    if isinstance(axis.get_major_locator(), FixedLocator):
        ticks = np.asarray(axis.get_majorticklocs())
        words = [_flat(text) for text in axis.get_major_formatter().format_ticks(list(ticks))]
        if any(re.search(r"[^\W\d_]", text) for text in words):
            return [words[np.abs(ticks - value).argmin()] for value in values]
    return [float(f"{value:.{DIGITS}g}") for value in values]


def _points(axes: Axes, given: object) -> tuple[Point, ...]:
    """Points (x, y) inside the panel, thinned, with their positions on the figure."""
    data: Points = np.ma.filled(np.ma.asarray(given, float), np.nan)
    data = data[np.isfinite(data).all(axis=1)]
    places = (axes.transData + _to_figure(axes)).transform(data)
    left, top, right, bottom = _box(axes)
    across, down = places[:, 0], 1 - places[:, 1]
    inside = (
        (across > left - SAME)
        & (across < right + SAME)
        & (down > top - SAME)
        & (down < bottom + SAME)
    )
    chosen = np.flatnonzero(inside)[:: max(1, -(-int(inside.sum()) // MOST_POINTS))]
    x, y = _values(axes.xaxis, data[chosen, 0]), _values(axes.yaxis, data[chosen, 1])
    places = np.round(np.column_stack([across, down])[chosen], 4)
    return tuple((*values, *map(float, place)) for *values, place in zip(x, y, places, strict=True))  # type: ignore[misc]


def _look(line: Line2D) -> Look:
    return to_hex(line.get_color()), str(line.get_linestyle()), str(line.get_marker())


def _legend_names(figure: Figure) -> dict[tuple[str, ...], str]:
    """Names of curves by their look, and by their colour alone where all legends have one name for
    it.

    A colour that no line of a legend has is that of dots with bars, if it has any of these.
    """
    legends = [artist for artist in figure.findobj(Legend) if isinstance(artist, Legend)]
    entries = [
        entry
        for legend in legends
        for entry in zip(legend.legend_handles, legend.get_texts(), strict=True)
    ]
    looks: dict[tuple[str, ...], str] = {}
    by_colour: dict[str, set[str]] = {}
    for handle, text in reversed(entries):
        if isinstance(handle, Line2D):
            looks[_look(handle)] = text.get_text()
    for (colour, *_), name in looks.items():
        by_colour.setdefault(colour, set()).add(name)
    bars = {
        to_hex(np.asarray(handle.get_color())[0]): text.get_text()
        for handle, text in entries
        if isinstance(handle, LineCollection)
    }
    by_colour = {colour: {name} for colour, name in bars.items()} | by_colour
    return {
        **looks,
        **{(colour,): found.pop() for colour, found in by_colour.items() if len(found) == 1},
    }


def _named(label: object, look: Look, names: dict[tuple[str, ...], str]) -> str:
    """A curve's own label, else its name in a legend, else ""."""
    return names.get(look, names.get(look[:1], "")) if str(label).startswith("_") else str(label)


def _series(axes: Axes, names: dict[tuple[str, ...], str]) -> Iterator[Series]:
    """Curves and clouds in data coordinates; lines across a whole panel are no curves."""
    for line in axes.get_lines():
        if line.get_transform() == axes.transData:
            look = _look(line)
            yield Series(
                _named(line.get_label(), look, names), look[0], _points(axes, line.get_xydata())
            )
    for cloud in axes.collections:
        if isinstance(cloud, PathCollection):
            colours = np.atleast_2d(np.asarray(cloud.get_facecolor(), float))
            look = (to_hex(tuple(colours[0])) if colours.size else "#000000", "", "")
            yield Series(
                _named(cloud.get_label(), look, names), look[0], _points(axes, cloud.get_offsets())
            )


def _inherited(
    panels: list[Panel], own: Panel, text: Callable[[Panel], str], line: int, towards: int
) -> str:
    """A panel's text, or that of the nearest panel with one on the same `line` (index into box) in
    a direction.

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
    nearest = min(
        aligned, key=lambda other: abs(other.box[towards] - own.box[towards]), default=own
    )
    return text(nearest)


def _flat(text: str) -> str:
    return " ".join(text.split())


def panels(figure: Figure) -> tuple[Panel, ...]:
    """Every visible panel that holds a curve; `figure` as it was saved."""
    names = _legend_names(figure)
    found = [
        Panel(
            _flat(axes.get_title() or axes.get_title("left")),
            _box(axes),
            _flat(axes.get_xlabel()),
            _flat(axes.get_ylabel()),
            tuple(one for one in _series(axes, names) if one.points),
        )
        for axes in figure.axes
        if axes.get_visible()
    ]
    return tuple(
        Panel(
            _inherited(found, one, lambda panel: panel.title, 0, 1),
            one.box,
            _inherited(found, one, lambda panel: panel.x, 0, 3),
            _inherited(found, one, lambda panel: panel.y, 1, 0),
            one.series,
        )
        for one in found
        if one.series
    )


def to_json(found: tuple[Panel, ...]) -> str:
    """The panels as compact JSON that may stand inside a script element."""
    text = json.dumps(
        [asdict(panel) for panel in found],
        ensure_ascii=False,
        separators=(",", ":"),
        allow_nan=False,
    )
    return text.replace("<", r"\u003c")
