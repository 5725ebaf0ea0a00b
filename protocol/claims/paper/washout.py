"""L6w from experiment "wash-out": do updates of another stage reduce recency?

The order that ends with the forget stage (0 updates after it), and the same followed by another
stage, stopped after N updates ("math@20") or whole ("math", which counts as the largest N: its
number is not in the name). Kendall's τ between updates and the forget score at the later judged
step in every seed; the share of seeds (of all models) with τ > 0, its exact interval wholly above ½
or below.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import MOST_SEEDS, by_interval
from protocol.readings.later_stages import name_of, with_updates
from protocol.readings.scores import Scores, means, scored
from protocol.records import Tables


def _half_change(score: dict[float, float]) -> str:
    """The first number of updates that reaches half of the change, in words."""
    start, end = score[min(score)], score[max(score)]
    if start == end:
        return "no change"
    shares = {updates: (value - start) / (end - start) for updates, value in score.items()}
    first = next(updates for updates, share in shares.items() if share >= 0.5)
    return f"half of the change reached at {name_of(first)}"


def _correlations(runs: pl.DataFrame) -> Float[np.ndarray, " seeds"]:
    """Kendall's τ between updates and the forget score in every seed of all models."""
    return np.array(
        [
            metrics.rank_correlation(part["updates"].to_numpy(), part["last"].to_numpy())
            for _, part in runs.group_by("model", "seed", maintain_order=True)
        ]
    )


def _washed(world: str, method: str, scores: Scores) -> Claim:
    runs = with_updates(scores.runs)
    correlations = _correlations(runs)
    hits, seeds = int(np.sum(correlations > 0)), correlations.size
    interval = metrics.exact_interval(hits, seeds)
    score, start = means(runs, "updates"), means(runs, "updates", "start")
    by_updates = ", ".join(f"{name_of(n)} {score[n]:.3g} ({start[n]:.3g})" for n in score)
    statement = STATEMENTS["L6w"].measured(step=scores.steps["last"])
    return statement.judged(
        world=world,
        model=scores.models,
        method=method,
        value=hits / seeds,
        interval=interval,
        rule=MOST_SEEDS,
        verdict=by_interval(interval, above=0.5),
        details=[
            f"{hits} of {seeds}, mean τ {correlations.mean():.2f}",
            f"mean forget score (label at the start) by updates: {by_updates}",
            _half_change(score),
        ],
    )


def judge(tables: Tables) -> list[Claim]:
    """L6w for every kind of model and method there are records of."""
    return [_washed(world, method, scores) for world, method, scores in scored(tables, "wash-out")]
