"""One curve per path with its interval over seeds.

Arrays are (seeds, paths, points); path p has index p − 1. A point is a recorded unlearning step.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from paper_figs.drawing import style
from protocol import metrics
from protocol.readings.curves import Curves

FEW = 8  # up to so many seeds are drawn one by one
ASIDE = 0.07  # from a mean to the dots of its seeds, in units of the distance of two places


class Band(NamedTuple):
    """The middle of a curve per path and its bounds; None if there is no spread to show."""

    middle: Float[np.ndarray, "paths points"]
    low: Float[np.ndarray, "paths points"] | None
    high: Float[np.ndarray, "paths points"] | None


def mean_band(values: Float[np.ndarray, "seeds paths points"]) -> Band:
    """Mean over seeds with its 95% interval: Student's below 8 seeds, else the bootstrap's.

    Two seeds have their range instead, as their interval of 13 standard errors each way would hide
    the curves. One seed has no bounds.
    """
    seeds = values.shape[0]
    if seeds == 1:
        return Band(values[0], None, None)
    mean = values.mean(axis=0)
    if seeds == 2:
        return Band(mean, values.min(axis=0), values.max(axis=0))
    low, high = metrics.mean_intervals(values)
    return Band(mean, low, high)


def positive(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """The values as a log axis can show them: 0 becomes the smallest positive value, or 1."""
    above = values[values > 0]
    smallest = above.min() if above.size else 1.0
    return np.maximum(values, smallest)


def geometric_band(values: Float[np.ndarray, "seeds paths points"]) -> Band:
    """exp of `mean_band` of log d, for distances, which differ by factors; 0 as in `positive`."""
    logs = np.log(positive(values))
    band = mean_band(logs)
    middle = np.exp(band.middle)
    if band.low is None or band.high is None:
        return Band(middle, None, None)
    return Band(middle, np.exp(band.low), np.exp(band.high))


def draw_band(axes: Axes, places: Sequence[float] | np.ndarray, band: Band, **look: Any) -> None:
    """One line per path of a band, all in one look, with its bounds shaded in the same colour."""
    for path, middle in enumerate(band.middle):
        axes.plot(places, middle, **look)
        if band.low is not None and band.high is not None:
            style.shade(axes, places, band.low[path], band.high[path], look["color"])


def draw_paths(axes: Axes, band: Band, steps: Sequence[int]) -> None:
    """A line per path in its look, labelled "p = 1" …, with a marker at every fifth step."""
    marked = [i for i, step in enumerate(steps) if step % 5 == 0]
    for p, middle in enumerate(band.middle, start=1):
        axes.plot(steps, middle, markevery=marked, label=f"p = {p}", **style.path_look(p))
        if band.low is not None and band.high is not None:
            style.shade(axes, steps, band.low[p - 1], band.high[p - 1], style.colour(p))


def draw_means(
    axes: Axes,
    places: Sequence[float] | np.ndarray,
    values: Float[np.ndarray, "seeds places"],
    *,
    geometric: bool = False,
    **look: Any,
) -> None:
    """Mean over seeds at every place, its interval as a bar."""
    make_band = geometric_band if geometric else mean_band
    band = make_band(values[:, None])
    middle, bars = band.middle[0], None
    if band.low is not None and band.high is not None:
        bars = (middle - band.low[0], band.high[0] - middle)
    axes.errorbar(places, middle, yerr=bars, linestyle="none", elinewidth=1.0, **look)


def draw_dots(
    axes: Axes,
    places: Sequence[float] | np.ndarray,
    values: Float[np.ndarray, "seeds places"],
    *,
    geometric: bool = False,
    **look: Any,
) -> None:
    """`draw_means`, and if there are few seeds, each seed as a small dot at its right."""
    draw_means(axes, places, values, geometric=geometric, **look)
    seeds = len(values)
    if 1 < seeds <= FEW:
        aside = np.asarray(places, float) + ASIDE
        shown = positive(values) if geometric else values
        dots = {"s": 7, "color": look["color"], "alpha": 0.45, "linewidths": 0}
        axes.scatter(np.tile(aside, (seeds, 1)), shown, **dots)


def limit(axes: Axes, values: Float[np.ndarray, "..."]) -> None:
    """Keep the y axis near the values: an interval from few seeds may be cut off."""
    log = axes.get_yscale() == "log"
    scale, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
    shown = scale(positive(values) if log else values)
    low, high = float(shown.min()), float(shown.max())
    room = 0.3 * (high - low)
    bottom, top = scale(axes.get_ylim())
    if room > 0:
        bottom, top = max(bottom, low - room), min(top, high + room)
        axes.set_ylim(float(back(bottom)), float(back(top)))


def _interval_text(counts: Sequence[int], unit: str) -> str:
    with_interval = [count for count in counts if count > 2]
    if not with_interval:
        return "their range"
    kinds = {"t" if count < metrics.FEW_SEEDS else "bootstrap" for count in with_interval}
    names = " or ".join(sorted(kinds, reverse=True))
    of_two = f", of 2 {unit}s their range" if 2 in counts else ""
    return f"95% {names} interval{of_two}"


def seeds_text(measured: Iterable[Curves], unit: str = "seed") -> str:
    """What curves and bands are in words: "mean of 3 seeds; band: 95% t interval"."""
    counts = sorted({curves.values.shape[0] for curves in measured})
    if counts == [1]:
        return f"1 {unit}, no band"
    fewest, most = counts[0], counts[-1]
    number = f"{fewest}" if fewest == most else f"{fewest}–{most}"
    return f"mean of {number} {unit}s; band: {_interval_text(counts, unit)}"
