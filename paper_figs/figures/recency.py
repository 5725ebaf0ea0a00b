"""Recency in the linear model: how often p = last is forgotten slowest, and the residuals.

Heat maps: the share of instances by step and one setting; the other settings have the base
problem's values (marked ◂). Curves: the same share with exact intervals by ridge weight. Last
panel: mean squared components of the residual at step 0 by path.
"""

from typing import Any

import numpy as np
import polars as pl
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from protocol import metrics
from protocol.readings.recency import cells
from protocol.records import Tables

SETTINGS = {
    "mu": "ridge weight μ",
    "overlap": "shared variance of features",
    "teacher": "shared variance of targets",
    "stages": "number of stages",
}
DARK = 0.55  # below it the map is dark and its numbers are white
BLACK: dict[str, Any] = {"color": "black", "linewidth": 0.9}


def _varied(records: pl.DataFrame, name: str) -> pl.DataFrame:
    """The cells that differ from the base problem in this setting at most."""
    base = records.filter(base=1.0).row(0, named=True)
    others = [other for other in SETTINGS if other != name]
    return records.filter([pl.col(other) == base[other] for other in others]).sort(name, "step")


def _write_numbers(axes: Axes, shares: np.ndarray) -> None:
    for (row, column), share in np.ndenumerate(shares):
        look: dict[str, Any] = {"color": "white" if share < DARK else "black", "fontsize": 7}
        axes.text(column, row, f"{share:.2f}", ha="center", va="center", **look)


def _draw_map(axes: Axes, records: pl.DataFrame, name: str) -> AxesImage:
    shown = _varied(records, name).filter(metric="last_slowest")
    wide = shown.pivot("step", index=name, values="value", sort_columns=False)
    shares = wide.drop(name).to_numpy()
    image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    _write_numbers(axes, shares)
    base = records.filter(base=1.0)[name][0]
    rows = [f"{value:g} ◂" if value == base else f"{value:g}" for value in wide[name]]
    axes.set_yticks(range(len(rows)), rows)
    steps = [f"{int(step):,}" for step in wide.columns[1:]]
    axes.set_xticks(range(len(steps)), steps, rotation=30)
    axes.grid(visible=False)
    axes.set_ylabel(SETTINGS[name])
    axes.set_xlabel("unlearning step")
    return image


def _draw_curves(axes: Axes, records: pl.DataFrame) -> None:
    shown = _varied(records, "mu")
    weights = shown["mu"].n_unique()
    for i, ((mu,), of_weight) in enumerate(shown.group_by("mu", maintain_order=True)):
        colour = colormaps["cividis"](0.85 * i / max(1, weights - 1))  # not the paths' colours
        count = int(of_weight.filter(metric="instances")["value"][0])
        curve = of_weight.filter(metric="last_slowest")
        step, shares = curve["step"].to_numpy(), curve["value"].to_numpy()
        bounds = [metrics.exact_interval(round(share * count), count) for share in shares]
        low, high = np.transpose(bounds)
        axes.plot(step, shares, color=colour, marker=style.marker(i + 1), label=f"μ = {mu:g}")
        style.shade(axes, step, low, high, colour)
    chance = 1 / shown["stages"][0]
    axes.axhline(chance, label="chance", linestyle="--", **BLACK)
    axes.set(xscale="log", ylim=(0, 1.03), xlabel="unlearning step", ylabel="P(p = last slowest)")
    axes.legend(loc="lower left", fontsize=8, ncols=4)


def _spectrum_look(p: int, last: int) -> dict[str, Any]:
    """Of path p; p = 0 is the retrained model."""
    if p == 0:
        return BLACK | {"label": "retrained: U never learned"}
    label = f"p = {p}, last" if p == last else f"p = {p}"
    return style.path_look(p) | {"markevery": 5, "label": label}


def _draw_spectra(axes: Axes, tables: Tables) -> None:
    shown = tables.examples.filter(experiment="recency", metric="squared_component")
    last = int(shown["position"].to_numpy().max())
    by_position = shown.sort("position", "example").group_by("position", maintain_order=True)
    for (position,), component in by_position:
        look = _spectrum_look(int(str(position)), last)
        axes.plot(component["example"].to_numpy() + 1, component["value"].to_numpy(), **look)
    axes.set(yscale="log", ylabel="mean squared component")
    axes.set_xlabel("eigendirection of the forget set, largest first")
    style.log_axis(axes)
    axes.legend(fontsize=8)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "recency" was not run."""
    records = cells(tables)
    if records.is_empty():
        return None
    figure = Figure(figsize=(10, 9), layout="constrained")
    grid = figure.subplots(3, 2)
    for axes, name in zip(grid.ravel(), SETTINGS, strict=False):
        image = _draw_map(axes, records, name)
    figure.colorbar(image, ax=grid[:2], label="P(p = last slowest)", aspect=40, pad=0.01)
    _draw_curves(grid[2, 0], records)
    _draw_spectra(grid[2, 1], tables)
    return figure


FIGURE = FigureEntry(
    name="recency",
    title="Recency in the linear model: how often the forget set learned last is forgotten slowest",
    caption=(
        "Gradient ascent on random instances after training with the forget set at every position. "
        "A path has forgotten as much as its forget loss has grown. Heat maps: share of instances "
        "in which the loss of p = last has grown least, by unlearning step and one setting of the "
        "problem. The other settings have the values marked ◂. An instance in which two paths are "
        "equal does not count. Bottom left: the same share by ridge weight; bands lie between the "
        "exact one-sided 95% bounds. Bottom right: mean over instances of the squared components "
        "of the residual before unlearning, in the eigendirections of the forget set's Gram "
        "matrix. Gradient ascent grows the component of the largest eigenvalue fastest."
    ),
    alt=(
        "Four heat maps of the probability that the path with the forget set last is slowest, "
        "over unlearning steps and ridge weight, shared features, shared targets and number of "
        "stages; its curves by ridge weight; and the residual's spectrum, a line per position."
    ),
    worlds=("linear",),
    claims=("R1", "R2"),
    commands=("retrace theory recency",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
