"""S1 from experiment "oracle-local": does what is learned from forget prompts alone reach the
retrained model?

The oracle is the retrained model distilled on forget prompts only: the most a method can know that
sees nothing else. A path reaches the retrained model as in E1: at one step, 0 included, it is
within the noise floor in every part. The share of seeds (of all models) in which p = last does, its
exact interval wholly above ½ or below.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from protocol import metrics
from protocol.claims.claim import Claim, share_verdict
from protocol.claims.paper.equivalence import NO_FLOOR, TINY, by_model, within_floor
from protocol.readings.curves import Curves, unlearned, worlds_and_methods
from protocol.records import Tables

EXPERIMENT = METHOD = "oracle-local"
FORGET = "re_distance/forget"


def distance_left(parts: list[Curves], *, over_start: bool) -> Float[np.ndarray, "seeds paths"]:
    """Smallest distance over steps, over that of doing nothing where so asked; geometric mean over
    parts.
    """
    logs = []
    for measured in parts:
        best = np.maximum(measured.values.min(axis=-1), TINY)
        logs.append(np.log(best) - (np.log(np.maximum(measured.at(0), TINY)) if over_start else 0))
    return np.exp(np.mean(logs, axis=0))


def kinds_of(parts: dict[str, Curves]) -> dict[str, list[Curves]]:
    """The distances of a model on forget prompts, and those on retained ones."""
    forget = [c for name, c in parts.items() if name == FORGET]
    return {"forget": forget, "retained": [c for name, c in parts.items() if name != FORGET]}


def _remaining(found: dict[str, dict[str, Curves]]) -> str:
    """Best distance over do-nothing by path, on forget and on retained parts, and how often p =
    last is closest.
    """
    kinds = [kinds_of(parts) for parts in found.values()]
    share, distance = (
        {
            kind: np.concatenate([distance_left(of[kind], over_start=over) for of in kinds])
            for kind in kinds[0]
        }
        for over in (True, False)
    )
    told = "; ".join(
        f"{name} "
        + ", ".join(
            f"p={p} {v:.2g}" for p, v in enumerate(np.exp(np.mean(np.log(left), axis=0)), start=1)
        )
        for name, left in share.items()
    )
    closest, least = (
        int(np.sum(metrics.recency(kind["retained"]) == 1)) for kind in (distance, share)
    )
    return (
        f"best distance over do-nothing: {told}; on retained parts p = last has the smallest "
        f"distance left in "
        f"{closest} of {len(distance['retained'])}, the smallest share of its own in {least}"
    )


def _reaches(tables: Tables, records: pl.DataFrame, world: str) -> Claim:
    found = by_model(records, world, METHOD)
    head = (
        "S1",
        "An oracle that sees only forget prompts reaches the retrained model where the forget "
        "set was learned "
        "last.",
        "beyond Section 4: the local oracle",
        world,
        " + ".join(found),
        METHOD,
        "share of seeds in which p = last is within the noise floor in every part at some step",
    )
    rule = "exact 95% lower bound > 0.5; fails where the upper one is below"
    within: list[Bool[np.ndarray, "seeds paths"]] = []
    for parts in found.values():
        inside = within_floor(tables, world, parts, EXPERIMENT)
        if inside is None:
            return Claim(*head, None, None, rule, "not testable", NO_FLOOR)
        within.append(inside)
    counts, seeds = np.sum(np.concatenate(within), axis=0), len(np.concatenate(within))
    interval = metrics.exact_interval(int(counts[-1]), seeds)
    reached = ", ".join(f"p={p} {count} of {seeds}" for p, count in enumerate(counts, start=1))
    return Claim(
        *head,
        float(counts[-1] / seeds),
        interval,
        rule,
        share_verdict(interval, 0.5),
        f"within the floor: {reached}; {_remaining(found)}",
    )


def judge(tables: Tables) -> list[Claim]:
    """S1 for every world there are records of."""
    records = unlearned(tables, EXPERIMENT)
    return [
        _reaches(tables, records, world)
        for world, _ in worlds_and_methods(records, "re_distance/", (METHOD,))
    ]
