"""L4 from experiment "depth": is the depth of forgetting decided by the order?

An order is deep or superficial where the 95% t interval of its depth score over seeds lies wholly
on one side of 0.75. The claim holds if orders differ by more than seeds do (F test) and orders of
both classes occur; it fails if all orders are of one class; else it is inconclusive. A single seed
is not testable: then the detail has the classes by its scores alone. Metrics:
theory/experiments/depth.py.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.readings.curves import PAPER_METHODS
from protocol.records import Tables

START = 5.0  # nats: C, U, R farther apart than this at step 0 are not on an equal footing
PUBLISHED_DEEP = (
    "U>C>R",
    "U>R>C",
)  # θ3, θ4 of arXiv 2510.16629, Figure 4; the other four orders superficial


class Depth(NamedTuple):
    """One model under one method; log π of the answers by seed, order and step."""

    world: str
    model: str
    method: str
    orders: tuple[str, ...]  # by name
    C: Float[np.ndarray, "seeds orders points"]
    U: Float[np.ndarray, "seeds orders points"]
    R: Float[np.ndarray, "seeds orders points"]

    @property
    def scores(self) -> Float[np.ndarray, "seeds orders"]:
        """Depth scores at the last step."""
        return metrics.depth_score(self.C, self.U)

    @property
    def unequal(self) -> list[str]:
        """Orders whose answers start farther apart than `START` under some seed."""
        start = np.stack([self.C[..., 0], self.U[..., 0], self.R[..., 0]])
        far = np.any(np.ptp(start, axis=0) > START, axis=0)
        return [order for order, unequal in zip(self.orders, far, strict=True) if unequal]

    def classes(self) -> list[str]:
        """deep, superficial or undecided, by order."""
        found = []
        for low, high in (metrics.t_interval(scores) for scores in self.scores.T):
            found.append(
                "deep"
                if low >= metrics.DEEP
                else "superficial"
                if high < metrics.DEEP
                else "undecided"
            )
        return found


def _rank(method: str) -> int:
    return PAPER_METHODS.index(method) if method in PAPER_METHODS else len(PAPER_METHODS)


def depths(tables: Tables) -> list[Depth]:
    """Every model and method there are records of, methods in the paper's order."""
    records = tables.records.filter((pl.col("experiment") == "depth") & (pl.col("position") > 0))
    keys = records.select("world", "model", "method").unique().iter_rows()
    found = []
    for world, model, method in sorted(keys, key=lambda key: (key[:2], _rank(key[2]))):
        chosen = records.filter(world=world, model=model, method=method).sort(
            "seed", "order", "step"
        )
        orders = tuple(chosen["order"].unique().sort())
        shape = (chosen["seed"].n_unique(), len(orders), -1)
        C, U, R = (
            chosen.filter(metric=f"answer_loglik/{a}")["value"].to_numpy().reshape(shape)
            for a in "CUR"
        )
        found.append(Depth(world, model, method, orders, C, U, R))
    return found


def _told(depth: Depth, classes: list[str]) -> str:
    """Scores and classes by order, and what they are held against."""
    seeds = depth.scores.shape[0]
    means = zip(depth.orders, depth.scores.mean(axis=0), classes, strict=True)
    published = ["deep" if order in PUBLISHED_DEEP else "superficial" for order in depth.orders]
    agree = sum(ours == theirs for ours, theirs in zip(classes, published, strict=True))
    below = np.mean(metrics.ends_below(depth.C, depth.U, depth.R), axis=0)
    return (
        f"depth score, {'mean over seeds' if seeds > 1 else 'one run'}: "
        + ", ".join(f"{order} {mean:.2f} ({kind})" for order, mean, kind in means)
        + f"; {agree} of {len(classes)} classes as published; the caption's rule calls {np.sum(below > 0.5)} deep; "
        + f"answers start within {START:g} nats"
        + (f", not in {', '.join(depth.unequal)}" if depth.unequal else "")
    )


def _judged(depth: Depth) -> Claim:
    head = (
        "L4", "How deep forgetting goes depends on the path.", "Section 4, Figure 4", depth.world, depth.model,
        depth.method, "F = between-order over within-order (seed) variance of the depth score",
    )  # fmt: skip
    rule = "F above its 95% quantile, and orders on both sides of 0.75 by their 95% t intervals"
    if depth.scores.shape[0] < 2:
        alone = ["deep" if deep else "superficial" for deep in metrics.is_deep(depth.scores[0])]
        told = f"needs at least 2 seeds; 1 was run: {_told(depth, alone)}"
        return Claim(*head, None, None, rule, "not testable", told)
    test, classes = metrics.path_f_test(depth.scores), depth.classes()
    both = {"deep", "superficial"} <= set(classes)
    one = len(set(classes)) == 1 and "undecided" not in classes
    verdict = (
        "holds" if both and test.statistic > test.threshold else "fails" if one else "inconclusive"
    )
    detail = f"{_told(depth, classes)}; {depth.scores.shape[0]} seeds"
    return Claim(*head, test.statistic, None, rule, verdict, detail, test.p_value)


def judge(tables: Tables) -> list[Claim]:
    """L4 for every world, model and method there are records of."""
    return [_judged(depth) for depth in depths(tables)]
