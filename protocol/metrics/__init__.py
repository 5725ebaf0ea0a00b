"""The measures that both sides share: distances, forgetting and utility, growth rates, statistics.

Every function takes NumPy arrays, and the distances take any array of the array API. A module
states the formula, shapes and units of each of its functions.
"""

from protocol.metrics.bootstrap import FEW_SEEDS, bootstrap_interval, mean_interval, mean_intervals
from protocol.metrics.depth import DEEP, depth_score, ends_below, is_deep
from protocol.metrics.distance import (
    centred_logits,
    distance_curve,
    falsified_epsilon,
    half_diameter,
    pairwise_divergence,
    re_distance,
)
from protocol.metrics.forgetting import (
    area_score,
    forget_score,
    math_utility,
    recency,
    tofu_utility,
)
from protocol.metrics.matching import equal_level_differences, fall_from
from protocol.metrics.ranks import RankTest, last_rank_test, position_trend
from protocol.metrics.rates import (
    GrowthRate,
    OutputGrowth,
    exponential_span,
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
    f_test,
    interval_variance,
    median_interval,
    partial_f_test,
    path_f_test,
    path_spread_test,
    rank_correlation,
    summary_f_test,
    t_interval,
)
from protocol.metrics.variance import Components, PathEffect, path_effect, variance_components

__all__ = [
    "DEEP",
    "FEW_SEEDS",
    "Components",
    "FTest",
    "GrowthRate",
    "OutputGrowth",
    "PathEffect",
    "RankTest",
    "SpreadTest",
    "area_score",
    "centred_logits",
    "depth_score",
    "distance_curve",
    "ends_below",
    "equal_level_differences",
    "exact_interval",
    "exponential_span",
    "extrapolate",
    "f_test",
    "fall_from",
    "falsified_epsilon",
    "forget_score",
    "growth_by_rate",
    "growth_by_ratio",
    "growth_rate",
    "half_diameter",
    "horizon",
    "interval_variance",
    "is_deep",
    "last_rank_test",
    "math_utility",
    "mean_interval",
    "mean_intervals",
    "median_interval",
    "bootstrap_interval",
    "output_growth",
    "output_rate",
    "pairwise_divergence",
    "partial_f_test",
    "path_effect",
    "path_f_test",
    "path_spread_test",
    "position_trend",
    "rank_correlation",
    "re_distance",
    "recency",
    "secant_rate",
    "summary_f_test",
    "t_interval",
    "tofu_utility",
    "variance_components",
]
