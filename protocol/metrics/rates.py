"""Growth rate of a divergence along unlearning. Time is counted in steps, rates per step."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from protocol.errors import InputError


class GrowthRate(NamedTuple):
    """Slope of log d per step with its interval; exp(rate) is the growth factor of d in one step."""

    rate: float
    low: float
    high: float


def growth_rate(divergence: Float[np.ndarray, " points"], *, confidence: float = 0.95) -> GrowthRate:
    """Least-squares slope of log d_t on t, with the t interval of the slope.

    For gradient ascent on the linear model the slope tends to 2 log(1 + λ_max(M)). The interval treats residuals as
    independent; along one run they are not, so compare runs, not steps, where it matters.
    Raises InputError for fewer than 3 points or where some d_t ≤ 0.
    """
    if divergence.shape[0] < 3 or not np.all(divergence > 0):
        raise InputError("divergence: expected at least 3 points, all > 0, to fit log d against the step")
    fit = stats.linregress(np.arange(divergence.shape[0]), np.log(divergence))
    margin = stats.t.ppf(0.5 + confidence / 2, divergence.shape[0] - 2) * fit.stderr
    return GrowthRate(float(fit.slope), float(fit.slope - margin), float(fit.slope + margin))
