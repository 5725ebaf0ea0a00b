"""E1: does unlearning reach the retrained model? N1: does SimNPO act if log π is low?

E1 compares a path with the noise floor (protocol/readings/distances.py): a path misses the
retrained model if at no step, 0 included, it is within the floor in every part.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import by_interval
from protocol.readings.betas import ACTING, SILENT, answers_at_start, by_beta, norms_at_start
from protocol.readings.curves import Curves, curves, positions, worlds_and_methods
from protocol.readings.distances import NO_FLOOR, TINY, best_over_nothing, by_model, within_floor
from protocol.readings.ranks import later_scores
from protocol.records import Tables

# N1's premise: at β = 1 a log π above this leaves 2σ(β log π) > 0.5, far from silence (see
# `_silence`)
LOW = -1.0
# N1: p = last has a gradient at least this many times the largest of the other paths
SILENCE = 10.0
SHOWN_PARTS = ("/forget", "/test")


def _best(models: dict[str, dict[str, Curves]]) -> str:
    """Best stopping time over doing nothing by model, part and path, in words."""
    shown = []
    for model, parts in models.items():
        for name, measured in parts.items():
            if name.endswith(SHOWN_PARTS):
                ratios = enumerate(best_over_nothing(measured.values), start=1)
                by_path = ", ".join(f"p={p}: {ratio:.2f}" for p, ratio in ratios)
                shown.append(f"{model} {name.removeprefix('re_distance/')} {by_path}")
    return "; ".join(shown)


def _missed(
    tables: Tables, world: str, models: dict[str, dict[str, Curves]]
) -> Bool[np.ndarray, " paths"] | None:
    """Whether a path misses the retrained model, by seed and model; None without a floor."""
    missed = []
    for parts in models.values():
        within = within_floor(tables, world, parts)
        if within is None:
            return None
        missed.append(~within.ravel())
    return np.concatenate(missed)


def _equivalence(tables: Tables, records: pl.DataFrame, world: str, method: str) -> Claim:
    """E1, pooled over models."""
    models = by_model(records, world, method)
    pooled, rule = " + ".join(models), "exact 95% lower bound > 0.5"
    missed = _missed(tables, world, models)
    if missed is None:
        return STATEMENTS["E1"].not_testable(
            world=world, model=pooled, method=method, rule=rule, why=NO_FLOOR
        )
    interval = metrics.exact_interval(int(missed.sum()), missed.size)
    return STATEMENTS["E1"].judged(
        world=world,
        model=pooled,
        method=method,
        value=float(missed.mean()),
        interval=interval,
        rule=rule,
        verdict=by_interval(interval, above=0.5),
        details=[
            f"{missed.sum()} of {missed.size} paths",
            f"best distance over do-nothing: {_best(models)}",
        ],
    )


def _last_over_rest(records: pl.DataFrame, world: str, method: str) -> Float[np.ndarray, " seeds"]:
    """Gradient norm at step 0 of p = last over the largest of the other paths."""
    norms = np.concatenate(list(norms_at_start(records, world, method).values()))
    return norms[:, -1] / np.maximum(norms[:, :-1].max(axis=1), TINY)


def _silence(records: pl.DataFrame, world: str) -> Claim:
    """N1: at β = 1 p = last alone has a large gradient at step 0, and is forgotten fastest."""
    label = curves(records, world=world, method=SILENT, metric="label_loglik")
    ratio = _last_over_rest(records, world, SILENT)
    acting = _last_over_rest(records, world, ACTING)
    scores = np.concatenate([later_scores(measured) for measured in label])
    fastest = np.argmax(scores, axis=1) == scores.shape[1] - 1
    hits = (ratio >= SILENCE) & fastest
    interval = metrics.exact_interval(int(hits.sum()), hits.size)
    start = np.concatenate(list(answers_at_start(records, world).values())).mean(axis=0)
    chance = 1 / start.size
    levels = ", ".join(f"p={p}: {level:.2f}" for p, level in enumerate(start, start=1))
    statement = STATEMENTS["N1"].measured(times=f"{SILENCE:g}")
    return statement.judged(
        world=world,
        model=" + ".join(measured.model for measured in label),
        method=SILENT,
        value=float(hits.mean()),
        interval=interval,
        rule=f"exact 95% lower bound > {chance:.3g}; inconclusive if no log π is below −1",
        verdict="inconclusive" if start.min() > LOW else by_interval(interval, above=chance),
        details=[
            f"gradient of p = last over the largest other, median: {np.median(ratio):.3g} at β = "
            f"1, {np.median(acting):.3g} at β = 0.2",
            f"p = last fastest at β = 1 in {fastest.sum()} of {hits.size}",
            f"log π of a forget answer at step 0: {levels}",
        ],
    )


def judge(tables: Tables) -> list[Claim]:
    """E1 for every kind of model and method that has records, N1 for every such kind of model."""
    records = positions(tables)
    pairs = worlds_and_methods(records, "re_distance/")
    claims = [_equivalence(tables, records, world, method) for world, method in pairs]
    records = by_beta(tables)
    acting = {world for world, _ in worlds_and_methods(records, "grad_norm", (ACTING,))}
    silent = {world for world, _ in worlds_and_methods(records, "grad_norm", (SILENT,))}
    claims += [_silence(records, world) for world in sorted(acting & silent)]
    return claims
