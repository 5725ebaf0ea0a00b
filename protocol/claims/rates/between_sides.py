"""G4 and the table of the bridge, from experiment "rates": one rate of divergence in every world.

A row is a model under a method; a seed (linear world: an instance) counts once, by the median over
its pairs of paths. Rates are of log d per step, d the mean squared difference of outputs (linear:
predictions; else centred logits). G4: the growth is exponential for as long as its rate, over
windows of 5 steps, stays within a factor 2 of that of the first window. It holds where the exact
95% lower bound of the median over seeds is ≥ 20 steps, the paper's runs, and fails where the upper
one is below; inconclusive where d has not doubled by then: what hardly grows shows no law.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.rates.divergence import AHEAD, by_seed, rate_records, series
from protocol.errors import InputError
from protocol.records import Tables

WINDOW = 5  # steps
DOUBLED = 2.0


class Bridge(NamedTuple):
    """What one model under one method says of the growth of its divergence; arrays have one value a
    seed.
    """

    world: str
    model: str
    method: str
    steps: int  # length of the runs
    promised: Float[np.ndarray, " seeds"]  # log (1 + r_0)²
    secant: Float[
        np.ndarray, " measured"
    ]  # log (1 + ρ_0)², in parameters; empty where these were not kept
    measured: Float[np.ndarray, " seeds"]  # slope of log d over the first 20 steps
    horizon: Float[
        np.ndarray, " seeds"
    ]  # steps for which (1 + r_0)^{2t} d_0 stays within a factor 2
    nothing: Float[np.ndarray, " seeds"]  # the same of d_0
    grown: Float[np.ndarray, " seeds"]  # d_20/d_0
    span: Float[np.ndarray, " seeds"]  # steps of exponential growth


def growth_curves(
    records: pl.DataFrame,
) -> tuple[Int[np.ndarray, " points"], Float[np.ndarray, "seeds points"]]:
    """log d at every window's end, median over the pairs of each seed, seeds in ascending order."""
    chosen = records.filter((pl.col("metric") == "log_divergence") & (pl.col("step") % WINDOW == 0))
    middle = chosen.group_by("seed", "step").agg(pl.col("value").median()).sort("seed", "step")
    steps, seeds = middle["step"].unique().sort().to_numpy(), middle["seed"].n_unique()
    if middle.height != seeds * steps.size:
        raise InputError(
            f"records: expected log_divergence at {steps.size} steps under each of {seeds} "
            f"seeds; got {middle.height} "
            "values: run the experiment to its end"
        )
    return steps, middle["value"].to_numpy().reshape(-1, steps.size)


def _bridge(key: tuple[str, str, str], records: pl.DataFrame) -> Bridge:
    steps, log_d = growth_curves(records)
    ahead = int(np.flatnonzero(steps <= AHEAD)[-1])
    return Bridge(
        *key,
        int(steps[-1]),
        by_seed(records, "growth/rate"),
        by_seed(records, "growth/secant"),
        by_seed(records, "growth/measured"),
        by_seed(records, "horizon/rate"),
        by_seed(records, "horizon/constant"),
        np.exp(log_d[:, ahead] - log_d[:, 0]),
        np.array([metrics.exponential_span(steps, curve) for curve in log_d], float),
    )


def bridges(tables: Tables) -> list[Bridge]:
    """A row for every model and method whose divergence was measured, worlds and models by name."""
    return [
        _bridge(key, part)
        for key, part in series(rate_records(tables))
        if growth_curves(part)[0].size > 2
    ]


def _exponential(row: Bridge) -> Claim:
    low, high = metrics.median_interval(row.span)
    verdict = "holds" if low >= AHEAD else "fails" if high < AHEAD else "inconclusive"
    notes = [f"d grows by a factor {np.median(row.grown):.3g} in {AHEAD} steps (median)"]
    if np.median(row.grown) < DOUBLED or row.steps < AHEAD:
        verdict = "inconclusive"
        notes.append("too little growth to show a law" if row.steps >= AHEAD else "too few steps")
    elif np.isinf(low):
        notes.append("too few seeds for an interval")
    return Claim(
        "G4",
        "The divergence of two paths grows exponentially.",
        "Theorem 3.1, read in outputs",
        row.world,
        row.model,
        row.method,
        "steps for which the rate stays within a factor 2 of the first, median over seeds",
        float(np.median(row.span)),
        (low, high),
        f"exact 95% lower bound of the median ≥ {AHEAD}, fails where the upper one is below; "
        f"inconclusive where d does "
        "not double",
        verdict,
        f"runs of {row.steps} steps, {row.span.size} seeds; " + "; ".join(notes),
    )


def judge(tables: Tables) -> list[Claim]:
    """G4 for every world, model and method there are records of."""
    return [_exponential(row) for row in bridges(tables)]
