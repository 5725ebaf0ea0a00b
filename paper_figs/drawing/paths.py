"""One curve per path with its interval over seeds: what figures 1 and 3, the distances and the
linear figure share.

Arrays are (seeds, paths, points); path p stands at index p − 1. A point is a recorded unlearning
step.
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
ASIDE = 0.07  # how far beside the mean, of the distance of two places


class Band(NamedTuple):
    """The middle of a curve per path and what is shaded around it; None where there is no spread to
    show.
    """

    middle: Float[np.ndarray, "paths points"]
    low: Float[np.ndarray, "paths points"] | None
    high: Float[np.ndarray, "paths points"] | None


def mean_band(values: Float[np.ndarray, "seeds paths points"]) -> Band:
    """Mean over seeds with its 95% interval, Student's below 8 seeds, the bootstrap's from there
    on; of two seeds their range (the interval is 13 standard errors each way and hides the curves),
    of one the curve alone.
    """
    if values.shape[0] < 2:
        return Band(values[0], None, None)
    if values.shape[0] == 2:
        return Band(values.mean(axis=0), values.min(axis=0), values.max(axis=0))
    return Band(values.mean(axis=0), *metrics.mean_intervals(values))


def positive(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """The values as a log axis can show them: 0 counts as the smallest value above it, as 1 where
    there is none.
    """
    above = values[values > 0]
    return np.maximum(values, above.min() if above.size else 1.0)


def geometric_band(values: Float[np.ndarray, "seeds paths points"]) -> Band:
    """exp of `mean_band` of log d, for distances, which differ by factors; 0 as in `positive`."""
    band = mean_band(np.log(positive(values)))
    return Band(*(None if part is None else np.exp(part) for part in band))  # type: ignore[arg-type]


def draw_paths(axes: Axes, band: Band, steps: Sequence[int]) -> None:
    """A line per path in its look, labelled "p = 1" …, its interval shaded, a marker at every fifth
    step from 0 on.
    """
    marked = [i for i, step in enumerate(steps) if step % 5 == 0]
    for p, middle in enumerate(band.middle, start=1):
        axes.plot(steps, middle, markevery=marked, label=f"p = {p}", **style.path_look(p))
        if band.low is not None and band.high is not None:
            axes.fill_between(
                steps,
                band.low[p - 1],
                band.high[p - 1],
                color=style.colour(p),
                alpha=0.18,
                linewidth=0,
            )


def draw_means(
    axes: Axes,
    places: Sequence[float],
    values: Float[np.ndarray, "seeds places"],
    *,
    geometric: bool = False,
    **look: Any,
) -> None:
    """Mean over seeds at every place, its interval as a bar."""
    band = (geometric_band if geometric else mean_band)(values[:, None])
    middle, bars = band.middle[0], None
    if band.low is not None and band.high is not None:
        bars = (middle - band.low[0], band.high[0] - middle)
    axes.errorbar(places, middle, yerr=bars, linestyle="none", elinewidth=1.0, **look)


def draw_dots(
    axes: Axes,
    places: Sequence[float],
    values: Float[np.ndarray, "seeds places"],
    *,
    geometric: bool = False,
    **look: Any,
) -> None:
    """`draw_means`, and beside it the seeds as small dots where they are few."""
    draw_means(axes, places, values, geometric=geometric, **look)
    if 1 < len(values) <= FEW:
        beside = np.tile(np.asarray(places, float) + ASIDE, (len(values), 1))
        shown = positive(values) if geometric else values
        axes.scatter(beside, shown, s=7, color=look["color"], alpha=0.45, linewidths=0)


def limit(axes: Axes, values: Float[np.ndarray, "..."]) -> None:
    """Keep the y axis near the values: an interval from few seeds may be cut off."""
    log = axes.get_yscale() == "log"
    scale, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
    shown = scale(positive(values) if log else values)
    low, high = float(shown.min()), float(shown.max())
    room = 0.3 * (high - low)
    bottom, top = scale(axes.get_ylim())
    if room > 0:
        axes.set_ylim(float(back(max(bottom, low - room))), float(back(min(top, high + room))))


def seeds_text(measured: Iterable[Curves], unit: str = "seed") -> str:
    """What curves and bands are, in words: "mean of 2–3 seeds; band: 95% t interval, of 2 seeds
    their range".
    """
    counts = sorted({one.values.shape[0] for one in measured})
    if counts == [1]:
        return f"1 {unit}, no band"
    kinds = {"t" if count < metrics.FEW_SEEDS else "bootstrap" for count in counts if count > 2}
    interval = f"95% {' or '.join(sorted(kinds, reverse=True))} interval" if kinds else ""
    shown = "their range" if not interval else f"{interval}, of 2 {unit}s their range"
    band = shown if 2 in counts else interval
    return (
        f"mean of {'–'.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} {unit}s; band: "
        f"{band}"
    )
