"""L6e from the positions experiment: from an equal level on, is what was learned last still
forgotten slower?

p = last starts nearer to saturation than the others. So each path p < last is met where p = last,
on its way down, stands at the lower of both starts, and what both fall in the next `AHEAD` steps is
compared (label log-likelihood; metrics.equal_level_differences). A seed counts by the mean over its
pairs; seeds in which p = last never falls that far have none. The levels are equal, the rate of
learning need not be: path p is met at step 0, p = last later in its schedule, which is nearly flat
in the embedded preset and errs against recency there. L6e: share of seeds with a negative mean
difference, its exact interval wholly above ½ or below.
"""

import numpy as np

from protocol import metrics
from protocol.claims.claim import Claim, share_verdict
from protocol.readings.curves import Curves, curves, positions, worlds_and_methods
from protocol.records import Tables

AHEAD = 5  # steps, a quarter of the paper's runs


def _differences(label: list[Curves]) -> list[dict[int, float]]:
    """The pairs of every seed of all models; runs measured at every step only."""
    whole = [one for one in label if one.steps == tuple(range(one.values.shape[-1]))]
    return [metrics.equal_level_differences(seed, AHEAD) for one in whole for seed in one.values]


def _level(world: str, method: str, label: list[Curves]) -> Claim:
    head = (
        "L6e",
        "From an equal level on, the forget set learned last is still forgotten slower.",
        "control: equal forget level",
        world,
        " + ".join(one.model for one in label),
        method,
        f"share of seeds in which p = last falls less in {AHEAD} steps from the level another "
        f"path starts at",
    )
    rule = "exact 95% lower bound > 0.5; fails where the upper one is below"
    seeds = _differences(label)
    means = np.array([np.mean(list(pairs.values())) for pairs in seeds if pairs])
    if means.size == 0:
        missing = (
            "p = last never falls to where another path starts"
            if seeds
            else "needs the label at every step"
        )
        return Claim(*head, None, None, rule, "not testable", missing)
    hits = int(np.sum(means < 0))
    interval = metrics.exact_interval(hits, means.size)
    return Claim(
        *head,
        hits / means.size,
        interval,
        rule,
        share_verdict(interval, 0.5),
        f"{hits} of {means.size} seeds, mean difference {means.mean():+.3g} nats; "
        f"{sum(map(len, seeds))} pairs, "
        f"{len(seeds) - means.size} seeds without",
    )


def judge(tables: Tables) -> list[Claim]:
    """L6e for every world and method there are records of."""
    records = positions(tables)
    return [
        _level(world, method, curves(records, world=world, method=method, metric="label_loglik"))
        for world, method in worlds_and_methods(records, "label_loglik")
    ]
