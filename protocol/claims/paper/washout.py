"""L6w from experiment "wash-out": do updates of another stage after the forget stage wash recency
out?

The order that ends with the forget stage (0 updates after it), and the same followed by another
stage, stopped after N updates ("math@20") or whole ("math", which counts as the largest N: its
number is not in the name). Kendall's τ between updates and the forget score at the later judged
step in every seed; the share of seeds (of all models) with τ > 0, its exact interval wholly above ½
or below.
"""

import math

import numpy as np
import polars as pl

from protocol import metrics
from protocol.claims.claim import Claim, share_verdict
from protocol.orders import phase
from protocol.readings.scores import Scores, means, scored
from protocol.records import Tables


def updates_after(order: str, position: int) -> float:
    """Updates of the stage after the forget stage; 0 where none follows, ∞ for a whole stage."""
    stages = order.split(">")
    if position == len(stages):
        return 0.0
    stop = phase(stages[position]).stop
    return math.inf if stop is None else float(stop)


def with_updates(runs: pl.DataFrame) -> pl.DataFrame:
    """The runs with updates = how many of another stage followed the forget stage."""
    counted = [
        updates_after(order, position)
        for order, position in runs.select("order", "position").rows()
    ]
    return runs.with_columns(updates=pl.Series(counted, dtype=pl.Float64))


def name_of(updates: float) -> str:
    """A number of updates in words; ∞ is the whole stage."""
    return "whole stage" if math.isinf(updates) else f"{updates:g}"


def _half_change(score: dict[float, float]) -> str:
    """The first number of updates by which at least half of the change to the largest one is
    reached.
    """
    start, end = score[min(score)], score[max(score)]
    if start == end:
        return "no change"
    reached = (
        updates for updates, value in score.items() if (value - start) / (end - start) >= 0.5
    )
    return f"half of the change reached at {name_of(next(reached))}"


def _washed(world: str, method: str, scores: Scores) -> Claim:
    runs = with_updates(scores.runs)
    seeds = runs.group_by("model", "seed", maintain_order=True)
    correlations = np.array(
        [
            metrics.rank_correlation(part["updates"].to_numpy(), part["last"].to_numpy())
            for _, part in seeds
        ]
    )
    hits = int(np.sum(correlations > 0))
    interval = metrics.exact_interval(hits, correlations.size)
    score, start = means(runs, "updates"), means(runs, "updates", "start")
    told = ", ".join(
        f"{name_of(updates)} {score[updates]:.3g} ({start[updates]:.3g})" for updates in score
    )
    return Claim(
        "L6w",
        "Updates of another stage after the forget stage wash the recency out.",
        "control: wash-out",
        world,
        scores.models,
        method,
        f"share of seeds in which the forget score rises with the updates, {scores.steps['last']}",
        hits / correlations.size,
        interval,
        "exact 95% lower bound > 0.5; fails where the upper one is below",
        share_verdict(interval, 0.5),
        f"{hits} of {correlations.size}, mean τ {correlations.mean():.2f}; mean forget score "
        f"(label at the start) by "
        f"updates: {told}; {_half_change(score)}",
    )


def judge(tables: Tables) -> list[Claim]:
    """L6w for every world and method there are records of."""
    return [_washed(world, method, scores) for world, method, scores in scored(tables, "wash-out")]
