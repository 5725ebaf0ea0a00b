"""Rank tests of recency: the rank of p = last among the paths, and the trend with the position.

Forget scores (seeds, paths), p = 1..P in order. Under "the path makes no difference" every ranking
of a seed's paths is equally likely and seeds are independent; both tests are exact under that null
but for the approximation named.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from protocol.errors import InputError
from protocol.metrics.forgetting import recency


class RankTest(NamedTuple):
    """A rank statistic and the probability of one at least as extreme under the null."""

    statistic: float
    p_value: float


def last_rank_test(scores: Float[np.ndarray, "seeds paths"]) -> RankTest:
    """Mean rank of p = last by forget score (1 = slowest), and P(mean rank ≤ observed).

    Without an effect, the mean rank is (P + 1)/2.

    Exact: the sum of S independent ranks, each uniform on 1..P. Ties count against recency.
    """
    ranks = recency(scores)
    uniform = np.full(scores.shape[1], 1 / scores.shape[1])
    sums = np.ones(1)  # distribution of the sum of ranks, from the smallest sum S on
    for _ in ranks:
        sums = np.convolve(sums, uniform)
    return RankTest(
        float(ranks.mean()), float(min(1.0, sums[: int(ranks.sum()) - ranks.size + 1].sum()))
    )


def position_trend(scores: Float[np.ndarray, "seeds paths"]) -> RankTest:
    """Page's L against "forgetting falls with the position of the forget set".

    L = Σ_p (P + 1 − p) Σ_seeds rank. Through scipy.stats.page_trend_test (exact for small samples).
    Raises InputError for fewer than 3 paths or 2 seeds.
    """
    seeds, paths = scores.shape
    if seeds < 2 or paths < 3:
        raise InputError(
            f"scores: expected at least 2 seeds and 3 paths; got {seeds} seeds, {paths} paths"
        )
    trend = stats.page_trend_test(scores, predicted_ranks=np.arange(paths, 0, -1))
    return RankTest(float(trend.statistic), float(trend.pvalue))
