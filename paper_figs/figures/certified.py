"""Certified unlearning: divergence of two orders under noise, noise needed, first violating step.

Median over instances with quartiles. Noise and distances in units of ‖Δ₀‖, the difference before
unlearning.
"""

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.bands_over_pairs import quartiles
from paper_figs.drawing.entry import FigureEntry, main
from protocol.readings.sweeps import sweep
from protocol.records import Tables

DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
BLACK: dict[str, Any] = {"color": "black", "linewidth": 1}


def _look(number: int) -> dict[str, Any]:
    return {"color": style.colour(number), "linestyle": DASHES[(number - 1) % len(DASHES)]}


def _draw_band(axes: Axes, records: pl.DataFrame, metric: str, number: int, label: str) -> None:
    """The metric's median by step, its quartiles shaded."""
    by_step = records.sort("step")
    median = by_step.filter(metric=metric)
    low = by_step.filter(metric=f"{metric}_low")
    high = by_step.filter(metric=f"{metric}_high")
    step = median["step"].to_numpy()
    axes.plot(step, median["value"].to_numpy(), label=label, **_look(number))
    style.shade(axes, step, low["value"].to_numpy(), high["value"].to_numpy(), style.colour(number))


def _legend(axes: Axes) -> None:
    """A legend below the panel: curves that rise from corner to corner leave no room inside."""
    place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17)}
    axes.legend(ncols=2, fontsize=8, handlelength=3, **place)


def _draw_divergence(axes: Axes, cells: pl.DataFrame, epsilon: float) -> None:
    at_epsilon = cells.filter(pl.col("epsilon") == epsilon)
    amounts = sorted(at_epsilon["noise"].unique())
    for number, noise in enumerate(amounts, start=1):
        at_noise = at_epsilon.filter(pl.col("noise") == noise)
        _draw_band(axes, at_noise, "hockey_stick", number, f"s = {noise:,.9g} ‖Δ₀‖")
    delta = at_epsilon["delta"][0]
    allowed = (1 + np.exp(epsilon)) * delta
    axes.axhline(allowed, label="(1 + e^ε)δ", **BLACK)
    axes.set_yscale("log")
    axes.set_ylim(allowed / 1e3, 2)
    axes.set_title(f"divergence of the two outcomes at 2ε\nε = {epsilon:g}, δ = {delta:g}")
    axes.set_ylabel("hockey-stick divergence")
    style.step_axis(axes)
    _legend(axes)


def _draw_slope(axes: Axes, curves: pl.DataFrame, slope: float) -> None:
    """A line of the predicted slope, below the lowest curve, where the panel is empty."""
    noise = curves.filter(metric="log_noise").sort("epsilon", "step")
    last = noise.row(-1, named=True)
    end = last["step"]
    late = np.array([0.6 * end, end])
    line = last["value"] / 30 * np.exp((late - end) * slope)
    axes.plot(late, line, label="slope of (1 + λ_max(M))^t", **BLACK)


def _draw_noise(axes: Axes, curves: pl.DataFrame, slope: float) -> None:
    noise = curves.with_columns(pl.col("value").exp())
    for number, epsilon in enumerate(sorted(noise["epsilon"].unique()), start=1):
        at_epsilon = noise.filter(pl.col("epsilon") == epsilon)
        _draw_band(axes, at_epsilon, "log_noise", number, f"ε = {epsilon:g}")
    _draw_slope(axes, noise, slope)
    axes.set_yscale("log")
    axes.set_title("least noise without violation\nup to step t")
    axes.set_ylabel("s / ‖Δ₀‖")
    style.step_axis(axes)
    _legend(axes)


def _draw_first(axes: Axes, cells: pl.DataFrame, examples: pl.DataFrame) -> None:
    """Median first violating step by noise, quartiles as bars, a line per ε."""
    settings = cells.select("run", "noise", "epsilon").unique()
    first = examples.filter(metric="first_step").join(settings, on="run")
    by_cell = first.group_by("noise", "epsilon").agg(quartiles("value")).sort("noise")
    for number, epsilon in enumerate(sorted(by_cell["epsilon"].unique()), start=1):
        line = by_cell.filter(pl.col("epsilon") == epsilon)
        middle = line["middle"].to_numpy()
        bars = (middle - line["low"].to_numpy(), line["high"].to_numpy() - middle)
        places = line["noise"].to_numpy() * 1.12 ** (number - 2)
        look = _look(number) | {"marker": style.marker(number), "label": f"ε = {epsilon:g}"}
        axes.errorbar(places, middle, yerr=bars, **look)
    axes.set_xscale("log")
    axes.set_title("first violating step\n(median, quartiles)")
    axes.set_xlabel("noise s / ‖Δ₀‖")
    axes.set_ylabel("unlearning step")
    _legend(axes)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "certified" was not run."""
    records = sweep(tables, "certified")
    if records.is_empty():
        return None
    examples = tables.examples.filter(pl.col("experiment") == "certified")
    cells = records.filter(pl.col("noise").is_not_null())
    curves = records.filter(pl.col("noise").is_null())
    epsilons = sorted(cells["epsilon"].unique())
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _draw_divergence(left, cells, epsilons[len(epsilons) // 2])
    slopes = examples.filter(metric="promised")["value"].to_numpy()
    _draw_noise(middle, curves, float(np.median(slopes)))
    _draw_first(right, cells, examples)
    instances = examples["example"].n_unique()
    heading = f"Linear model, gradient ascent: {instances} instances, median and quartiles"
    style.heading(figure, heading)
    return figure


FIGURE = FigureEntry(
    name="certified",
    title="Certified unlearning: two orders with noise on the outcomes",
    caption=(
        "Linear model, forget set learned first and last, gradient ascent on both models. Noise "
        "N(0, s²I) is added to both outcomes; s is in units of the distance ‖Δ₀‖ of the two "
        "models before unlearning. If both outcomes were (ε, δ)-close to one distribution, their "
        "hockey-stick divergence at 2ε would be at most (1 + e^ε)δ. Left: that divergence by "
        "step. Middle: the least noise that keeps the divergence below the bound up to step t. "
        "The black line has the slope log(1 + λ_max(M)), which the curves approach; M = "
        "(2η/k)X_UᵀX_U, median over instances. Right: the first step that violates the bound."
    ),
    alt=(
        "Three panels: divergence over unlearning steps for several amounts of noise with the "
        "allowed level; the noise needed over steps on a log scale, a line per ε and a line of "
        "the predicted slope; the first violating step against the noise."
    ),
    worlds=("linear",),
    claims=("C1", "C2"),
    commands=("retrace theory certified",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
