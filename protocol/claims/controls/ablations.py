"""L5 from experiments FAMILY/VALUE: do L1 and L2 hold across learning rates, schedules and
optimizers?

Every VALUE of a family ("learning-rates/2e-05", "schedules/cosine", "optimizers/sgd") is a
positions experiment of its own, judged by the rules of L1 and L2. The claim holds where L1 of every
model and L2 hold at every value, and fails where one of them fails at some value. A learning rate
at which nothing is forgotten is a value like any other. Where L1 is testable at no value there is
no share.
"""

import polars as pl

from protocol.claims.claim import Claim, every
from protocol.claims.paper import paths
from protocol.readings.curves import Curves, curves, settings, worlds_and_methods
from protocol.records import Tables

FAMILIES = {
    "learning-rates": "learning rates",
    "schedules": "schedules",
    "optimizers": "optimizers",
    "seeds": "numbers of seeds",
}


def _at(value: str, world: str, method: str, label: list[Curves]) -> tuple[str, str]:
    """The verdict at one value and its numbers in words."""
    divergence = [paths.divergence(world, method, measured) for measured in label]
    recency = paths.recency(world, method, label, [])
    told = ", ".join(
        f"{claim.model} {'–' if claim.value is None else f'{claim.value:.3g}'} {claim.verdict}"
        for claim in divergence
    )
    counts = ", ".join(
        f"{name} {hits} of {seeds}" for name, (hits, seeds) in paths.slowest(label).items()
    )
    ranks = ", ".join(f"{measured.model} {paths.last_rank(measured):.3g}" for measured in label)
    verdict = every([recency.verdict, *(claim.verdict for claim in divergence)])
    return (
        verdict,
        f"{value}: F {told}; p = last slowest at {counts}, rank {ranks}: {recency.verdict}",
    )


def _across(family: str, measured: dict[str, list[Curves]], world: str, method: str) -> Claim:
    verdicts, told = zip(
        *(_at(value, world, method, label) for value, label in measured.items()), strict=True
    )
    share = None if set(verdicts) == {"not testable"} else verdicts.count("holds") / len(verdicts)
    models = sorted({one.model for label in measured.values() for one in label})
    return Claim(
        "L5",
        "Path divergence and recency hold across learning rates, schedules and optimizers.",
        "Section 4, Figures 6, 8",
        world,
        " + ".join(models),
        method,
        f"share of {FAMILIES[family]} at which L1 (every model) and L2 hold",
        share,
        None,
        f"= 1 of {', '.join(measured)}; fails where an L1 or L2 fails at one of them",
        every(list(verdicts)),
        " | ".join(told),
        experiments=(family,),
    )


def judge(tables: Tables) -> list[Claim]:
    """L5 for every family, world and method there are records of."""
    claims = []
    for family in FAMILIES:
        frames = settings(tables, family)
        for world, method in worlds_and_methods(
            pl.concat([tables.records.clear(), *frames.values()]), "label_loglik"
        ):
            label = {
                v: curves(frame, world=world, method=method, metric="label_loglik")
                for v, frame in frames.items()
            }
            claims.append(
                _across(family, {v: found for v, found in label.items() if found}, world, method)
            )
    return claims
