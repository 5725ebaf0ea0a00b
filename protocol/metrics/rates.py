"""Growth of the divergence of two runs: rates, extrapolations, and how long these hold.

Time is counted in steps, step 0 before unlearning; rates are per step. The same rates are read in
parameters (ρ_t) and in outputs (r_t): the second needs no weights, so that it works at any size.
Growth over many steps is carried as a logarithm. Source of the output form: in a network the
stages' difference dominates ‖θ_a − θ_b‖ and hides its growth.
"""

from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace
from jaxtyping import Float, Int
from scipy import stats

from protocol.errors import InputError

Array = Any


def secant_rate(delta: Array, update_difference: Array) -> Array:
    """ρ_t = ⟨Δ_t, u_a − u_b⟩/‖Δ_t‖², per step.

    This is the secant Rayleigh quotient of two runs, whatever their optimizers.

    delta: Δ_t = θ_a − θ_b (*points, d) · update_difference: u_a − u_b, the same shape. Returns
    (*points,); nan if Δ_t = 0. Exactly ‖Δ_{t+1}‖² = ‖Δ_t‖²(1 + 2ρ_t) + ‖u_a − u_b‖². For
    gradient ascent on a quadratic it is the Rayleigh quotient of M = (2η/k)X_UᵀX_U at Δ_t, and at
    PΔ₀ the ρ* of Theorem 3.1 (arXiv 2510.16629). Over the array API. Raises InputError if the
    shapes differ.
    """
    if delta.shape != update_difference.shape:
        raise InputError(
            f"update_difference: expected the shape {tuple(delta.shape)} of delta; got "
            f"{tuple(update_difference.shape)}"
        )
    xp = array_namespace(delta, update_difference)
    size = xp.sum(delta * delta, axis=-1)
    # 0/0 by way of nan, so that no warning is raised where two runs are equal
    return xp.sum(delta * update_difference, axis=-1) / xp.where(size > 0, size, xp.nan)


class OutputGrowth(NamedTuple):
    """The divergence of two runs in outputs and what its growth is made of, float64."""

    divergence: Float[np.ndarray, " points"]  # d_t, t = 0..T
    rate: Float[np.ndarray, " steps"]  # r_t, t = 0..T − 1
    movement: Float[np.ndarray, " steps"]  # ‖e_{t+1} − e_t‖²/m


def output_growth(outputs_a: Array, outputs_b: Array) -> OutputGrowth:
    """d_t = ‖e_t‖²/m, r_t = ⟨e_t, e_{t+1} − e_t⟩/‖e_t‖² and the movement ‖e_{t+1} − e_t‖²/m.

    e_t = f_a − f_b is the difference of the outputs at step t. NumPy trajectories (T + 1, m) or (T
    + 1, m, c) of outputs on m inputs, T ≥ 1: predictions, or `centred_logits`. Exactly d_{t+1} =
    d_t(1 + 2r_t) + ‖e_{t+1} − e_t‖²/m. r_t is nan if d_t = 0 or passes float64. One step is
    converted to float64 at a time, so that long trajectories of large outputs may be memory-mapped.
    Raises InputError if the shapes differ or there is no step.
    """
    if outputs_a.shape != outputs_b.shape:
        raise InputError(
            f"outputs_b: expected outputs of shape {outputs_a.shape} like a's; got "
            f"{outputs_b.shape}"
        )
    points, tests = outputs_a.shape[:2]
    if points < 2 or tests == 0:
        raise InputError(
            "outputs_a: expected outputs (T + 1, m, *c) with T ≥ 1 and m > 0; got "
            f"{outputs_a.shape}"
        )
    divergence, product, movement = np.zeros(points), np.zeros(points - 1), np.zeros(points - 1)
    before = _difference(outputs_a, outputs_b, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        divergence[0] = before @ before / tests
        for t in range(points - 1):
            after = _difference(outputs_a, outputs_b, t + 1)
            moved = after - before
            divergence[t + 1] = after @ after / tests
            product[t], movement[t] = before @ moved / tests, moved @ moved / tests
            before = after
        known = (divergence[:-1] > 0) & np.isfinite(divergence[:-1])
        rate = product / np.where(known, divergence[:-1], np.nan)
    return OutputGrowth(divergence, rate, movement)


def _difference(
    outputs_a: Float[np.ndarray, "points m *c"], outputs_b: Float[np.ndarray, "points m *c"], t: int
) -> Float[np.ndarray, " outputs"]:
    """e_t, flat; the difference of float32 outputs is taken in float64."""
    return np.subtract(outputs_a[t], outputs_b[t], dtype=np.float64).ravel()


def output_rate(outputs_a: Array, outputs_b: Array) -> Float[np.ndarray, " steps"]:
    """r_t = ⟨e_t, e_{t+1} − e_t⟩/‖e_t‖² for t = 0..T − 1, per step; see `output_growth`."""
    return output_growth(outputs_a, outputs_b).rate


def growth_by_rate(rate: Float[np.ndarray, "*runs"] | float) -> Float[np.ndarray, "*runs"] | float:
    """log (1 + r)², the growth of log d per step if e_{t+1} = (1 + r)e_t; −∞ at r = −1.

    Never above `growth_by_ratio`: d_1/d_0 = 1 + 2r + ‖e_1 − e_0‖²/‖e_0‖² ≥ (1 + r)² by
    Cauchy–Schwarz.
    """
    with np.errstate(divide="ignore"):
        return np.log1p(rate * (2 + rate))


def growth_by_ratio(log_divergence: Float[np.ndarray, " points"]) -> float:
    """log(d_1/d_0), the growth of log d in the first step."""
    return float(log_divergence[1] - log_divergence[0])


def extrapolate(log_start: float, growth: float, steps: int) -> Float[np.ndarray, " points"]:
    """log d_0 + t · growth for t = 0..steps.

    This is (1 + r_0)^{2t} d_0 or d_0(d_1/d_0)^t as a logarithm, without overflow.
    """
    return log_start + growth * np.arange(steps + 1)


def horizon(
    log_divergence: Float[np.ndarray, " points"],
    log_predicted: Float[np.ndarray, " predicted"],
    *,
    factor: float = 2.0,
) -> int:
    """For how many steps the predicted d stays within a factor of the measured d, either way.

    The largest h with |log d_t − log d̂_t| ≤ log factor for all t ≤ h; T if it holds to the end
    (then a lower bound of the true horizon), 0 if it fails at the first step. Raises InputError
    where the curves differ in length or at step 0, and for factor ≤ 1.
    """
    if log_divergence.shape != log_predicted.shape:
        raise InputError(
            f"log_predicted: expected {log_divergence.size} points; got {log_predicted.size}"
        )
    if not factor > 1:
        raise InputError(f"factor: expected a number > 1; got {factor}")
    with np.errstate(invalid="ignore"):  # ∞ − ∞: what is not a number counts as out
        out = ~(np.abs(log_divergence - log_predicted) <= np.log(factor))
    if out[0]:
        raise InputError(
            f"log_predicted: expected the measured value at step 0, {log_divergence[0]:g}; got "
            f"{log_predicted[0]:g}"
        )
    return int(np.argmax(out)) - 1 if out.any() else out.size - 1


def exponential_span(
    steps: Int[np.ndarray, " points"],
    log_divergence: Float[np.ndarray, " points"],
    *,
    factor: float = 2.0,
) -> int:
    """For how many steps a divergence grows exponentially.

    That long its rate stays within a factor of the first rate.

    The rate between two recorded steps is Δ log d/Δt. The largest recorded step up to which every
    rate lies between g_0/factor and factor·g_0, g_0 the first of them; 0 if g_0 ≤ 0. At most the
    last step (then a lower bound).
    """
    rates = np.diff(log_divergence) / np.diff(steps)
    within = (rates >= rates[0] / factor) & (rates <= rates[0] * factor) & (rates[0] > 0)
    return int(steps[rates.size if within.all() else np.argmin(within)])


class GrowthRate(NamedTuple):
    """Slope of log d per step with its interval; d grows by the factor exp(rate) in one step."""

    rate: float
    low: float
    high: float


def growth_rate(
    divergence: Float[np.ndarray, " points"], *, confidence: float = 0.95
) -> GrowthRate:
    """Least-squares slope of log d_t on t, with the t interval of the slope.

    For gradient ascent on the linear model the slope tends to 2 log(1 + λ_max(M)). The interval
    treats residuals as independent; along one run they are not, so compare runs, not steps, where
    it matters. Raises InputError for fewer than 3 points or where some d_t ≤ 0.
    """
    if divergence.shape[0] < 3 or not np.all(divergence > 0):
        raise InputError(
            "divergence: expected at least 3 points, all > 0, to fit log d against the step"
        )
    fit = stats.linregress(np.arange(divergence.shape[0]), np.log(divergence))
    margin = stats.t.ppf(0.5 + confidence / 2, divergence.shape[0] - 2) * fit.stderr
    return GrowthRate(float(fit.slope), float(fit.slope - margin), float(fit.slope + margin))
