"""L5 from experiments FAMILY/VALUE: do L1 and L2 hold across rates, schedules and optimizers?

Every VALUE of a family ("learning-rates/2e-05", "schedules/cosine", "optimizers/sgd") is a
positions experiment of its own, judged by the rules of L1 and L2. The claim holds if L1 of every
model and L2 hold at every value, and fails if one of them fails at some value. A learning rate at
which nothing is forgotten is a value like any other. If L1 is testable at no value there is no
share.
"""

import polars as pl

from protocol.claims.claim import Claim
from protocol.claims.paper import paths
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import every
from protocol.readings.curves import Curves, curves, settings, worlds_and_methods
from protocol.readings.ranks import last_rank, slowest
from protocol.records import Tables

FAMILIES = {
    "learning-rates": "learning rates",
    "schedules": "schedules",
    "optimizers": "optimizers",
    "seeds": "numbers of seeds",
}


def _f_of(divergence: Claim) -> str:
    """L1 of one model in words: "tiny-llama 12.3 holds"."""
    statistic = "–" if divergence.value is None else f"{divergence.value:.3g}"
    return f"{divergence.model} {statistic} {divergence.verdict}"


def _at(value: str, world: str, method: str, label: list[Curves]) -> tuple[str, str]:
    """The verdict at one value and its numbers in words."""
    divergences = [paths.divergence(world, method, measured) for measured in label]
    recency = paths.recency(world, method, label, [])
    statistics = ", ".join(_f_of(divergence) for divergence in divergences)
    readings = slowest(label).items()
    counts = ", ".join(f"{name} {hits} of {seeds}" for name, (hits, seeds) in readings)
    ranks = ", ".join(f"{measured.model} {last_rank(measured):.3g}" for measured in label)
    verdict = every([recency.verdict, *(divergence.verdict for divergence in divergences)])
    words = (
        f"{value}: F {statistics}; p = last slowest at {counts}, rank {ranks}: {recency.verdict}"
    )
    return verdict, words


def _across(family: str, measured: dict[str, list[Curves]], world: str, method: str) -> Claim:
    results = [_at(value, world, method, label) for value, label in measured.items()]
    verdicts = [verdict for verdict, _ in results]
    testable = set(verdicts) != {"not testable"}
    models = {curve.model for label in measured.values() for curve in label}
    statement = STATEMENTS["L5"].measured(settings=FAMILIES[family])
    return statement.judged(
        world=world,
        model=" + ".join(sorted(models)),
        method=method,
        value=verdicts.count("holds") / len(verdicts) if testable else None,
        rule=f"= 1 of {', '.join(measured)}; fails if an L1 or L2 fails at one of them",
        verdict=every(verdicts),
        details=[" | ".join(words for _, words in results)],
        experiments=(family,),
    )


def _label_curves(
    frames: dict[str, pl.DataFrame], world: str, method: str
) -> dict[str, list[Curves]]:
    """VALUE -> curves of the label; values without any are left out."""
    measured = {}
    for value, frame in frames.items():
        label = curves(frame, world=world, method=method, metric="label_loglik")
        if label:
            measured[value] = label
    return measured


def judge(tables: Tables) -> list[Claim]:
    """L5 for every family, world and method there are records of."""
    claims = []
    for family in FAMILIES:
        frames = settings(tables, family)
        together = pl.concat([tables.records.clear(), *frames.values()])
        for world, method in worlds_and_methods(together, "label_loglik"):
            measured = _label_curves(frames, world, method)
            claims.append(_across(family, measured, world, method))
    return claims
