"""The measures both worlds share: distance between models, forgetting and utility, growth rates, statistics."""

from protocol.metrics.depth import DEEP, depth_score, ends_below, is_deep
from protocol.metrics.distance import (
    centred_logits,
    distance_curve,
    falsified_epsilon,
    half_diameter,
    pairwise_divergence,
    re_distance,
)
from protocol.metrics.forgetting import area_score, forget_score, math_utility, recency, tofu_utility
from protocol.metrics.rates import (
    GrowthRate,
    OutputGrowth,
    extrapolate,
    growth_by_rate,
    growth_by_ratio,
    growth_rate,
    horizon,
    output_growth,
    output_rate,
    secant_rate,
)
from protocol.metrics.statistics import (
    FTest,
    SpreadTest,
    exact_interval,
    median_interval,
    path_f_test,
    path_spread_test,
    t_interval,
)

__all__ = [
    "DEEP",
    "FTest",
    "GrowthRate",
    "OutputGrowth",
    "SpreadTest",
    "area_score",
    "centred_logits",
    "depth_score",
    "distance_curve",
    "ends_below",
    "exact_interval",
    "extrapolate",
    "falsified_epsilon",
    "forget_score",
    "growth_by_rate",
    "growth_by_ratio",
    "growth_rate",
    "half_diameter",
    "horizon",
    "is_deep",
    "math_utility",
    "median_interval",
    "output_growth",
    "output_rate",
    "pairwise_divergence",
    "path_f_test",
    "path_spread_test",
    "re_distance",
    "recency",
    "secant_rate",
    "t_interval",
    "tofu_utility",
]
