"""The paper's form of SimNPO at two β: gradient norm at step 0, and forget score, by position.

A column per model, of the theory and the language-model side. Above: the norm that claim N1
compares between p = last and the others. Below: the forget score at the later judged step. The tick
of each position also gives log π of a forget answer before unlearning: if β·|log π| is large, the
gradient nearly vanishes.
"""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.paths import draw_dots, limit
from protocol.readings.betas import (
    ACTING,
    SILENT,
    answers_at_start,
    by_beta,
    norms_at_start,
)
from protocol.readings.curves import curves, judged_steps
from protocol.records import Tables
from protocol.spec import METHODS

WORLDS = ("linear", "network", "llm")
LOOKS: dict[str, dict[str, Any]] = {
    SILENT: {"color": style.colour(4), "marker": "D"},
    ACTING: {"color": style.colour(1), "marker": "o"},
}
SHIFT = {SILENT: 0.1, ACTING: -0.1}
# where a norm of 0 is drawn; the language models' training takes a smaller norm for 0, too
ZERO = 1e-38

Values = dict[str, Float[np.ndarray, "seeds paths"]]  # by method, or by model


class Shown(NamedTuple):
    """The values of one column."""

    world: str
    model: str
    norms: Values
    scores: Values
    start: Float[np.ndarray, " paths"]  # mean log π of a forget answer at step 0


def _beta(method: str) -> str:
    return f"β = {dict(METHODS[method].constants)['beta']:g}"


def _forgotten(records: pl.DataFrame, world: str, method: str) -> Values:
    labels = curves(records, world=world, method=method, metric="label_loglik")
    return {label.model: label.forgotten(judged_steps(label.steps)[0]) for label in labels}


def _shown(records: pl.DataFrame, world: str) -> list[Shown]:
    """The models of one kind that were run at both β."""
    norms = {method: norms_at_start(records, world, method) for method in LOOKS}
    scores = {method: _forgotten(records, world, method) for method in LOOKS}
    start = answers_at_start(records, world)

    def of_model(by_method: dict[str, Values], model: str) -> Values:
        return {method: by_method[method][model] for method in LOOKS}

    models = [model for model in norms[SILENT] if model in norms[ACTING]]
    return [
        Shown(world, m, of_model(norms, m), of_model(scores, m), start[m].mean(axis=0))
        for m in models
    ]


def _draw(axes: Axes, by_method: Values, scale: str) -> None:
    for method, values in by_method.items():
        places = np.arange(1, values.shape[1] + 1) + SHIFT[method]
        look = {"markersize": 6, "label": _beta(method)} | LOOKS[method]
        draw_dots(axes, places, values, geometric=scale == "log", **look)
    axes.set_yscale(scale)
    limit(axes, np.concatenate(list(by_method.values())))
    if scale == "log":
        style.log_axis(axes)


def _draw_model(cells: np.ndarray, shown: Shown) -> None:
    above, below = cells
    _draw(above, {method: np.maximum(norms, ZERO) for method, norms in shown.norms.items()}, "log")
    _draw(below, shown.scores, "linear")
    alone = shown.world == shown.model
    above.set_title(shown.model if alone else f"{shown.model}\n({shown.world})")
    below.axhline(0, color="black", linewidth=0.8)
    ticks = [style.minus(f"{p}\n{level:.2g}") for p, level in enumerate(shown.start, start=1)]
    for axes in cells:
        axes.set_xticks(range(1, len(ticks) + 1), ticks)
        axes.set_xlim(0.5, len(ticks) + 0.5)
    below.set_xlabel("position p; log π at step 0")


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if SimNPO was not run at both β."""
    records = by_beta(tables)
    models = [shown for world in WORLDS for shown in _shown(records.filter(world=world), world)]
    if not models:
        return None
    figure = Figure(figsize=(max(6.0, 0.4 + 2.2 * len(models)), 5.6), layout="constrained")
    grid = figure.subplots(2, len(models), squeeze=False)
    for cells, shown in zip(grid.T, models, strict=True):
        _draw_model(cells, shown)
    grid[0, 0].set_ylabel("gradient norm at step 0")
    grid[1, 0].set_ylabel("forget score (nats)")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


FIGURE = FigureEntry(
    name="gradient",
    title="The paper's form of SimNPO at two β: gradient at step 0 and forgetting, by position",
    caption=(
        "The positions experiment of every model under SimNPO without length normalisation, "
        "−(2/β) log σ(−β log π). Above: norm of its gradient before the first update, geometric "
        "mean over seeds with its 95% interval; 0 is drawn as 10⁻³⁸. Below: forget score by the "
        "label at the later judged step (20, or the last step of a shorter run), mean with 95% "
        "interval (of two seeds their range). Dots: seeds, if there are few. Under each position: "
        "mean log π of a forget answer before unlearning; in the linear model this is −(xθ − y)². "
        "If β·|log π| is large, the loss has almost no gradient (N1)."
    ),
    alt=(
        "Dot charts by position of the forget set, a column per model: gradient norm at step 0 "
        "on a log scale above, forget score below, for two values of β."
    ),
    worlds=WORLDS,
    claims=("N1",),
    commands=("retrace theory positions", "retrace theory networks", "retrace llm positions"),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
