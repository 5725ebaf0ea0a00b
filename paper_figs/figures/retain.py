"""How much retained data keeps two paths together: phase diagrams, and curves on both sides of λ*.

Left and middle: share of instances whose difference grows, by number of retained rows n_R and
weight λ (light: none), with the median and quartiles of λ* if the sample spans the forget rows.
Right: ‖Δ_t‖/‖Δ₀‖ at 0.9 λ* and 1.1 λ*.
"""

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from protocol.readings.retain import ABOVE, BELOW
from protocol.readings.sweeps import sweep
from protocol.records import Tables

SHADES = Normalize(0, 2.2)  # the darkest cell stays lighter than the lines on it
TITLES = {
    "full": "features of full rank, d = {d:.0f}",
    "subspace": "forget rows and sample in {d:.0f} dimensions",
}
SIDES = {BELOW: ("-", "o"), ABOVE: ("--", "s")}  # line and marker
COLOURS = {"full": style.colour(1), "subspace": style.colour(2)}
THRESHOLD: dict[str, Any] = {
    "color": style.colour(4), "marker": "D", "markersize": 4, "linewidth": 1.4, "capsize": 2,
}  # fmt: skip


def _draw_phase(axes: Axes, records: pl.DataFrame, model: str) -> None:
    """Cells of equal size; the ticks give the scales of both axes."""
    cells = records.filter(model=model, metric="grows")
    wide = cells.pivot("weight", index="samples", values="value", sort_columns=False)
    wide = wide.sort("samples")
    samples, weights = wide["samples"].to_numpy(), np.array(sorted(cells["weight"].unique()))
    share = wide.select(str(weight) for weight in weights).to_numpy()
    axes.imshow(share.T, origin="lower", aspect="auto", cmap="Greys", norm=SHADES)
    axes.set_xticks(range(len(samples)), [f"{n:.0f}" for n in samples], rotation=90)
    axes.set_yticks(range(len(weights)), [f"{weight:g}" for weight in weights])
    axes.grid(False)
    _draw_threshold(axes, records.filter(model=model, method="threshold"), samples, weights)
    rank = float(cells["rank"].to_numpy()[0])
    axes.axvline(np.searchsorted(samples, rank) - 0.5, color="black", linewidth=1, linestyle=":")
    axes.set_title(TITLES.get(model, model).format(d=rank))
    axes.set_xlabel("retained rows n_R")


def _height(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rows of these weights, by their logarithm; a weight beyond the largest is above the axes."""
    rows = np.flatnonzero(weights > 0)
    logs, ticks = np.log(values), np.log(weights[rows])
    slope = (len(rows) - 1) / (ticks[-1] - ticks[0]) if len(rows) > 1 else 1.0
    return np.interp(logs, ticks, rows) + np.maximum(logs - ticks[-1], 0) * slope


def _draw_threshold(
    axes: Axes, records: pl.DataFrame, samples: np.ndarray, weights: np.ndarray
) -> None:
    """λ* by n_R, median with quartiles."""
    wide = records.pivot("metric", index="samples", values="value").sort("samples")
    if "critical" not in wide.columns:
        return
    wide = wide.drop_nulls("critical")
    places = np.searchsorted(samples, wide["samples"].to_numpy())
    low = _height(wide["critical_low"].to_numpy(), weights)
    middle = _height(wide["critical"].to_numpy(), weights)
    high = _height(wide["critical_high"].to_numpy(), weights)
    bars = [middle - low, high - middle]
    axes.errorbar(places, middle, yerr=bars, label="λ* (median, quartiles)", **THRESHOLD)
    axes.set_ylim(-0.5, len(weights) - 0.5)


def _draw_curves(axes: Axes, records: pl.DataFrame) -> None:
    curves = records.filter(metric="log_difference").sort("model", "method", "step")
    for (model, method), part in curves.group_by("model", "method", maintain_order=True):
        line, marker = SIDES.get(str(method), (":", "x"))
        look: dict[str, Any] = {"linestyle": line, "marker": marker, "markevery": 4}
        look |= {"color": COLOURS.get(str(model), "black"), "label": f"{model}, {method}"}
        step, value = part.select("step", "value").to_numpy().T
        axes.plot(step, value / np.log(10), **look)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(xscale="log", ylim=(-4, 6))
    axes.set_xlabel("step of size 1/(2 max|a|)")
    axes.set_ylabel("log₁₀ ‖Δₜ‖/‖Δ₀‖, median")
    samples = curves["samples"].to_numpy()
    axes.set_title("both sides of λ*" + (f", n_R = {samples[0]:.0f}" if samples.size else ""))
    axes.legend(loc="lower left", fontsize=8)


def _colour_bar(figure: Figure, panels: list[Axes]) -> None:
    shares = np.linspace(0, 1, 65)
    shades = ScalarMappable(SHADES, "Greys")
    bar = figure.colorbar(shades, ax=panels, shrink=0.8, boundaries=shares)
    bar.set_label("share of instances that grow")
    bar.set_ticks([0, 0.5, 1])


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "retain" was not run."""
    records = sweep(tables, "retain")
    if records.is_empty():
        return None
    models = [model for model in TITLES if model in set(records["model"])]
    figure = Figure(figsize=(11.5, 4.3), layout="constrained")
    *phases, curves = figure.subplots(1, len(models) + 1, squeeze=False)[0]
    for axes, model in zip(phases, models, strict=True):
        _draw_phase(axes, records, model)
    phases[0].set_ylabel("weight λ of the retained sample")
    phases[0].legend(loc="lower left", fontsize=8, frameon=True)
    _colour_bar(figure, phases)
    _draw_curves(curves, records)
    return figure


FIGURE = FigureEntry(
    name="retain",
    title="Weakly local methods: how much retained data keeps two paths together",
    caption=(
        "Linear model, forget set learned first and last. Both models ascend on the forget set "
        "and descend with weight λ on n_R fresh rows of the retained stages. Left and middle: "
        "share of instances in which the difference of the two models still grows after 10¹² "
        "steps. Red: λ* = (n_R/k) σ_max(X_U R⁺)², median and quartiles over instances, if the "
        "sample spans the forget rows. Dotted: n_R equals the dimension of the features. Right: "
        "the difference by step, median over instances, at 0.9 λ* and 1.1 λ*. In the subspace the "
        "part of the difference outside the sample's rows never vanishes."
    ),
    alt=(
        "Two phase diagrams of number of retained rows against weight, grey if the difference of "
        "two paths grows, with the threshold weight on the edge of the grey; line charts of the "
        "difference on both sides of the threshold."
    ),
    worlds=("linear",),
    claims=("W1", "W2", "W3"),
    commands=("retrace theory retain",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
