"""G1–G3 and D1 from experiment "secant": rates of divergence, how far ahead they tell, and the
half-diameter bound.

A run is a pair of paths of one seed (in the linear world: an instance), or all paths of one;
metrics and their meaning stand in theory/experiments/rates.py. Pairs of a seed share their models,
so a seed counts once, by the median over its pairs. A horizon is the number of steps for which an
extrapolation from step 0 stays within a factor 2 of what came.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.records import Tables

EXACT = 1e-12  # relative; an identity of sums of some 1e4 products holds to about 1e-14
PROJECTED = 1e-9  # relative; the rate of PΔ₀ goes through a gradient and a projection
AHEAD = 20  # steps: the length of the paper's unlearning runs
ROUNDING = 1e-12  # relative, of a distance

METHODS = ("GA", "NPO", "SimNPO")


def rate_records(tables: Tables) -> pl.DataFrame:
    """Records of experiment "rates"."""
    return tables.records.filter(pl.col("experiment") == "rates")


def series(records: pl.DataFrame) -> Iterator[tuple[tuple[str, str, str], pl.DataFrame]]:
    """((world, model, method), its records): worlds and models by name, the paper's methods in its
    order.
    """
    keys = [
        key
        for key in records.select("world", "model", "method").unique().iter_rows()
        if key[2] in METHODS
    ]
    for key in sorted(keys, key=lambda key: (key[0], key[1], METHODS.index(key[2]))):
        yield key, records.filter(world=key[0], model=key[1], method=key[2])


def by_seed(records: pl.DataFrame, metric: str, *, step: int = 0) -> Float[np.ndarray, " seeds"]:
    """Median over the pairs of each seed of a metric at a step, seeds in ascending order."""
    chosen = records.filter((pl.col("metric") == metric) & (pl.col("step") == step))
    return chosen.group_by("seed").agg(pl.col("value").median()).sort("seed")["value"].to_numpy()


def tightness(records: pl.DataFrame) -> pl.DataFrame:
    """half_diameter, retrained_distance and ratio = their quotient, by seed and step; empty where
    not measured.
    """
    chosen = records.filter(pl.col("metric").is_in(["half_diameter", "retrained_distance"]))
    if chosen["metric"].n_unique() < 2:
        return pl.DataFrame(schema={"seed": pl.Int64, "step": pl.Int64, "ratio": pl.Float64})
    wide = chosen.pivot("metric", index=["seed", "step"], values="value").sort("seed", "step")
    return wide.with_columns(ratio=pl.col("half_diameter") / pl.col("retrained_distance"))


def _quartiles(values: Float[np.ndarray, " n"]) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:g} ({low:g}–{high:g})"


def _identities(records: pl.DataFrame, world: str) -> Claim:
    """G1: both identities over all pairs, methods and steps of a world."""
    found = records.filter(
        (pl.col("world") == world) & pl.col("metric").str.starts_with("identity_error/")
    )
    worst = dict(found.group_by("metric").agg(pl.col("value").max()).sort("metric").iter_rows())
    value = float(
        np.max(list(worst.values()))
    )  # nan, where a pair does not differ, stays nan and fails
    methods = [method for method in METHODS if method in set(found["method"])]
    detail = ", ".join(
        f"{name.removeprefix('identity_error/')} {error:.2g}" for name, error in worst.items()
    )
    return Claim(
        "G1",
        "Secant and output rate account for the growth of a divergence exactly.",
        "definition of the rates",
        world,
        " + ".join(found["model"].unique().sort()),
        " + ".join(methods),
        "worst relative error of the identities",
        value,
        None,
        f"< {EXACT:g}",
        "holds" if value < EXACT else "fails",
        f"{detail}; {found['run'].n_unique()} pairs of paths × methods",
    )


def _projected(records: pl.DataFrame, world: str) -> Claim | None:
    """G3: the secant rate of PΔ₀ is ρ*; None where the theorem's rate is not defined."""
    error = records.filter(
        (pl.col("world") == world) & (pl.col("metric") == "projected_rate_error")
    )["value"].to_numpy()
    if error.size == 0:
        return None
    worst = float(error.max())
    return Claim(
        "G3",
        "On the forget rows the secant rate of gradient ascent is the theorem's ρ*.",
        "Theorem 3.1",
        world,
        world,
        "GA",
        "worst relative error of the projected secant rate at step 0",
        worst,
        None,
        f"< {PROJECTED:g}",
        "holds" if worst < PROJECTED else "fails",
        f"{error.size} pairs of paths",
    )


def _ahead(key: tuple[str, str, str], records: pl.DataFrame) -> Claim:
    """G2: how far ahead the rate of the first step tells, and whether it tells more than "no
    growth" does.
    """
    steps = int(records["step"].to_numpy().max())
    horizons = {name: by_seed(records, f"horizon/{name}") for name in ("rate", "ratio", "constant")}
    rate, constant = horizons["rate"], float(np.median(horizons["constant"]))
    low, high = metrics.median_interval(rate)
    verdict = "holds" if low >= AHEAD else "fails" if high < AHEAD else "inconclusive"
    notes = [f"{name} {_quartiles(values)}" for name, values in horizons.items()]
    if steps < AHEAD or np.median(rate) <= constant:
        verdict = "inconclusive"
        notes.append("too few steps" if steps < AHEAD else "no better than no growth")
    elif np.isinf(low):
        notes.append("too few seeds for an interval")
    growth = {
        name: float(np.median(by_seed(records, f"growth/{name}")))
        for name in ("measured", "rate", "ratio")
    }
    notes.append(
        "growth of log d per step: "
        + ", ".join(f"{name} {value:.3g}" for name, value in growth.items())
    )
    return Claim(
        "G2",
        "The first step tells how fast two paths part: their divergence grows like (1 + r₀)²ᵗ "
        "for a while.",
        "Lemma 3.2, read in outputs",
        *key,
        "steps within a factor 2, median over seeds",
        float(np.median(rate)),
        (low, high),
        f"exact 95% lower bound of the median ≥ {AHEAD}, and above that of no growth",
        verdict,
        f"median (quartiles) of {rate.size} seeds, runs of {steps} steps: " + "; ".join(notes),
    )


def _half_diameter(key: tuple[str, str, str], records: pl.DataFrame) -> Claim | None:
    """D1: the bound at every step, and how tight it is at the start, the paper's length and the
    end.
    """
    measured = tightness(records)
    if measured.is_empty():
        return None
    half, far, ratio = (
        measured[name].to_numpy() for name in ("half_diameter", "retrained_distance", "ratio")
    )
    obeyed = half <= far * (1 + ROUNDING)
    last = int(measured["step"].to_numpy().max())
    middle = min(AHEAD, last)
    at = {step: measured.filter(step=step) for step in sorted({0, middle, last})}
    tight = ", ".join(
        f"{np.median(part['ratio'].to_numpy()):.2f} at step {step}" for step, part in at.items()
    )
    epsilon = float(np.median(at[middle]["half_diameter"].to_numpy() ** 2))
    return Claim(
        "D1",
        "The spread of the outcomes alone bounds the distance to any retrained model.",
        "triangle inequality",
        *key,
        "share of seeds and steps with max √d(u_p, r) ≥ ½ max √d(u_p, u_q)",
        float(obeyed.mean()),
        None,
        "= 1",
        "holds" if obeyed.all() else "fails",
        f"{obeyed.size} seeds × steps; bound over distance, median: {tight}, largest "
        f"{ratio.max():.2f}; retrain "
        f"equivalence falsified below ε = {epsilon:.3g} (median at step {middle})",
    )


def judge(tables: Tables) -> list[Claim]:
    """G1, G3 for every world, G2, D1 for every world, model and method there are records of."""
    records = rate_records(tables)
    worlds = records["world"].unique().sort()
    parts = list(series(records))
    ahead = [_ahead(*part) for part in parts]
    bounds = [_half_diameter(*part) for part in parts]
    identities = [_identities(records, world) for world in worlds]
    projected = [_projected(records, world) for world in worlds]
    return [claim for claim in (*identities, *ahead, *projected, *bounds) if claim is not None]
