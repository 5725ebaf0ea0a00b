"""G1–G3 and D1 from experiment "rates": identities, predictions, the half-diameter bound.

Seeds, pairs and horizons: protocol/readings/rates.py.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import at_least, holds_if
from protocol.readings.rates import AHEAD, by_seed, rate_records, series, tightness
from protocol.records import Tables
from protocol.spec import PAPER_METHODS

EXACT = 1e-12  # relative; an identity of sums of some 1e4 products holds to about 1e-14
PROJECTED = 1e-9  # relative; the rate of PΔ₀ goes through a gradient and a projection
ROUNDING = 1e-12  # relative, of a distance
IDENTITY = "identity_error/"


def _quartiles(values: Float[np.ndarray, " n"]) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:g} ({low:g}–{high:g})"


def _identities(records: pl.DataFrame, world: str) -> Claim:
    """G1: both identities over all pairs, methods and steps of a side."""
    is_error = pl.col("metric").str.starts_with(IDENTITY)
    errors = records.filter((pl.col("world") == world) & is_error)
    worst = errors.group_by("metric").agg(pl.col("value").max()).sort("metric")
    # nan, if the two outputs of a pair do not differ, stays nan and fails
    value = float(np.max(worst["value"].to_list()))
    by_identity = ", ".join(
        f"{name.removeprefix(IDENTITY)} {error:.2g}" for name, error in worst.iter_rows()
    )
    methods = [method for method in PAPER_METHODS if method in set(errors["method"])]
    return STATEMENTS["G1"].judged(
        world=world,
        model=" + ".join(errors["model"].unique().sort()),
        method=" + ".join(methods),
        value=value,
        rule=f"< {EXACT:g}",
        verdict=holds_if(value < EXACT),
        details=[by_identity, f"{errors['run'].n_unique()} pairs of paths × methods"],
    )


def _projected(records: pl.DataFrame, world: str) -> Claim | None:
    """G3: the secant rate of PΔ₀ is ρ*; None if the theorem's rate is not defined."""
    errors = records.filter(world=world, metric="projected_rate_error")["value"].to_numpy()
    if errors.size == 0:
        return None
    worst = float(errors.max())
    return STATEMENTS["G3"].judged(
        world=world,
        model=world,
        method="GA",
        value=worst,
        rule=f"< {PROJECTED:g}",
        verdict=holds_if(worst < PROJECTED),
        details=[f"{errors.size} pairs of paths"],
    )


def _growths(records: pl.DataFrame) -> str:
    """Growth of log d as measured and as predicted by the first step, medians in words."""
    medians = {
        name: np.median(by_seed(records, f"growth/{name}"))
        for name in ("measured", "rate", "ratio")
    }
    return ", ".join(f"{name} {value:.3g}" for name, value in medians.items())


def _ahead(key: tuple[str, str, str], records: pl.DataFrame) -> Claim:
    """G2: how far ahead the rate of the first step predicts, against "no growth"."""
    world, model, method = key
    steps = int(records["step"].to_numpy().max())
    horizons = {name: by_seed(records, f"horizon/{name}") for name in ("rate", "ratio", "constant")}
    rate, constant = horizons["rate"], np.median(horizons["constant"])
    interval = metrics.median_interval(rate)
    verdict = at_least(interval, AHEAD)
    notes = [f"{name} {_quartiles(values)}" for name, values in horizons.items()]
    if steps < AHEAD or np.median(rate) <= constant:
        verdict = "inconclusive"
        notes.append("too few steps" if steps < AHEAD else "no better than no growth")
    elif np.isinf(interval[0]):
        notes.append("too few seeds for an interval")
    return STATEMENTS["G2"].judged(
        world=world,
        model=model,
        method=method,
        value=float(np.median(rate)),
        interval=interval,
        rule=(
            f"exact 95% lower bound of the median ≥ {AHEAD}, and median above that of no growth; "
            "fails if the upper bound is below"
        ),
        verdict=verdict,
        details=[
            f"median (quartiles) of {rate.size} seeds, runs of {steps} steps: {'; '.join(notes)}",
            f"growth of log d per step: {_growths(records)}",
        ],
    )


def _half_diameter(key: tuple[str, str, str], records: pl.DataFrame) -> Claim | None:
    """D1: the bound at every step, and how tight it is at steps 0, 20 and the last."""
    world, model, method = key
    measured = tightness(records)
    if measured.is_empty():
        return None
    half = measured["half_diameter"].to_numpy()
    far = measured["retrained_distance"].to_numpy()
    obeyed = half <= far * (1 + ROUNDING)
    last = int(measured["step"].to_numpy().max())
    middle = min(AHEAD, last)
    at = {step: measured.filter(step=step) for step in sorted({0, middle, last})}
    tight = ", ".join(
        f"{np.median(part['ratio'].to_numpy()):.2f} at step {step}" for step, part in at.items()
    )
    epsilon = float(np.median(at[middle]["half_diameter"].to_numpy() ** 2))
    return STATEMENTS["D1"].judged(
        world=world,
        model=model,
        method=method,
        value=float(obeyed.mean()),
        rule="= 1",
        verdict=holds_if(bool(obeyed.all())),
        details=[
            f"{obeyed.size} seeds × steps",
            f"bound over distance, median: {tight}, largest "
            f"{measured['ratio'].to_numpy().max():.2f}",
            f"retrain equivalence falsified below ε = {epsilon:.3g} (median at step {middle})",
        ],
    )


def judge(tables: Tables) -> list[Claim]:
    """G1, G3 for every kind of model, G2, D1 for every model and method there are records of."""
    records = rate_records(tables)
    worlds = records["world"].unique().sort()
    parts = list(series(records))
    identities = [_identities(records, world) for world in worlds]
    ahead = [_ahead(*part) for part in parts]
    projected = [_projected(records, world) for world in worlds]
    bounds = [_half_diameter(*part) for part in parts]
    return [claim for claim in (*identities, *ahead, *projected, *bounds) if claim is not None]
