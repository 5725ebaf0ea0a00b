"""L6e from the positions experiment: is recency there from an equal level on?

p = last starts nearer to saturation than the others. So each path p < last is compared with p =
last where p = last, on its way down, reaches the lower of both starts: what both fall in the next
`AHEAD` steps (label log-likelihood; metrics.equal_level_differences). A seed counts by the mean
over its pairs; seeds in which p = last never falls that far have none. The levels are equal, the
rate of learning need not be: path p is read at step 0, p = last later in its schedule, which is
nearly flat in the embedded preset and errs against recency there. L6e: share of seeds with a
negative mean difference, its exact interval wholly above ½ or below.
"""

import numpy as np

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import MOST_SEEDS, by_interval
from protocol.readings.curves import Curves, curves, positions, worlds_and_methods
from protocol.records import Tables

AHEAD = 5  # steps, a quarter of the paper's runs
NEVER_LOW = "p = last never falls to the level at which another path starts"
NOT_EVERY_STEP = "needs the label at every step"


def _differences(label: list[Curves]) -> list[dict[int, float]]:
    """The pairs of every seed of all models; runs measured at every step only."""
    whole = [curve for curve in label if curve.steps == tuple(range(curve.values.shape[-1]))]
    seeds = [seed for curve in whole for seed in curve.values]
    return [metrics.equal_level_differences(seed, AHEAD) for seed in seeds]


def _level(world: str, method: str, label: list[Curves]) -> Claim:
    statement = STATEMENTS["L6e"].measured(steps=AHEAD)
    model = " + ".join(measured.model for measured in label)
    seeds = _differences(label)
    means = np.array([np.mean(list(pairs.values())) for pairs in seeds if pairs])
    if means.size == 0:
        return statement.not_testable(
            world=world,
            model=model,
            method=method,
            rule=MOST_SEEDS,
            why=NEVER_LOW if seeds else NOT_EVERY_STEP,
        )
    hits = int(np.sum(means < 0))
    interval = metrics.exact_interval(hits, means.size)
    pairs, without = sum(map(len, seeds)), len(seeds) - means.size
    return statement.judged(
        world=world,
        model=model,
        method=method,
        value=hits / means.size,
        interval=interval,
        rule=MOST_SEEDS,
        verdict=by_interval(interval, above=0.5),
        details=[
            f"{hits} of {means.size} seeds, mean difference {means.mean():+.3g} nats",
            f"{pairs} pairs, {without} seeds without",
        ],
    )


def judge(tables: Tables) -> list[Claim]:
    """L6e for every kind of model and method there are records of."""
    records = positions(tables)
    claims = []
    for world, method in worlds_and_methods(records, "label_loglik"):
        label = curves(records, world=world, method=method, metric="label_loglik")
        claims.append(_level(world, method, label))
    return claims
