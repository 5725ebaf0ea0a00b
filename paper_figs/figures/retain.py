"""How much retained data stops two paths from parting: phase diagrams over rows and weight, and
both sides of λ*.

Left and middle: share of instances whose difference grows, light where none does, over n_R and λ,
with the median and quartiles of λ* where the sample spans the forget rows. Right: ‖Δ_t‖/‖Δ₀‖ at 0.9
λ* and 1.1 λ*.
"""

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
LINES = {BELOW: ("-", "o"), ABOVE: ("--", "s")}
COLOURS = {"full": style.colour(1), "subspace": style.colour(2)}


def _draw_phase(axes: Axes, records: pl.DataFrame, model: str) -> None:
    cells = records.filter(model=model, metric="grows")
    wide = cells.pivot("weight", index="samples", values="value", sort_columns=False).sort(
        "samples"
    )
    weights = sorted(cells["weight"].unique())
    share = wide.select(str(weight) for weight in weights).to_numpy()
    samples = wide["samples"].to_numpy()
    # cells are of equal size; the scales of both axes are written beside them
    axes.imshow(share.T, origin="lower", aspect="auto", cmap="Greys", norm=SHADES)
    axes.set_xticks(range(len(samples)), [f"{n:.0f}" for n in samples], rotation=90)
    axes.set_yticks(range(len(weights)), [f"{weight:g}" for weight in weights])
    axes.grid(False)
    _draw_threshold(
        axes, records.filter(model=model, method="threshold"), samples, np.array(weights)
    )
    rank = float(cells["rank"].to_numpy()[0])
    axes.axvline(np.searchsorted(samples, rank) - 0.5, color="black", linewidth=1, linestyle=":")
    axes.set_title(TITLES.get(model, model).format(d=rank))
    axes.set_xlabel("retained rows n_R")


def _draw_threshold(
    axes: Axes, records: pl.DataFrame, samples: np.ndarray, weights: np.ndarray
) -> None:
    """λ* by n_R, between the rows of the weights by the logarithm of λ; beyond the largest it
    leaves the axes.
    """
    wide = records.pivot("metric", index="samples", values="value").sort("samples")
    if "critical" not in wide.columns:
        return
    wide = wide.drop_nulls("critical")
    x = np.searchsorted(samples, wide["samples"].to_numpy())
    rows = np.flatnonzero(weights > 0)
    slope = (len(rows) - 1) / np.log(weights[rows[-1]] / weights[rows[0]]) if len(rows) > 1 else 1.0

    def height(name: str) -> np.ndarray:
        logs = np.log(wide[name].to_numpy())
        inside = np.interp(logs, np.log(weights[rows]), rows)
        return inside + np.maximum(logs - np.log(weights[rows[-1]]), 0) * slope

    low, middle, high = (height(name) for name in ("critical_low", "critical", "critical_high"))
    axes.errorbar(
        x,
        middle,
        yerr=[middle - low, high - middle],
        color=style.colour(4),
        marker="D",
        markersize=4,
        linewidth=1.4,
        capsize=2,
        clip_on=True,
        label="λ* (median, quartiles)",
    )
    axes.set_ylim(-0.5, len(weights) - 0.5)


def _draw_curves(axes: Axes, records: pl.DataFrame) -> None:
    curves = records.filter(metric="log_difference").sort("model", "method", "step")
    for (model, method), part in curves.group_by("model", "method", maintain_order=True):
        line, marker = LINES.get(str(method), (":", "x"))
        step, value = part.select("step", "value").to_numpy().T
        axes.plot(
            step,
            value / np.log(10),
            color=COLOURS.get(str(model), "black"),
            linestyle=line,
            marker=marker,
            markevery=4,
            label=f"{model}, {method}",
        )
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(xscale="log", ylim=(-4, 6))
    axes.set_xlabel("step of size 1/(2 max|a|)")
    axes.set_ylabel("log₁₀ ‖Δₜ‖/‖Δ₀‖, median")
    samples = curves["samples"].to_numpy()
    axes.set_title(
        f"both sides of λ*, n_R = {samples[0]:.0f}" if samples.size else "both sides of λ*"
    )
    axes.legend(loc="lower left", fontsize=8)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where experiment "retain" was not run."""
    records = sweep(tables, "retain")
    if records.is_empty():
        return None
    models = [model for model in TITLES if model in set(records["model"])]
    figure = Figure(figsize=(11.5, 4.3), layout="constrained")
    grid = figure.subplots(1, len(models) + 1, squeeze=False)[0]
    for axes, model in zip(grid, models, strict=False):
        _draw_phase(axes, records, model)
    grid[0].set_ylabel("weight λ of the retained sample")
    grid[0].legend(loc="lower left", fontsize=8, frameon=True)
    shades = figure.colorbar(
        ScalarMappable(SHADES, "Greys"),
        ax=list(grid[:-1]),
        shrink=0.8,
        boundaries=np.linspace(0, 1, 65),
    )
    shades.set_label("share of instances that grow")
    shades.set_ticks([0, 0.5, 1])
    _draw_curves(grid[-1], records)
    return figure


FIGURE = FigureEntry(
    name="retain",
    title="Weakly local methods: how much retained data stops two paths from parting",
    caption=(
        "Linear model, forget set learned first and last; both models ascend on the forget set "
        "and descend with "
        "weight λ on n_R fresh rows of the retained stages. Left and middle: share of instances "
        "in which the "
        "difference of the two models still grows after 10¹² steps; red: λ* = (n_R/k) σ_max(X_U "
        "R⁺)², median and "
        "quartiles over instances, where the sample spans the forget rows; dotted: n_R = "
        "dimension of the features. "
        "Right: the difference by step, median over instances, at 0.9 λ* and 1.1 λ*; in the "
        "subspace the part outside"
        " the sample's rows stays for ever."
    ),
    alt=(
        "Two phase diagrams of number of retained rows against weight, grey where the difference "
        "of two paths grows, "
        "with the threshold weight on the edge of the grey; line charts of the difference on "
        "both sides of the "
        "weight."
    ),
    worlds=("linear",),
    claims=("W1", "W2", "W3"),
    commands=("retrace theory retain",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
