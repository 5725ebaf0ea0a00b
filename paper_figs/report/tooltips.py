"""The values that tooltips show: every panel of a Matplotlib figure with its curves, as numbers.

Positions are fractions of the figure from its top left corner, as on a page. They come from
Matplotlib's own transforms, so any scale is possible, and hold for a saved figure, whose layout is
settled. A panel without a title, x label or y label has that of the nearest panel above, below or
left of it in the same column or row.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
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
    """One curve or cloud of points; its name is "" if it has neither a label nor a legend entry."""

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


def _tick_words(axis: Axis) -> list[str]:
    """The texts of an axis's ticks if some contain a letter; none for an axis of numbers."""
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return []
    formatter, ticks = axis.get_major_formatter(), axis.get_majorticklocs()
    words = [_flat(text) for text in formatter.format_ticks(list(ticks))]
    has_letter = [re.search(r"[^\W\d_]", text) is not None for text in words]
    return words if any(has_letter) else []


def _values(axis: Axis, values: Float[np.ndarray, " points"]) -> list[float | str]:
    """Rounded numbers; on an axis with words as ticks, the words of the nearest tick."""
    words = _tick_words(axis)
    if words:
        ticks = np.asarray(axis.get_majorticklocs())
        nearest = [int(np.abs(ticks - value).argmin()) for value in values]
        return [words[tick] for tick in nearest]
    return [float(f"{value:.{DIGITS}g}") for value in values]


def _points(axes: Axes, given: object) -> tuple[Point, ...]:
    """Points (x, y) inside the panel, thinned, with their positions on the figure."""
    data: Points = np.ma.filled(np.ma.asarray(given, float), np.nan)
    data = data[np.isfinite(data).all(axis=1)]
    places = (axes.transData + _to_figure(axes)).transform(data)
    left, top, right, bottom = _box(axes)
    across, down = places[:, 0], 1 - places[:, 1]
    inside = (across > left - SAME) & (across < right + SAME)
    inside &= (down > top - SAME) & (down < bottom + SAME)
    stride = max(1, -(-int(inside.sum()) // MOST_POINTS))
    shown = np.flatnonzero(inside)[::stride]
    x, y = _values(axes.xaxis, data[shown, 0]), _values(axes.yaxis, data[shown, 1])
    lefts, tops = np.round(across[shown], 4).tolist(), np.round(down[shown], 4).tolist()
    return tuple(zip(x, y, lefts, tops, strict=True))


def _look(line: Line2D) -> Look:
    return to_hex(line.get_color()), str(line.get_linestyle()), str(line.get_marker())


def _entries(figure: Figure) -> Iterator[tuple[Artist | None, str]]:
    """Handle and text of every entry of every legend."""
    for legend in figure.findobj(Legend):
        if isinstance(legend, Legend):
            texts = [text.get_text() for text in legend.get_texts()]
            yield from zip(legend.legend_handles, texts, strict=True)


def _legend_names(figure: Figure) -> dict[tuple[str, ...], str]:
    """Names of curves by their look, and by their colour if all legends have one name for it.

    A colour that no line of a legend has is that of dots with bars, if any have it.
    """
    looks: dict[tuple[str, ...], str] = {}
    by_colour: dict[str, set[str]] = {}
    bars: dict[str, str] = {}
    for handle, name in _entries(figure):
        if isinstance(handle, Line2D):
            look = _look(handle)
            first_name = looks.setdefault(look, name)
            by_colour.setdefault(look[0], set()).add(first_name)
        elif isinstance(handle, LineCollection):
            colour = to_hex(np.asarray(handle.get_color())[0])
            bars[colour] = name
    by_colour = {colour: {name} for colour, name in bars.items()} | by_colour
    single: dict[tuple[str, ...], str] = {
        (colour,): names.pop() for colour, names in by_colour.items() if len(names) == 1
    }
    return {**looks, **single}


def _named(label: object, look: Look, names: dict[tuple[str, ...], str]) -> str:
    """A curve's own label, else its name in a legend, else ""."""
    if not str(label).startswith("_"):
        return str(label)
    return names.get(look, names.get(look[:1], ""))


def _face(cloud: PathCollection) -> str:
    """The colour of a cloud's first point; black if the points have none."""
    colours = np.atleast_2d(np.asarray(cloud.get_facecolor(), float))
    return to_hex(tuple(colours[0])) if colours.size else "#000000"


def _series(axes: Axes, names: dict[tuple[str, ...], str]) -> Iterator[Series]:
    """Curves and clouds in data coordinates; lines across a whole panel are no curves."""
    for line in axes.get_lines():
        if line.get_transform() == axes.transData:
            look = _look(line)
            name = _named(line.get_label(), look, names)
            yield Series(name, look[0], _points(axes, line.get_xydata()))
    for cloud in axes.collections:
        if isinstance(cloud, PathCollection):
            look = (_face(cloud), "", "")
            name = _named(cloud.get_label(), look, names)
            yield Series(name, look[0], _points(axes, cloud.get_offsets()))


def _inherited(
    panels: list[Panel], own: Panel, text: Callable[[Panel], str], line: int, towards: int
) -> str:
    """The text of the nearest panel with one, in a direction; a panel's own text is the nearest.

    line: index into box of the edge that row or column share · towards: index into box of the side
    on which to look; 0 left, 1 above, 3 below.
    """
    sign = 1 if towards == 3 else -1

    def distance(other: Panel) -> float:
        return sign * (other.box[towards] - own.box[towards])

    aligned = [panel for panel in panels if abs(panel.box[line] - own.box[line]) < SAME]
    named = [panel for panel in aligned if text(panel) and distance(panel) >= 0]
    return text(min(named, key=distance, default=own))


def _flat(text: str) -> str:
    return " ".join(text.split())


def _panel(axes: Axes, names: dict[tuple[str, ...], str]) -> Panel:
    """An axes with its own texts alone."""
    return Panel(
        title=_flat(axes.get_title() or axes.get_title("left")),
        box=_box(axes),
        x=_flat(axes.get_xlabel()),
        y=_flat(axes.get_ylabel()),
        series=tuple(series for series in _series(axes, names) if series.points),
    )


def _completed(panel: Panel, panels: list[Panel]) -> Panel:
    """The panel with the texts that it shares with its row and column."""
    return replace(
        panel,
        title=_inherited(panels, panel, lambda other: other.title, 0, 1),
        x=_inherited(panels, panel, lambda other: other.x, 0, 3),
        y=_inherited(panels, panel, lambda other: other.y, 1, 0),
    )


def panels(figure: Figure) -> tuple[Panel, ...]:
    """Every visible panel that holds a curve; `figure` as it was saved."""
    names = _legend_names(figure)
    visible = [_panel(axes, names) for axes in figure.axes if axes.get_visible()]
    return tuple(_completed(panel, visible) for panel in visible if panel.series)


def to_json(panels: tuple[Panel, ...]) -> str:
    """The panels as compact JSON that may be inside a script element."""
    rows = [asdict(panel) for panel in panels]
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", r"\u003c")
