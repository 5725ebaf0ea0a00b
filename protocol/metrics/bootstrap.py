"""Intervals of a mean over seeds, each of which may have answered the same questions.

Below `FEW_SEEDS` seeds the Student interval of the seeds' means; from there on a bootstrap: seeds
are drawn with replacement, then questions, the same for every drawn seed, as all seeds answer the
same ones. Its percentiles are widened for few seeds (Hesterberg, The American Statistician 69,
2015): α/2 becomes Φ(−√(S/(S − 1)) t_{S−1, 1−α/2}), without which 8 seeds cover 90%.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from protocol.errors import InputError
from protocol.metrics.statistics import t_interval

FEW_SEEDS = 8  # seeds below which a bootstrap covers too little (76% at 3)


def _widened(seeds: int, confidence: float) -> float:
    """The level at which percentiles are taken so that the interval has the width of Student's."""
    quantile = stats.t.ppf(0.5 + confidence / 2, seeds - 1)
    return float(1 - 2 * stats.norm.cdf(-np.sqrt(seeds / (seeds - 1)) * quantile))


def bootstrap_interval(
    values: Float[np.ndarray, " seeds *questions"],
    *,
    confidence: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Bootstrap interval of the mean over seeds (and questions), values (S,) or (S, Q).

    It is that of scipy.stats.bootstrap. Speaks of other seeds and other questions alike. Where what
    a seed does to a question makes the spread, that counts in both draws and the interval is too
    wide, by a factor up to √2 (Owen, Annals of Applied Statistics 1, 2007). Raises InputError for
    other shapes or fewer than 2 seeds.
    """
    if values.ndim not in (1, 2) or values.shape[0] < 2:
        raise InputError(
            f"values: expected (seeds,) or (seeds, questions), at least 2 seeds; got {values.shape}"
        )
    if np.all(values == values[:1]) and values.ndim == 1:
        return float(values[0]), float(values[0])
    rng = np.random.default_rng(seed)

    def mean(drawn: Int[np.ndarray, "*draws seeds"], axis: int) -> Float[np.ndarray, " *draws"]:
        sample = values[drawn]  # (*draws, S) or (*draws, S, Q)
        if values.ndim == 2:
            count = values.shape[1]
            questions = rng.integers(count, size=(*sample.shape[:-2], 1, count))
            sample = np.take_along_axis(sample, questions, axis=-1).mean(axis=-1)
        return sample.mean(axis=axis)

    result = stats.bootstrap(
        (np.arange(values.shape[0]),),
        mean,
        vectorized=True,
        n_resamples=draws,
        batch=100,
        method="percentile",
        confidence_level=_widened(values.shape[0], confidence),
        rng=rng,
    )
    interval = result.confidence_interval
    return float(interval.low), float(interval.high)


def mean_interval(
    values: Float[np.ndarray, " seeds *questions"], *, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of the mean over seeds and questions: Student's t below 8 seeds, else bootstrap."""
    if values.shape[0] >= FEW_SEEDS:
        return bootstrap_interval(values, confidence=confidence)
    return t_interval(values.reshape(values.shape[0], -1).mean(axis=1), confidence=confidence)


def mean_intervals(
    values: Float[np.ndarray, " seeds *points"], *, confidence: float = 0.95
) -> tuple[Float[np.ndarray, " *points"], Float[np.ndarray, " *points"]]:
    """`mean_interval` of the seeds' means at every point of a curve; no questions."""
    flat = values.reshape(values.shape[0], -1)
    if values.shape[0] < FEW_SEEDS:
        low, high = np.apply_along_axis(
            lambda column: t_interval(column, confidence=confidence), 0, flat
        )
    else:
        interval = stats.bootstrap(
            (flat,),
            np.mean,
            axis=0,
            vectorized=True,
            n_resamples=1000,
            batch=20,
            method="percentile",
            confidence_level=_widened(values.shape[0], confidence),
            rng=np.random.default_rng(0),
        ).confidence_interval
        low, high = interval.low, interval.high
    return np.asarray(low).reshape(values.shape[1:]), np.asarray(high).reshape(values.shape[1:])
