"""S1 from experiment "oracle-local": are forget prompts enough to reach the retrained model?

The oracle is the retrained model distilled on forget prompts only: the most a method can know that
sees nothing else. A path reaches the retrained model as in E1: at one step, 0 included, it is
within the noise floor in every part. The share of seeds (of all models) in which p = last does, its
exact interval wholly above ½ or below.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import MOST_SEEDS, by_interval
from protocol.readings.curves import Curves, unlearned, worlds_and_methods
from protocol.readings.distances import (
    NO_FLOOR,
    ORACLE,
    by_model,
    distance_left,
    kinds_of,
    within_floor,
)
from protocol.records import Tables

KINDS = ("forget", "retained")


def _geometric_means(kind: str, left: np.ndarray) -> str:
    """Mean over seeds of the share left by path, in words."""
    means = np.exp(np.mean(np.log(left), axis=0))
    by_path = ", ".join(f"p={p} {mean:.2g}" for p, mean in enumerate(means, start=1))
    return f"{kind} {by_path}"


def _last_is_smallest(left: np.ndarray) -> int:
    """In how many seeds p = last has the smallest value."""
    return int(np.sum(metrics.recency(left) == 1))


def _left(
    models: dict[str, dict[str, Curves]], kind: str, *, over_start: bool
) -> Float[np.ndarray, "seeds paths"]:
    """The distance left on one kind of prompts, seeds of all models."""
    parts = [kinds_of(parts)[kind] for parts in models.values()]
    return np.concatenate([distance_left(own, over_start=over_start) for own in parts])


def _remaining(models: dict[str, dict[str, Curves]]) -> list[str]:
    """Best distance over do-nothing by path, and how often p = last is closest, in words."""
    shares = {kind: _left(models, kind, over_start=True) for kind in KINDS}
    distances = _left(models, "retained", over_start=False)
    by_kind = "; ".join(_geometric_means(kind, share) for kind, share in shares.items())
    return [
        f"best distance over do-nothing: {by_kind}",
        "on retained parts p = last has the smallest distance left in "
        f"{_last_is_smallest(distances)} of {len(distances)}, the smallest share of its own in "
        f"{_last_is_smallest(shares['retained'])}",
    ]


def _within(
    tables: Tables, world: str, models: dict[str, dict[str, Curves]]
) -> Bool[np.ndarray, "seeds paths"] | None:
    """Whether a path comes within the floor, seeds of all models; None if a model has no floor."""
    within = [within_floor(tables, world, parts, ORACLE) for parts in models.values()]
    known = [inside for inside in within if inside is not None]
    return np.concatenate(known) if len(known) == len(within) else None


def _reaches(tables: Tables, records: pl.DataFrame, world: str) -> Claim:
    models = by_model(records, world, ORACLE)
    pooled = " + ".join(models)
    within = _within(tables, world, models)
    if within is None:
        return STATEMENTS["S1"].not_testable(
            world=world, model=pooled, method=ORACLE, rule=MOST_SEEDS, why=NO_FLOOR
        )
    counts, seeds = np.sum(within, axis=0), len(within)
    interval = metrics.exact_interval(int(counts[-1]), seeds)
    reached = ", ".join(f"p={p} {count} of {seeds}" for p, count in enumerate(counts, start=1))
    return STATEMENTS["S1"].judged(
        world=world,
        model=pooled,
        method=ORACLE,
        value=float(counts[-1] / seeds),
        interval=interval,
        rule=MOST_SEEDS,
        verdict=by_interval(interval, above=0.5),
        details=[f"within the noise floor: {reached}", *_remaining(models)],
    )


def judge(tables: Tables) -> list[Claim]:
    """S1 for every kind of model there are records of."""
    records = unlearned(tables, ORACLE)
    worlds = worlds_and_methods(records, "re_distance/", (ORACLE,))
    return [_reaches(tables, records, world) for world, _ in worlds]
