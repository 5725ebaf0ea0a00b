"""Panels with a curve per path: label log-likelihood, and distance to the retrained model."""

from matplotlib.axes import Axes

from paper_figs.drawing import style
from paper_figs.drawing.paths import draw_paths, geometric_band, mean_band
from protocol.readings.curves import Curves

# nats: ascent grows without bound, and below −STEEP the axis is logarithmic (linear within ±1)
STEEP = 100.0
NOISE_GREY = "#9a9a9a"


def draw_label(axes: Axes, label: Curves, title: str) -> None:
    """Label log-likelihood by path, mean over seeds."""
    draw_paths(axes, mean_band(label.values), label.steps)
    if label.values.min() < -STEEP:
        axes.set_yscale("symlog", linthresh=1.0)
    axes.set_title(title)
    style.step_axis(axes, last_row=False)


def draw_log_paths(axes: Axes, distance: Curves) -> None:
    """A distance by path on a log axis, geometric mean over seeds; dotted: the level at step 0."""
    band = geometric_band(distance.values)
    axes.set_yscale("log")
    draw_paths(axes, band, distance.steps)
    for p, start in enumerate(band.middle[:, 0], start=1):
        axes.axhline(start, color=style.colour(p), linestyle=":", linewidth=1.0)


def draw_distance(axes: Axes, distance: Curves) -> None:
    """`draw_log_paths` in the lowest row of a figure."""
    draw_log_paths(axes, distance)
    style.log_axis(axes)
    style.step_axis(axes)


def shade_noise(axes: Axes, bottom: float, noise_floor: float) -> None:
    """Grey from the bottom of the panel up to the noise floor."""
    axes.axhspan(bottom, noise_floor, color=NOISE_GREY, alpha=0.25, linewidth=0, zorder=0)
