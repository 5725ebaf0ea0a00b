"""The triangle's corners as a table: what each way of removing a stage leaves of the distance to
the retrained model.

Rows methods, columns the position p of the forget stage; a cell is the geometric mean over
instances of the RE distance after over that before, over test and forget inputs together, shaded by
its logarithm. Beside it, in words, what the method uses (by its definition) and whether it reached
the retrained model (as measured).
"""

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
    "span optimum": ("yes", "no: knows the aim"),
    "stage-delta negation": ("no: stored delta", "no"),
    "history-aware removal": ("no: delta, later inputs", "no"),
    "rewind": ("no: checkpoint, later data", "no"),
}
LOWEST = 1e-3  # of the colours: shares below are as dark as it


def _cell(share: float) -> str:
    return "exact" if share < REACHED else f"{share:.2g}"


def _shares(found: pl.DataFrame, methods: list[str]) -> np.ndarray:
    """Geometric means (methods, positions); 0 counts as the smallest double."""
    floored = pl.col("left/all").clip(np.finfo(np.float64).tiny).log().mean().exp()
    means = found.group_by("method", "position").agg(floored.alias("share")).sort("position")
    return np.array([means.filter(method=method)["share"].to_numpy() for method in methods])


def _verdict(share: np.ndarray) -> str:
    reached = share < REACHED
    return (
        "yes"
        if reached.all()
        else f"only p = {share.size}"
        if reached[-1] and not reached[:-1].any()
        else "no"
    )


def _draw_cells(axes: Axes, share: np.ndarray, methods: list[str]) -> None:
    axes.imshow(np.clip(share, LOWEST, 1), norm=LogNorm(LOWEST, 1), cmap="Greys_r", aspect="auto")
    for (row, column), value in np.ndenumerate(share):
        dark = value < 0.02  # the grey of 0.02 is as far from black as from white
        axes.text(
            column, row, _cell(value), ha="center", va="center", color="white" if dark else "black"
        )
    positions = share.shape[1]
    names = {1: "p = 1 (first)", positions: f"p = {positions} (last)"}
    axes.set_xticks(range(positions), [names.get(p, f"p = {p}") for p in range(1, positions + 1)])
    axes.set_yticks(range(len(methods)), methods)
    axes.set_title("share of the distance left", pad=8)


def _draw_words(axes: Axes, share: np.ndarray, methods: list[str]) -> None:
    columns = ("local", "path-oblivious", "retrain-equivalent")
    for row, method in enumerate(methods):
        for column, word in enumerate((*USES[method], _verdict(share[row]))):
            weight = "bold" if word.startswith(("yes", "only")) else "normal"
            axes.text(column, row, word, ha="center", va="center", fontsize=8, fontweight=weight)
    axes.set_xlim(-0.6, 2.6)
    axes.set_xticks(range(3), columns)
    axes.set_title("what it uses, and what it reaches", pad=8)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where experiment "removal" was not run."""
    found = outcomes(tables)
    methods = [method for method in REMOVAL_METHODS if method in set(found["method"])]
    if not methods:
        return None
    share = _shares(found, methods)
    figure = Figure(figsize=(10, 0.42 * len(methods) + 1.3), layout="constrained")
    cells, words = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.35))
    _draw_cells(cells, share, methods)
    _draw_words(words, share, methods)
    for axes in (cells, words):
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.xaxis.tick_top()
        axes.spines[:].set_visible(False)
    style.heading(
        figure,
        f"Linear model, {found['seed'].n_unique()} instances: best stopping time, geometric mean",
    )
    return figure


FIGURE = FigureEntry(
    name="removal",
    title="The triangle, corner by corner: what each way of removing a stage leaves of the distance",
    caption=(
        "Linear model, forget set learned at each position. RE distance to the retrained model "
        "over test and forget "
        "inputs together, after as a share of before, geometric mean over instances. Methods "
        "that take steps stop at "
        "the step nearest to the retrained model, which no rule that does not know that model "
        "could choose; the span "
        "optimum is computed with it. “Exact”: below 10⁻²⁰. Right: what each method uses, by its "
        "definition, and "
        "whether it reached the retrained model, as measured."
    ),
    alt=(
        "Table of nine methods by four positions: share of the distance to the retrained model "
        "left, shaded grey; "
        "beside it whether the method is local, path-oblivious and retrain-equivalent."
    ),
    worlds=("linear",),
    claims=("H1", "H2"),
    commands=("retrace theory removal",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
