"""Theorem 3.1 on single instances and over the ensemble.

One panel per instance: the logarithm of the measured divergence d(θ_AB^t, θ_BA^t) and of its lower
bound by step, with t₀ marked, from where on the bound is claimed (drawn thin before it). Last
panel: the share of ensemble checks whose slack log d_t − log bound(t) is at most x.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from protocol.records import Tables

MEASURED, BOUND, ONSET = "#1f77b4", "#444444", "#d62728"
# instances fill rows of three; the ensemble's panel takes what is left of the last, or a row of its
# own
COLUMNS = 3
SHOWN = 8  # instances drawn


class Instance(NamedTuple):
    """One instance's curves; t0 may be −∞ (the bound holds from the start)."""

    name: str
    steps: Int[np.ndarray, " points"]
    divergence: Float[np.ndarray, " points"]
    bound: Float[np.ndarray, " points"]
    t0: float


def _metric(run: pl.DataFrame, name: str) -> pl.DataFrame:
    return run.filter(pl.col("metric") == name).sort("step")


def _instance(run: pl.DataFrame) -> Instance:
    first = run.row(0, named=True)
    divergence, bound, t0 = (_metric(run, name) for name in ("log_divergence", "log_bound", "t0"))
    apart = ", U independent" if "|" in first["order"] else ""
    return Instance(
        name=f"{first['model']}, instance {first['seed']}{apart}",
        steps=divergence["step"].to_numpy(),
        divergence=divergence["value"].to_numpy(),
        bound=bound["value"].to_numpy(),
        t0=-np.inf if t0.is_empty() else float(t0["value"][0]),
    )


def instances(tables: Tables) -> list[Instance]:
    """The instances of experiment "theorem-curves" by ascending t₀; "A>B|U" unlearns a set U of its
    own.
    """
    records = tables.records.filter(pl.col("experiment") == "theorem-curves").sort(
        "model", "seed", "order"
    )
    found = [_instance(run) for _, run in records.group_by("run", maintain_order=True)]
    return sorted(found, key=lambda one: one.t0)


def _draw_instance(axes: Axes, one: Instance) -> None:
    claimed = one.steps >= one.t0
    axes.plot(one.steps, one.divergence, color=MEASURED)
    axes.plot(one.steps[claimed], one.bound[claimed], color=BOUND, linestyle="--", linewidth=1.8)
    axes.plot(one.steps[~claimed], one.bound[~claimed], color=BOUND, linestyle=":", linewidth=1.0)
    if 0 < one.t0 <= one.steps[-1]:
        axes.axvline(one.t0, color=ONSET, linewidth=1.0)
    onset = f"t₀ = {one.t0:.0f}" if np.isfinite(one.t0) else "t₀ = −∞"
    if one.t0 > one.steps[-1]:
        onset += ", beyond these steps"
    axes.set_title(f"{one.name}\n{onset}")
    axes.set_ylabel("natural logarithm")
    style.step_axis(axes)


def _draw_slack(axes: Axes, slack: Float[np.ndarray, " checks"]) -> None:
    shown = np.maximum(slack, 1e-12)
    axes.ecdf(shown, color=MEASURED)
    axes.set_xscale("log")
    axes.set_title(f"ensemble: {slack.size} checks, smallest {slack.min():.2g}")
    axes.set_xlabel("slack  log d − log bound")
    axes.set_ylabel("share of checks ≤ x")


def _legend(figure: Figure) -> None:
    kinds = [
        Line2D([], [], color=MEASURED, label="log d, measured"),
        Line2D(
            [], [], color=BOUND, linestyle="--", linewidth=1.8, label="log of the bound, from t₀ on"
        ),
        Line2D(
            [], [], color=BOUND, linestyle=":", linewidth=1.0, label="the same before t₀ (no claim)"
        ),
        Line2D([], [], color=ONSET, linewidth=1.0, label="t₀"),
    ]
    figure.legend(handles=kinds, loc="outside lower center", ncols=4)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where neither single instances nor the ensemble were run."""
    shown = instances(tables)[:SHOWN]
    slack = tables.examples.filter(
        (pl.col("experiment") == "theorem") & (pl.col("metric") == "bound_log_slack")
    )
    if not shown and slack.is_empty():
        return None
    ensemble_row, ensemble_column = divmod(len(shown), COLUMNS)
    rows = ensemble_row + (ensemble_column > 0 or not slack.is_empty())
    figure = Figure(figsize=(10, 0.7 + 2.5 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, COLUMNS)
    for i, one in enumerate(shown):
        _draw_instance(figure.add_subplot(grid[divmod(i, COLUMNS)]), one)
    if not slack.is_empty():
        _draw_slack(
            figure.add_subplot(grid[ensemble_row, ensemble_column:]), slack["value"].to_numpy()
        )
    if shown:
        _legend(figure)
    return figure


FIGURE = FigureEntry(
    name="theorem",
    title="Theorem 3.1: divergence of two paths and its lower bound",
    caption=(
        "Gradient ascent on the linear model after training in two orders. Each panel: the "
        "logarithm of the measured "
        "divergence of the two models, and of the theorem's lower bound, which is claimed from "
        "step t₀ on. Last "
        "panel: how far the measured divergence lies above the bound over the whole ensemble of "
        "random instances and "
        "checks; a slack below 0 would refute the theorem."
    ),
    alt=(
        "Line charts of the log divergence above its log lower bound over steps for several "
        "instances, and the "
        "cumulative distribution of the slack over the ensemble."
    ),
    worlds=("linear",),
    claims=("T1", "T2", "T3"),
    commands=("retrace theory theorem", "retrace theory theorem-curves"),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
