"""One curve per path with its interval over seeds: what figures 1 and 3, the distances and the linear figure share.

Arrays are (seeds, paths, points); path p stands at index p − 1 and the point index is the unlearning step.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from paper_figs import style
from protocol import metrics
from protocol.claims.curves import Curves


class Band(NamedTuple):
    """The middle of a curve per path and what is shaded around it; None where there is no spread to show."""

    middle: Float[np.ndarray, "paths points"]
    low: Float[np.ndarray, "paths points"] | None
    high: Float[np.ndarray, "paths points"] | None


def mean_band(values: Float[np.ndarray, "seeds paths points"]) -> Band:
    """Mean over seeds with its 95% Student interval; of two seeds their range (the interval is 13 standard errors each
    way and hides the curves), of one the curve alone.
    """
    if values.shape[0] < 2:
        return Band(values[0], None, None)
    if values.shape[0] == 2:
        return Band(values.mean(axis=0), values.min(axis=0), values.max(axis=0))
    low, high = np.apply_along_axis(metrics.t_interval, 0, values)
    return Band(values.mean(axis=0), low, high)


def geometric_band(values: Float[np.ndarray, "seeds paths points"]) -> Band:
    """exp of `mean_band` of log d, for distances (they differ by factors); 0 counts as the smallest value above it."""
    positive = values[values > 0]
    smallest = positive.min() if positive.size else 1.0
    band = mean_band(np.log(np.maximum(values, smallest)))
    return Band(*(None if part is None else np.exp(part) for part in band))  # type: ignore[arg-type]


def draw_paths(axes: Axes, band: Band) -> None:
    """A line per path in its colour, its interval shaded, a marker at every fifth step (the first one included)."""
    points = np.arange(band.middle.shape[1])
    for p, middle in enumerate(band.middle, start=1):
        axes.plot(points, middle, color=style.colour(p), marker=style.marker(p), markevery=5)
        if band.low is not None and band.high is not None:
            axes.fill_between(points, band.low[p - 1], band.high[p - 1], color=style.colour(p), alpha=0.18, linewidth=0)


def limit(axes: Axes, values: Float[np.ndarray, "seeds paths points"]) -> None:
    """Keep the y axis near the values: an interval from few seeds may be cut off."""
    low, high = float(values.min()), float(values.max())
    room = 0.3 * (high - low)
    bottom, top = axes.get_ylim()
    if room > 0:
        axes.set_ylim(max(bottom, low - room), min(top, high + room))


def seeds_text(measured: Iterable[Curves], unit: str = "seed") -> str:
    """What curves and bands are, in words: "mean of 2–3 seeds; band: 95% t interval, of 2 seeds their range"."""
    counts = sorted({one.values.shape[0] for one in measured})
    if counts == [1]:
        return f"1 {unit}, no band"
    interval = "95% t interval" if counts[-1] > 2 else ""
    shown = "their range" if not interval else f"{interval}, of 2 {unit}s their range"
    band = shown if 2 in counts else interval
    return f"mean of {'–'.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} {unit}s; band: {band}"
