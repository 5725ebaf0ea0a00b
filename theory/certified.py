"""Certified unlearning against the divergence of two paths: when noise no longer hides it.

Add N(0, s²I) to both outcomes of two orders with one retained order. If both were (ε, δ)-close to
one distribution (of retraining), they would be (2ε, (1 + e^ε)δ)-close to each other, in both
directions. The hockey-stick divergence of two Gaussians of covariance s²I whose means lie D apart
is Φ(D/2s − ε/(D/s)) − e^ε Φ(−D/2s − ε/(D/s)), which grows with D/s from 0 to 1: so (ε, δ) is
violated from one critical ratio D/s on. Under gradient ascent D = ‖Δ_t‖ never falls, ‖Δ_t‖² = Σ_j
(1 + 2ηλ_j/k)^{2t} a_j² + ‖(I − P)Δ₀‖² with a = VᵀΔ₀; logarithms are carried. Time is counted in
steps. Source: Balle & Wang, arXiv 1805.06530, Theorem 8, for the Gaussians; arXiv 2510.16629, Lemma
3.2, for Δ_t.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float
from scipy import optimize, special

from protocol.errors import InputError
from theory import checks, kernels, retain
from theory.kernels import Scalar
from theory.numerics import float64

FARTHEST = 2.0**50  # steps; whole numbers are exact in float64 up to 2⁵³


def log_hockey_stick(x: Float[np.ndarray, "*n"] | float, epsilon: float) -> Float[np.ndarray, "*n"]:
    """log of the divergence at ε ≥ 0 of Gaussians x = D/s > 0 apart.

    With a = ε/x − x/2, b = ε/x + x/2 it is Φ(−a) − e^ε Φ(−b), and b² − a² = 2ε: so for a ≥ 0 it is
    ½e^{−a²/2}[erfcx(a/√2) − erfcx(b/√2)], where nothing over- or underflows; else ½[erf(−a/√2) +
    erf(b/√2)] − (e^ε − 1)Φ(−b), where for small ε and x nothing cancels.
    """
    x = np.asarray(x, np.float64)
    a, b = epsilon / x - x / 2, epsilon / x + x / 2
    root = math.sqrt(2)
    tail = special.erfcx(b / root)
    with np.errstate(divide="ignore"):
        far = np.log((special.erfcx(np.maximum(a, 0) / root) - tail) / 2) - a**2 / 2
        if epsilon < 1:
            rest = np.expm1(epsilon) * special.ndtr(-b)
        else:  # e^ε alone would overflow
            rest = np.exp(-(a**2) / 2) * tail / 2 - special.ndtr(-b)
        near = np.log(np.maximum((special.erf(-a / root) + special.erf(b / root)) / 2 - rest, 0.0))
    return np.where(a >= 0, far, near)


def log_difference(difference: retain.Modes, eta: Scalar, time: Scalar) -> Scalar:
    """log ‖Δ_t‖ of gradient ascent: descent on a retained sample with weight 0."""
    return retain.log_norm(difference, eta, time)


def ascent_modes(difference: Float[jax.Array, " d"], X: Float[jax.Array, "k d"]) -> retain.Modes:
    """Δ₀ in the eigendirections of (2/k)XᵀX, and what lies outside X's rows."""
    modes = kernels.forget_modes(X)
    components = modes.right.T @ difference
    outside = jnp.linalg.norm(difference - modes.right @ components)
    return retain.Modes(2 / X.shape[0] * modes.values**2, components, outside)


def first_step(difference: retain.Modes, eta: Scalar, log_size: Scalar) -> Scalar:
    """The first integer t ≥ 0 with log ‖Δ_t‖ > log_size by bisection, ∞ if > `FARTHEST`."""

    def halve(_: Any, bracket: tuple[Any, Any]) -> tuple[Any, Any]:
        low, high = bracket
        middle = jnp.maximum(jnp.floor((low + high) / 2), 0.0)  # between −1 and 0 lies 0
        above = log_difference(difference, eta, middle) > log_size
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    start = (jnp.full((), -1.0), jnp.full((), FARTHEST))
    first = jax.lax.fori_loop(0, 51, halve, start)[1]
    return jnp.where(log_difference(difference, eta, first) > log_size, first, jnp.inf)


def _distances(value: Any) -> np.ndarray:
    array = np.asarray(value)
    checks.vector("distance", array.ravel())
    if np.any(array < 0):
        raise InputError(f"distance: expected numbers ≥ 0; got {np.min(array):g}")
    return array.astype(np.float64)


def _log_allowed(epsilon: float, delta: Any) -> float:
    """log[(1 + e^ε)δ]."""
    delta = checks.positive("delta", delta)
    if delta >= 1:
        raise InputError(f"delta: expected a number between 0 and 1; got {delta:g}")
    return math.log(delta) + float(np.logaddexp(0.0, epsilon))


def hockey_stick(distance: Any, noise: float, epsilon: float) -> Float[np.ndarray, "*n"]:
    """Φ(D/2s − εs/D) − e^ε Φ(−D/2s − εs/D).

    This is the supremum over sets A of P(A) − e^ε Q(A) with P = N(u, s²I) and Q = N(v, s²I).

    distance: D = ‖u − v‖ ≥ 0, a number or an array · noise: s > 0 · epsilon: ε ≥ 0. In [0, 1]; 0
    where D = 0. Raises InputError for values outside these ranges. Source: Balle & Wang, arXiv
    1805.06530, Theorem 8.
    """
    D, s, epsilon = (
        _distances(distance),
        checks.positive("noise", noise),
        checks.nonnegative("epsilon", epsilon),
    )
    apart = D / s > 0
    return np.where(apart, np.exp(log_hockey_stick(np.where(apart, D / s, 1.0), epsilon)), 0.0)


def violated(distance: Any, noise: float, epsilon: float, delta: float) -> Bool[np.ndarray, "*n"]:
    """Whether outcomes D apart with noise s cannot both be (ε, δ)-close to one distribution.

    True where hockey_stick(D, s, 2ε) > (1 + e^ε)δ. Arguments and errors as for `hockey_stick`, 0 <
    δ < 1.
    """
    D, s, epsilon = (
        _distances(distance),
        checks.positive("noise", noise),
        checks.nonnegative("epsilon", epsilon),
    )
    apart = D / s > 0
    logs = log_hockey_stick(np.where(apart, D / s, 1.0), 2 * epsilon)
    return np.asarray(apart & (logs > _log_allowed(epsilon, delta)))


def critical_ratio(epsilon: float, delta: float) -> float:
    """The D/s beyond which (ε, δ) is violated: hockey_stick(x, 1, 2ε) = (1 + e^ε)δ.

    It is ∞ if the right side is ≥ 1. Raises InputError for ε < 0 and δ outside (0, 1).
    """
    epsilon = checks.nonnegative("epsilon", epsilon)
    allowed = _log_allowed(epsilon, delta)
    if allowed >= 0:
        return math.inf

    def excess(log_x: float) -> float:
        return max(float(log_hockey_stick(math.exp(log_x), 2 * epsilon)) - allowed, -1e300)

    high = 0.0
    while excess(high) <= 0:
        high += 1.0
    low = high - 1
    while excess(low) > 0:
        low -= 1.0
    return math.exp(optimize.bisect(excess, low, high, xtol=1e-15, rtol=1e-15))


@jax.jit
def _log_differences(
    difference: Float[jax.Array, " d"],
    X: Float[jax.Array, "k d"],
    eta: Float[jax.Array, ""],
    times: Float[jax.Array, " times"],
) -> Float[jax.Array, " times"]:
    modes = ascent_modes(difference, X)
    return jax.vmap(lambda time: log_difference(modes, eta, time))(times)


@jax.jit
def _first_step(
    difference: Float[jax.Array, " d"],
    X: Float[jax.Array, "k d"],
    eta: Float[jax.Array, ""],
    log_size: Float[jax.Array, ""],
) -> Float[jax.Array, ""]:
    return first_step(ascent_modes(difference, X), eta, log_size)


def _pair(
    difference: Any, X_forget: Any
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "k d"]]:
    X = checks.matrix("X_forget", X_forget)
    return checks.vector(
        "difference", difference, length=X.shape[1], of=", like X_forget's rows"
    ), X


def first_violating_step(
    difference: Any, X_forget: Any, *, eta: float, noise: float, epsilon: float, delta: float
) -> float:
    """The first step at which noise s no longer hides that two paths differ.

    Every later step violates the certificate, too.

    difference: Δ₀ (d,) before unlearning · X_forget (k, d) · eta: η > 0 of gradient ascent · noise:
    s > 0 · ε ≥ 0, 0 < δ < 1. ∞ if it never is: (1 + e^ε)δ ≥ 1, or Δ₀ has no part in X_forget's
    rows and is small enough. Raises InputError for bad shapes or values.
    """
    difference, X = _pair(difference, X_forget)
    log_size = math.log(checks.positive("noise", noise)) + math.log(critical_ratio(epsilon, delta))
    with float64():
        return float(_first_step(difference, X, checks.positive("eta", eta), log_size))


def log_noise_needed(
    difference: Any, X_forget: Any, *, eta: float, epsilon: float, delta: float, at: Any
) -> Float[np.ndarray, " times"]:
    """log s(t), s(t) = ‖Δ_t‖/critical ratio: the least noise with no violation up to step t.

    t is an integer of any size. Grows by log(1 + 2ηλ_max/k) a step in the end. −∞ if none is
    needed. Arguments as for `first_violating_step`.
    """
    difference, X = _pair(difference, X_forget)
    times, log_ratio = checks.times("at", at), math.log(critical_ratio(epsilon, delta))
    with float64():
        return (
            np.asarray(_log_differences(difference, X, checks.positive("eta", eta), times))
            - log_ratio
        )
