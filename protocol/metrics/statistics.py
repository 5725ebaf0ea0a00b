"""Intervals and tests of the claims: for counts, means and path effects.

Exact for counts, Student's t for means, F and permutation for path effects. Below 8 seeds intervals
are t or exact (the percentile bootstrap covers 76% at 3 seeds).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Real
from scipy import stats

from protocol.errors import InputError


def exact_interval(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper–Pearson bounds of a probability, each one-sided at `confidence`.

    low = BetaInv(1 − confidence; s, n − s + 1), high = BetaInv(confidence; s + 1, n − s); 0 and 1
    at the ends.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise InputError(
            f"successes: expected 0 to trials ({trials}), trials at least 1; got {successes}"
        )
    low = (
        0.0
        if successes == 0
        else float(stats.beta.ppf(1 - confidence, successes, trials - successes + 1))
    )
    high = (
        1.0
        if successes == trials
        else float(stats.beta.ppf(confidence, successes + 1, trials - successes))
    )
    return low, high


def t_interval(values: Float[np.ndarray, " n"], *, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided Student interval of the mean; (−∞, ∞) for a single value."""
    if values.shape[0] < 2:
        return -np.inf, np.inf
    margin = stats.t.ppf(0.5 + confidence / 2, values.shape[0] - 1) * stats.sem(values)
    return float(values.mean() - margin), float(values.mean() + margin)


def median_interval(
    values: Float[np.ndarray, " n"], *, confidence: float = 0.95
) -> tuple[float, float]:
    """Bounds of the median by order statistics, one-sided at `confidence`, for any distribution.

    x_(j) and x_(n+1−j) with the largest j such that P(Bin(n, ½) < j) ≤ 1 − confidence; (−∞, ∞)
    below 5 values at 95%.
    """
    n = values.shape[0]
    j = int(stats.binom.ppf(1 - confidence, n, 0.5))
    ordered = np.sort(values)
    return (-np.inf, np.inf) if j == 0 else (float(ordered[j - 1]), float(ordered[n - j]))


def rank_correlation(x: Real[np.ndarray, " n"], y: Real[np.ndarray, " n"]) -> float:
    """Kendall's τ-b in [−1, 1]; 0 if one of them does not vary.

    Values may be infinite: only their order counts.
    """
    constant = np.ptp(stats.rankdata(x)) == 0 or np.ptp(stats.rankdata(y)) == 0
    return (
        0.0 if constant else float(stats.kendalltau(stats.rankdata(x), stats.rankdata(y)).statistic)
    )


class FTest(NamedTuple):
    """A mean square held against another: analysis of variance."""

    statistic: float  # between over within
    threshold: float  # 95% quantile of F, for P paths and S seeds of F(P − 1, P(S − 1))
    p_value: float
    between: float  # mean square between paths, or of what a model adds
    within: float  # mean square over seeds within a path, or of what the model leaves


def f_test(
    between: float, within: float, degrees: tuple[int, int], *, confidence: float = 0.95
) -> FTest:
    """F = between/within against F with these degrees of freedom.

    F is ∞ if within = 0 < between, 0 if both are 0.
    """
    statistic = float(between / within) if within > 0 else float("inf") if between > 0 else 0.0
    threshold, p_value = stats.f.ppf(confidence, *degrees), stats.f.sf(statistic, *degrees)
    return FTest(statistic, float(threshold), float(p_value), float(between), float(within))


def path_f_test(values: Float[np.ndarray, "seeds paths"], *, confidence: float = 0.95) -> FTest:
    """Between-path against within-path (seed) variance, F = MS_between / MS_within.

    Raises InputError for a single seed: then there is no within-path variance to hold the paths
    against.
    """
    seeds, paths = values.shape
    if seeds < 2 or paths < 2:
        raise InputError(
            f"values: expected at least 2 seeds and 2 paths; got {seeds} seeds, {paths} paths"
        )
    return summary_f_test(
        values.mean(axis=0), values.var(axis=0, ddof=1), seeds, confidence=confidence
    )


def summary_f_test(
    means: Float[np.ndarray, " paths"],
    variances: Float[np.ndarray, " paths"],
    seeds: int,
    *,
    confidence: float = 0.95,
) -> FTest:
    """`path_f_test` from the mean and the variance of each of P paths over S seeds.

    F = S · Var(means) / Mean(variances) against F(P − 1, P(S − 1)). Raises InputError for a single
    seed.
    """
    if seeds < 2:
        raise InputError(f"seeds: expected at least 2 behind every mean; got {seeds}")
    between, within = seeds * np.var(means, ddof=1), np.mean(variances)
    return f_test(
        float(between),
        float(within),
        (means.size - 1, means.size * (seeds - 1)),
        confidence=confidence,
    )


def interval_variance(
    half_width: Float[np.ndarray, "*shape"],
    seeds: int,
    *,
    confidence: float = 0.95,
    normal: bool = False,
) -> Float[np.ndarray, "*shape"]:
    """Variance over S seeds behind the half-width h of an interval of their mean: S (h/q)².

    q: the two-sided quantile of Student's t with S − 1 degrees of freedom, or of the normal
    distribution. Raises InputError for a single seed.
    """
    if seeds < 2:
        raise InputError(f"seeds: expected at least 2 behind an interval; got {seeds}")
    upper = 0.5 + confidence / 2
    quantile = stats.norm.ppf(upper) if normal else stats.t.ppf(upper, seeds - 1)
    return seeds * (half_width / quantile) ** 2


def partial_f_test(
    values: Float[np.ndarray, " n"],
    known: Float[np.ndarray, "n k"],
    added: Float[np.ndarray, "n a"],
    *,
    confidence: float = 0.95,
) -> FTest:
    """Do the columns `added` explain more of `values` than the columns `known` do?

    By least squares, with q columns of rank more. F = (RSS_known − RSS_both)/q over RSS_both/(n −
    rank), both = known and added. Columns may depend on each other. Raises InputError if `added`
    adds no rank or no degree of freedom is left.
    """
    both = np.hstack([known, added])
    rank = int(np.linalg.matrix_rank(both))
    extra, left = rank - int(np.linalg.matrix_rank(known)), values.size - rank
    if extra < 1 or left < 1:
        raise InputError(
            f"added: expected rank beside known's and rows to spare; got {extra} more and {left} "
            "left"
        )
    before, after = (
        float(np.sum((values - design @ np.linalg.lstsq(design, values)[0]) ** 2))
        for design in (known, both)
    )
    return f_test(
        max(before - after, 0.0) / extra, after / left, (extra, left), confidence=confidence
    )


class SpreadTest(NamedTuple):
    """max − min over paths of the mean, and the quantile of its null."""

    spread: float
    threshold: float
    p_value: float


def path_spread_test(
    values: Float[np.ndarray, "units paths"],
    *,
    confidence: float = 0.95,
    draws: int = 4000,
    seed: int = 0,
) -> SpreadTest:
    """Permutation test of max_p − min_p of the mean over units: does the path make a difference?

    A unit is what the paths have in common (one question under one seed; one instance): under the
    null its values may be exchanged between the paths. p_value = (1 + #{null ≥ observed}) / (1 +
    draws).
    """
    if not np.all(np.isfinite(values)):
        others = int(np.sum(~np.isfinite(values)))
        raise InputError(
            f"values: expected a finite number for every unit and path; got {others} that are not"
        )
    rng = np.random.default_rng(seed)
    observed = float(np.ptp(values.mean(axis=0)))
    null = np.array([np.ptp(rng.permuted(values, axis=1).mean(axis=0)) for _ in range(draws)])
    tolerance = 1e-12 * max(1.0, abs(observed))
    p_value = (1 + np.sum(null >= observed - tolerance)) / (1 + draws)
    return SpreadTest(observed, float(np.quantile(null, confidence)), float(p_value))
