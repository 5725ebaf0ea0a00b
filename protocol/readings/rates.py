"""Experiment "rates": how fast the outputs of two paths diverge, on every side.

A run is a pair of paths of one seed (on the linear side: of an instance), or all paths of one
seed; theory/experiments/rates.py explains the metrics. Pairs of a seed share their models, so a
seed counts once, by the median over its pairs. Rates are of log d per step, d the mean squared
difference of outputs (linear: predictions; else centred logits). A horizon is the number of steps
for which an extrapolation from step 0 stays within a factor 2 of the measured d.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from protocol import metrics
from protocol.errors import InputError
from protocol.records import Tables
from protocol.spec import PAPER_METHODS

AHEAD = 20  # steps: the length of the paper's unlearning runs
WINDOW = 5  # steps over which the rate of growth is taken


class ModelRates(NamedTuple):
    """Rates of divergence of one model under one method; arrays have one value a seed."""

    world: str
    model: str
    method: str
    steps: int  # length of the runs
    promised: Float[np.ndarray, " seeds"]  # log (1 + r_0)²
    # log (1 + ρ_0)², the same rate of parameters; empty if these were not kept
    secant: Float[np.ndarray, " measured"]
    measured: Float[np.ndarray, " seeds"]  # slope of log d over the first 20 steps
    horizon: Float[np.ndarray, " seeds"]  # of (1 + r_0)^{2t} d_0
    nothing: Float[np.ndarray, " seeds"]  # horizon of d_0, no growth
    grown: Float[np.ndarray, " seeds"]  # d_20/d_0
    span: Float[np.ndarray, " seeds"]  # steps of exponential growth


def rate_records(tables: Tables) -> pl.DataFrame:
    """Records of experiment "rates"."""
    return tables.records.filter(pl.col("experiment") == "rates")


def series(records: pl.DataFrame) -> Iterator[tuple[tuple[str, str, str], pl.DataFrame]]:
    """((world, model, method), its records): by name, methods in the paper's order."""
    keys = records.select("world", "model", "method").unique().iter_rows()
    ranked = [
        (world, model, PAPER_METHODS.index(method))
        for world, model, method in keys
        if method in PAPER_METHODS
    ]
    for world, model, rank in sorted(ranked):
        method = PAPER_METHODS[rank]
        yield (world, model, method), records.filter(world=world, model=model, method=method)


def by_seed(records: pl.DataFrame, metric: str, *, step: int = 0) -> Float[np.ndarray, " seeds"]:
    """Median over the pairs of each seed of a metric at a step, seeds in ascending order."""
    values = records.filter((pl.col("metric") == metric) & (pl.col("step") == step))
    return values.group_by("seed").agg(pl.col("value").median()).sort("seed")["value"].to_numpy()


def tightness(records: pl.DataFrame) -> pl.DataFrame:
    """half_diameter, retrained_distance and ratio = their quotient, by seed and step.

    Empty if they were not measured.
    """
    both = records.filter(pl.col("metric").is_in(["half_diameter", "retrained_distance"]))
    if both["metric"].n_unique() < 2:
        return pl.DataFrame(schema={"seed": pl.Int64, "step": pl.Int64, "ratio": pl.Float64})
    wide = both.pivot("metric", index=["seed", "step"], values="value").sort("seed", "step")
    return wide.with_columns(ratio=pl.col("half_diameter") / pl.col("retrained_distance"))


def growth_curves(
    records: pl.DataFrame,
) -> tuple[Int[np.ndarray, " points"], Float[np.ndarray, "seeds points"]]:
    """log d at every window's end, median over the pairs of each seed, seeds in ascending order.

    Raises InputError if a seed lacks a step that others have.
    """
    ends = records.filter((pl.col("metric") == "log_divergence") & (pl.col("step") % WINDOW == 0))
    middle = ends.group_by("seed", "step").agg(pl.col("value").median()).sort("seed", "step")
    steps, seeds = middle["step"].unique().sort().to_numpy(), middle["seed"].n_unique()
    if middle.height != seeds * steps.size:
        raise InputError(
            f"records: expected log_divergence at {steps.size} steps under each of {seeds} seeds; "
            f"got {middle.height} values: run the experiment to its end"
        )
    return steps, middle["value"].to_numpy().reshape(-1, steps.size)


def _model_rates(key: tuple[str, str, str], records: pl.DataFrame) -> ModelRates:
    steps, log_d = growth_curves(records)
    ahead = int(np.flatnonzero(steps <= AHEAD)[-1])
    world, model, method = key
    return ModelRates(
        world=world,
        model=model,
        method=method,
        steps=int(steps[-1]),
        promised=by_seed(records, "growth/rate"),
        secant=by_seed(records, "growth/secant"),
        measured=by_seed(records, "growth/measured"),
        horizon=by_seed(records, "horizon/rate"),
        nothing=by_seed(records, "horizon/constant"),
        grown=np.exp(log_d[:, ahead] - log_d[:, 0]),
        span=np.array([metrics.exponential_span(steps, curve) for curve in log_d], float),
    )


def model_rates(tables: Tables) -> list[ModelRates]:
    """The rates of every model and method whose divergence was measured, by name."""
    return [
        _model_rates(key, records)
        for key, records in series(rate_records(tables))
        if growth_curves(records)[0].size > 2
    ]
