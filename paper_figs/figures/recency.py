"""Recency in the linear model: how often p = last is forgotten slowest, and the residuals behind
it.

Heat maps: the share of instances by step and one setting, the others at the base problem's values
(marked ◂). Curves: the same with exact intervals by ridge weight. Last panel: mean squared
components of the residual at step 0 by path.
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
    """The cells that differ from the base problem in one setting at most, this one."""
    base = records.filter(base=1.0).row(0, named=True)
    others = [other for other in SETTINGS if other != name]
    return records.filter([pl.col(other) == base[other] for other in others]).sort(name, "step")


def _draw_map(axes: Axes, records: pl.DataFrame, name: str) -> AxesImage:
    shown = _varied(records, name).filter(metric="last_slowest")
    wide = shown.pivot("step", index=name, values="value", sort_columns=False)
    values = wide.drop(name).to_numpy()
    image = axes.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value < DARK else "black"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=7)
    base = records.filter(base=1.0)[name][0]
    labels = [f"{value:g} ◂" if value == base else f"{value:g}" for value in wide[name]]
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xticks(
        range(values.shape[1]), [f"{int(step):,}" for step in wide.columns[1:]], rotation=30
    )
    axes.grid(visible=False)
    axes.set_ylabel(SETTINGS[name])
    axes.set_xlabel("unlearning step")
    return image


def _draw_curves(axes: Axes, records: pl.DataFrame) -> None:
    shown = _varied(records, "mu")
    weights = shown["mu"].n_unique()
    for i, ((mu,), one) in enumerate(shown.group_by("mu", maintain_order=True)):
        colour = colormaps["cividis"](0.85 * i / max(1, weights - 1))  # not the paths' colours
        count = int(one.filter(metric="instances")["value"][0])
        curve = one.filter(metric="last_slowest")
        step, value = curve["step"].to_numpy(), curve["value"].to_numpy()
        low, high = np.transpose(
            [metrics.exact_interval(round(share * count), count) for share in value]
        )
        axes.plot(step, value, color=colour, marker=style.marker(i + 1), label=f"μ = {mu:g}")
        axes.fill_between(step, low, high, color=colour, alpha=0.18, linewidth=0)
    chance = 1 / shown["stages"][0]
    axes.axhline(chance, label="chance", linestyle="--", **BLACK)
    axes.set(xscale="log", ylim=(0, 1.03), xlabel="unlearning step", ylabel="P(p = last slowest)")
    axes.legend(loc="lower left", fontsize=8, ncols=4)


def _draw_spectra(axes: Axes, tables: Tables) -> None:
    shown = tables.examples.filter(experiment="recency", metric="squared_component").sort(
        "position", "example"
    )
    for (position,), one in shown.group_by("position", maintain_order=True):
        p, last = int(str(position)), int(shown["position"].to_numpy().max())
        label = f"p = {p}, last" if p == last else f"p = {p}" if p else "retrained: U never learned"
        look: dict[str, Any] = style.path_look(p) | {"markevery": 5} if p else BLACK
        axes.plot(one["example"].to_numpy() + 1, one["value"].to_numpy(), label=label, **look)
    axes.set(
        yscale="log",
        xlabel="eigendirection of the forget set, largest first",
        ylabel="mean squared component",
    )
    style.log_axis(axes)
    axes.legend(fontsize=8)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where experiment "recency" was not run."""
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
        "Gradient ascent after training in every position of the forget set; random instances, a "
        "path forgets as much"
        " as its forget loss has grown. Heat maps: share of instances in which p = last has "
        "grown least, by "
        "unlearning step and one setting of the problem, the others at the values marked ◂; an "
        "instance in which two "
        "paths are equal does not count. Bottom left: the same by ridge weight, bands between "
        "the exact one-sided 95%"
        " bounds. Bottom right: mean over instances of the squared components of the residual "
        "before unlearning, in "
        "the eigendirections of the forget set's Gram matrix; ascent grows the largest fastest."
    ),
    alt=(
        "Four heat maps of the probability that the path with the forget set last is slowest, "
        "over unlearning steps "
        "and ridge weight, shared features, shared targets and number of stages; its curves by "
        "ridge weight; and the "
        "residual's spectrum, a line per position."
    ),
    worlds=("linear",),
    claims=("R1", "R2"),
    commands=("retrace theory recency",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
