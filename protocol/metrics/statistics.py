"""Intervals and tests behind the claims: exact for counts, t for means, F and permutation for path effects.

Below 8 seeds intervals are t or exact (the percentile bootstrap covers 76% at 3 seeds).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from protocol.errors import InputError


def exact_interval(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper–Pearson bounds of a probability, each one-sided at `confidence`.

    low = BetaInv(1 − confidence; s, n − s + 1), high = BetaInv(confidence; s + 1, n − s); 0 and 1 at the ends.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise InputError(f"successes: expected 0 to trials ({trials}), trials at least 1; got {successes}")
    low = 0.0 if successes == 0 else float(stats.beta.ppf(1 - confidence, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(stats.beta.ppf(confidence, successes + 1, trials - successes))
    return low, high


def t_interval(values: Float[np.ndarray, " n"], *, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided Student interval of the mean; (−∞, ∞) for a single value."""
    if values.shape[0] < 2:
        return -np.inf, np.inf
    margin = stats.t.ppf(0.5 + confidence / 2, values.shape[0] - 1) * stats.sem(values)
    return float(values.mean() - margin), float(values.mean() + margin)


def median_interval(values: Float[np.ndarray, " n"], *, confidence: float = 0.95) -> tuple[float, float]:
    """Bounds of the median from order statistics, each one-sided at `confidence`, for any distribution.

    x_(j) and x_(n+1−j) with the largest j such that P(Bin(n, ½) < j) ≤ 1 − confidence; (−∞, ∞) below 5 values at 95%.
    """
    n = values.shape[0]
    j = int(stats.binom.ppf(1 - confidence, n, 0.5))
    ordered = np.sort(values)
    return (-np.inf, np.inf) if j == 0 else (float(ordered[j - 1]), float(ordered[n - j]))


class FTest(NamedTuple):
    """One-way analysis of variance over paths."""

    statistic: float  # between-path over within-path mean square
    threshold: float  # 95% quantile of F(P − 1, P(S − 1))
    p_value: float
    between: float  # mean square between paths
    within: float  # mean square over seeds within a path


def path_f_test(values: Float[np.ndarray, "seeds paths"], *, confidence: float = 0.95) -> FTest:
    """Between-path against within-path (seed) variance, F = MS_between / MS_within.

    Raises InputError for a single seed: then there is no within-path variance to hold the paths against.
    """
    seeds, paths = values.shape
    if seeds < 2 or paths < 2:
        raise InputError(f"values: expected at least 2 seeds and 2 paths; got {seeds} seeds, {paths} paths")
    between = seeds * np.var(values.mean(axis=0), ddof=1)
    within = np.mean(np.var(values, axis=0, ddof=1))
    statistic = float(between / within) if within > 0 else float("inf") if between > 0 else 0.0
    degrees = (paths - 1, paths * (seeds - 1))
    threshold, p_value = stats.f.ppf(confidence, *degrees), stats.f.sf(statistic, *degrees)
    return FTest(statistic, float(threshold), float(p_value), float(between), float(within))


class SpreadTest(NamedTuple):
    """max − min over paths of the mean, and the quantile of its null."""

    spread: float
    threshold: float
    p_value: float


def path_spread_test(
    values: Float[np.ndarray, "units paths"], *, confidence: float = 0.95, draws: int = 4000, seed: int = 0
) -> SpreadTest:
    """Permutation test of max_p − min_p of the mean over units, against "the path makes no difference".

    A unit is what the paths have in common (one question under one seed; one instance): under the null its values may
    be exchanged between the paths. p_value = (1 + #{null ≥ observed}) / (1 + draws).
    """
    rng = np.random.default_rng(seed)
    observed = float(np.ptp(values.mean(axis=0)))
    null = np.array([np.ptp(rng.permuted(values, axis=1).mean(axis=0)) for _ in range(draws)])
    tolerance = 1e-12 * max(1.0, abs(observed))
    p_value = (1 + np.sum(null >= observed - tolerance)) / (1 + draws)
    return SpreadTest(observed, float(np.quantile(null, confidence)), float(p_value))
