"""Ways to remove a stage, as a table: which share of the distance to the retrained model is left.

Rows methods, columns the position p of the forget stage. A cell is the geometric mean over
instances of the RE distance after over that before, over test and forget inputs together, shaded by
its logarithm. The columns at the right say in words what the method uses (by its definition) and
whether it reached the retrained model (as measured).
"""

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from protocol.readings.removal import REACHED, REMOVAL_METHODS, outcomes
from protocol.records import Tables

# method -> local, path-oblivious: by definition, in words
USES = {
    "GA": ("yes", "yes"),
    "NPO": ("yes", "yes"),
    "SimNPO": ("yes", "yes"),
    "GradDiff, small sample": ("no: retained rows", "yes"),
    "GradDiff, spanning sample": ("no: retained rows", "yes"),
    "span optimum": ("yes", "no: knows the target"),
    "stage-delta negation": ("no: stored delta", "no"),
    "history-aware removal": ("no: delta, later inputs", "no"),
    "rewind": ("no: checkpoint, later data", "no"),
}
LOWEST = 1e-3  # of the colours: shares below are as dark
DARK = 0.02  # a grey as far from black as from white


def _cell(share: float) -> str:
    return "exact" if share < REACHED else f"{share:.2g}"


def _shares(results: pl.DataFrame, methods: list[str]) -> np.ndarray:
    """Geometric means (methods, positions); 0 counts as the smallest double."""
    floored = pl.col("left/all").clip(np.finfo(np.float64).tiny).log().mean().exp()
    means = results.group_by("method", "position").agg(floored.alias("share")).sort("position")
    return np.array([means.filter(method=method)["share"].to_numpy() for method in methods])


def _verdict(share: np.ndarray) -> str:
    reached = share < REACHED
    if reached.all():
        return "yes"
    only_last = reached[-1] and not reached[:-1].any()
    return f"only p = {share.size}" if only_last else "no"


def _draw_cells(axes: Axes, share: np.ndarray, methods: list[str]) -> None:
    axes.imshow(np.clip(share, LOWEST, 1), norm=LogNorm(LOWEST, 1), cmap="Greys_r", aspect="auto")
    middle: dict[str, Any] = {"ha": "center", "va": "center"}
    for (row, column), value in np.ndenumerate(share):
        colour = "white" if value < DARK else "black"
        axes.text(column, row, _cell(value), color=colour, **middle)
    positions = share.shape[1]
    names = {1: "p = 1 (first)", positions: f"p = {positions} (last)"}
    axes.set_xticks(range(positions), [names.get(p, f"p = {p}") for p in range(1, positions + 1)])
    axes.set_yticks(range(len(methods)), methods)
    axes.set_title("share of the distance left", pad=8)


def _draw_words(axes: Axes, share: np.ndarray, methods: list[str]) -> None:
    middle: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8}
    for row, method in enumerate(methods):
        for column, word in enumerate((*USES[method], _verdict(share[row]))):
            weight = "bold" if word.startswith(("yes", "only")) else "normal"
            axes.text(column, row, word, fontweight=weight, **middle)
    axes.set_xlim(-0.6, 2.6)
    axes.set_xticks(range(3), ("local", "path-oblivious", "retrain-equivalent"))
    axes.set_title("what the method uses, and whether it reaches the model", pad=8)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "removal" was not run."""
    results = outcomes(tables)
    methods = [method for method in REMOVAL_METHODS if method in set(results["method"])]
    if not methods:
        return None
    share = _shares(results, methods)
    figure = Figure(figsize=(10, 0.42 * len(methods) + 1.3), layout="constrained")
    cells, words = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.35))
    _draw_cells(cells, share, methods)
    _draw_words(words, share, methods)
    for axes in (cells, words):
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.xaxis.tick_top()
        axes.spines[:].set_visible(False)
    instances = results["seed"].n_unique()
    heading = f"Linear model, {instances} instances: best stopping time, geometric mean"
    style.heading(figure, heading)
    return figure


FIGURE = FigureEntry(
    name="removal",
    title="Ways to remove a stage: which share of the distance to the retrained model is left",
    caption=(
        "Linear model, forget set learned at each position. Cells: RE distance to the retrained "
        "model over test and forget inputs together, after as a share of before, geometric mean "
        "over instances. Methods that take steps stop at the step nearest to the retrained model. "
        "No rule could choose that step without the retrained model. The span optimum is computed "
        "with the retrained model, too. “Exact” means below 10⁻²⁰. Right: what each method uses, "
        "by its definition, and whether it reached the retrained model, as measured."
    ),
    alt=(
        "Table of nine methods by four positions: share of the distance to the retrained model "
        "left, shaded grey; at the right whether the method is local, path-oblivious and "
        "retrain-equivalent."
    ),
    worlds=("linear",),
    claims=("H1", "H2"),
    commands=("retrace theory removal",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
