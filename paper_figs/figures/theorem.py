"""Theorem 3.1 on single instances and over the ensemble.

One panel per instance: the logarithm of the measured divergence d(θ_AB^t, θ_BA^t) and of its lower
bound by step. The bound is claimed from step t₀ on, which is marked, and drawn thin before it. Last
panel: the share of ensemble checks whose slack log d_t − log bound(t) is at most x.
"""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from protocol.records import Tables

MEASURED: dict[str, Any] = {"color": "#1f77b4"}
CLAIMED: dict[str, Any] = {"color": "#444444", "linestyle": "--", "linewidth": 1.8}
BEFORE: dict[str, Any] = {"color": "#444444", "linestyle": ":", "linewidth": 1.0}
ONSET: dict[str, Any] = {"color": "#d62728", "linewidth": 1.0}
# instances fill rows of three; the ensemble's panel takes the rest of the last row, or a new row
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
    divergence, t0 = _metric(run, "log_divergence"), _metric(run, "t0")
    independent = ", U independent" if "|" in first["order"] else ""
    return Instance(
        name=f"{first['model']}, instance {first['seed']}{independent}",
        steps=divergence["step"].to_numpy(),
        divergence=divergence["value"].to_numpy(),
        bound=_metric(run, "log_bound")["value"].to_numpy(),
        t0=-np.inf if t0.is_empty() else float(t0["value"][0]),
    )


def instances(tables: Tables) -> list[Instance]:
    """The instances of experiment "theorem-curves" by ascending t₀.

    The order "A>B|U" means that the set U to be unlearned is independent of the stages.
    """
    records = tables.records.filter(pl.col("experiment") == "theorem-curves")
    runs = records.sort("model", "seed", "order").group_by("run", maintain_order=True)
    return sorted((_instance(run) for _, run in runs), key=lambda instance: instance.t0)


def _onset_text(instance: Instance) -> str:
    t0 = style.minus(f"{instance.t0:.0f}") if np.isfinite(instance.t0) else "−∞"
    text = f"t₀ = {t0}"
    return f"{text}, beyond these steps" if instance.t0 > instance.steps[-1] else text


def _draw_instance(axes: Axes, instance: Instance) -> None:
    steps, bound, t0 = instance.steps, instance.bound, instance.t0
    claimed = steps >= t0
    axes.plot(steps, instance.divergence, **MEASURED)
    axes.plot(steps[claimed], bound[claimed], **CLAIMED)
    axes.plot(steps[~claimed], bound[~claimed], **BEFORE)
    if 0 < t0 <= steps[-1]:
        axes.axvline(t0, **ONSET)
    axes.set_title(f"{instance.name}\n{_onset_text(instance)}")
    axes.set_ylabel("natural logarithm")
    style.step_axis(axes)


def _draw_slack(axes: Axes, slack: Float[np.ndarray, " checks"]) -> None:
    axes.ecdf(np.maximum(slack, 1e-12), **MEASURED)
    axes.set_xscale("log")
    axes.set_title(f"ensemble: {slack.size} checks, smallest {slack.min():.2g}")
    axes.set_xlabel("slack  log d − log bound")
    axes.set_ylabel("share of checks ≤ x")


def _legend(figure: Figure) -> None:
    handles = [
        style.legend_entry("log d, measured", **MEASURED),
        style.legend_entry("log of the bound, from t₀ on", **CLAIMED),
        style.legend_entry("the same before t₀ (no claim)", **BEFORE),
        style.legend_entry("t₀", **ONSET),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if neither single instances nor the ensemble were run."""
    shown = instances(tables)[:SHOWN]
    ensemble = tables.examples.filter(experiment="theorem", metric="bound_log_slack")
    slack = ensemble["value"].to_numpy()
    if not shown and not slack.size:
        return None
    last_row, last_column = divmod(len(shown), COLUMNS)
    rows = last_row + (last_column > 0 or slack.size > 0)
    figure = Figure(figsize=(10, 0.7 + 2.5 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, COLUMNS)
    for i, instance in enumerate(shown):
        _draw_instance(figure.add_subplot(grid[divmod(i, COLUMNS)]), instance)
    if slack.size:
        _draw_slack(figure.add_subplot(grid[last_row, last_column:]), slack)
    if shown:
        _legend(figure)
    return figure


FIGURE = FigureEntry(
    name="theorem",
    title="Theorem 3.1: divergence of two paths and its lower bound",
    caption=(
        "Gradient ascent on the linear model after training in two orders. Each panel shows the "
        "logarithm of the measured divergence of the two models and of the theorem's lower bound. "
        "The theorem claims the bound from step t₀ on. Last panel: the slack by which the "
        "measured divergence exceeds the bound, over all random instances and checks of the "
        "ensemble. A slack below 0 would refute the theorem."
    ),
    alt=(
        "Line charts of the log divergence above its log lower bound over steps for several "
        "instances, and the cumulative distribution of the slack over the ensemble."
    ),
    worlds=("linear",),
    claims=("T1", "T2", "T3"),
    commands=("retrace theory theorem", "retrace theory theorem-curves"),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
