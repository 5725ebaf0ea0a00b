"""L4 from experiment "depth": is the depth of forgetting decided by the order?

An order is deep or superficial if the 95% t interval of its depth score over seeds lies wholly on
one side of 0.75. The claim holds if orders differ by more than seeds do (F test) and orders of both
classes occur; it fails if all orders are of one class; else it is inconclusive. A single seed is
not testable: then the detail has the classes by its scores alone.
"""

import numpy as np

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.readings.depth import PUBLISHED_DEEP, START, Depth, depths
from protocol.records import Tables

RULE = "F above its 95% quantile, and orders on both sides of 0.75 by their 95% t intervals"


def _by_order(depth: Depth, classes: list[str]) -> list[str]:
    """Scores and classes by order, the published classes, and starts that are too far apart."""
    means = zip(depth.orders, depth.scores.mean(axis=0), classes, strict=True)
    scores = ", ".join(f"{order} {mean:.2f} ({kind})" for order, mean, kind in means)
    published = ["deep" if order in PUBLISHED_DEEP else "superficial" for order in depth.orders]
    agree = sum(ours == theirs for ours, theirs in zip(classes, published, strict=True))
    below = np.mean(metrics.ends_below(depth.C, depth.U, depth.R), axis=0)
    unequal = f", not in {', '.join(depth.unequal)}" if depth.unequal else ""
    return [
        f"depth score, {'mean over seeds' if depth.seeds > 1 else 'one run'}: {scores}",
        f"{agree} of {len(classes)} classes as published",
        f"the caption's rule calls {np.sum(below > 0.5)} deep",
        f"answers start within {START:g} nats{unequal}",
    ]


def _verdict(test: metrics.FTest, classes: list[str]) -> str:
    both = {"deep", "superficial"} <= set(classes)
    if both and test.statistic > test.threshold:
        return "holds"
    one_class = len(set(classes)) == 1 and "undecided" not in classes
    return "fails" if one_class else "inconclusive"


def _judged(depth: Depth) -> Claim:
    if depth.seeds < 2:
        alone = ["deep" if deep else "superficial" for deep in metrics.is_deep(depth.scores[0])]
        numbers = "; ".join(_by_order(depth, alone))
        return STATEMENTS["L4"].not_testable(
            world=depth.world,
            model=depth.model,
            method=depth.method,
            rule=RULE,
            why=f"needs at least 2 seeds; 1 was run: {numbers}",
        )
    test, classes = metrics.path_f_test(depth.scores), depth.classes()
    return STATEMENTS["L4"].judged(
        world=depth.world,
        model=depth.model,
        method=depth.method,
        value=test.statistic,
        rule=RULE,
        verdict=_verdict(test, classes),
        details=[*_by_order(depth, classes), f"{depth.seeds} seeds"],
        p_value=test.p_value,
    )


def judge(tables: Tables) -> list[Claim]:
    """L4 for every model and method there are records of."""
    return [_judged(depth) for depth in depths(tables)]
