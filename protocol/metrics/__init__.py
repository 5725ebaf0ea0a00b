"""The measures both worlds share: distance between models, forgetting and utility, growth rates, statistics."""

from protocol.metrics.distance import half_diameter, pairwise_divergence, re_distance
from protocol.metrics.forgetting import area_score, forget_score, math_utility, recency, tofu_utility
from protocol.metrics.rates import GrowthRate, growth_rate
from protocol.metrics.statistics import (
    FTest,
    SpreadTest,
    exact_interval,
    path_f_test,
    path_spread_test,
    t_interval,
)

__all__ = [
    "FTest",
    "GrowthRate",
    "SpreadTest",
    "area_score",
    "exact_interval",
    "forget_score",
    "growth_rate",
    "half_diameter",
    "math_utility",
    "pairwise_divergence",
    "path_f_test",
    "path_spread_test",
    "re_distance",
    "recency",
    "t_interval",
    "tofu_utility",
]
