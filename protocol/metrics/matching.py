"""Comparisons at equal starts: forgetting from a log-likelihood that another path reached, too.

A path that starts lower has already lost what another still has to lose; so curves are moved along
the step until both are at one level; the falls from there in as many steps are compared.
Curves are log-likelihoods by step.
"""

import numpy as np
from jaxtyping import Float

from protocol.errors import InputError


def crossing(loglik: Float[np.ndarray, " points"], level: float) -> float | None:
    """The first step, linear between steps, at which the curve is at or below `level`.

    It is None if the curve never is.
    """
    below = np.flatnonzero(loglik <= level)
    if below.size == 0:
        return None
    after = int(below[0])
    if after == 0:
        return 0.0
    before = loglik[after - 1]
    return float(after - 1 + (before - level) / (before - loglik[after]))


def fall_from(loglik: Float[np.ndarray, " points"], level: float, ahead: int) -> float | None:
    """How far the curve falls in `ahead` steps after it reached `level`, in nats.

    It is None if the run is too short.

    A curve that starts below the level is not moved to it: None.
    """
    if ahead < 1:
        raise InputError(f"ahead: expected at least 1 step; got {ahead}")
    at = crossing(loglik, level)
    if at is None or loglik[0] < level or at + ahead > loglik.size - 1:
        return None
    return level - float(np.interp(at + ahead, np.arange(loglik.size), loglik))


def equal_level_differences(
    loglik: Float[np.ndarray, "paths points"], ahead: int
) -> dict[int, float]:
    """For each path p < P (1-based): the fall of p = P minus that of path p in `ahead` steps.

    Both start from their common level. The level is the lower of both starts. Negative: p = last
    falls more slowly even from there. Paths whose pair has no such stretch, as where p = last never
    falls to the start of the other, are left out.
    """
    last, differences = loglik[-1], {}
    for p, path in enumerate(loglik[:-1], start=1):
        level = float(min(path[0], last[0]))
        falls = fall_from(last, level, ahead), fall_from(path, level, ahead)
        if falls[0] is not None and falls[1] is not None:
            differences[p] = falls[0] - falls[1]
    return differences
