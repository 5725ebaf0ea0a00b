"""Theorem 3.1 and Corollary 1: how fast two paths diverge under gradient ascent.

The corollary says from which step on the divergence violates retrain equivalence.

Two models θ_a, θ_b (two orders of the same stages) ascend on the same forget set X_U (k, d) with
step size η on (1/k)‖X_U θ − y_U‖²; d(·,·) is the RE distance over m test inputs. Symbols as in the
paper: Δ₀ = θ_a − θ_b, P the projector on the row space of X_U, M = (2η/k)X_UᵀX_U. P acts through a
basis of that row space: no array is d×d.
"""

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from protocol.errors import InputError
from theory import checks, kernels
from theory.numerics import float64

# Of ‖θ_a‖ + ‖θ_b‖ for Δ₀, of ‖Δ₀‖ for its two parts: a smaller norm is rounding and counts as 0.
ROUNDING = 1e-13


@dataclass(frozen=True)
class DivergenceBound:
    """Theorem 3.1's lower bound on d(θ_a^t, θ_b^t), valid at every integer t ≥ max(t0, 0).

    rho: ρ* = ⟨PΔ₀, MPΔ₀⟩/‖PΔ₀‖², growth per step · sigma: σ_U, smallest non-zero singular value of
    X_test P · t0: integer-valued, may be negative; −∞ where C₀ = 0 · projected_difference: ‖PΔ₀‖ ·
    tests: m. Limits: where PΔ₀ = 0 the ascent separates nothing: rho is nan, the bound 0, its
    logarithm −∞, violation_step +∞ and t0 +∞ (−∞ where Δ₀ = 0 altogether, as for two stages with
    X_A X_Bᵀ = 0).
    """

    rho: float
    sigma: float
    t0: float
    projected_difference: float
    tests: int

    def log_lower_bound(self, t: float) -> float:
        """log[σ_U²‖PΔ₀‖²/(4m) · (1 + ρ*)^{2t}], t in steps; finite if `lower_bound` overflows."""
        if self.projected_difference == 0:
            return -math.inf
        with jax.enable_x64(True):
            return float(
                kernels.log_bound(
                    self.rho, self.sigma * self.projected_difference, self.tests, float(t)
                )
            )

    def lower_bound(self, t: float) -> float:
        """σ_U²‖PΔ₀‖²/(4m) · (1 + ρ*)^{2t}, t in steps; +∞ beyond float64.

        Bounds d(θ_a^t, θ_b^t) from max(t0, 0) on.
        """
        with np.errstate(over="ignore"):
            return float(np.exp(self.log_lower_bound(t)))

    def violation_step(self, epsilon: float) -> float:
        """Smallest integer ≥ max(0, t0, [log(16mε) − log(σ_U²‖PΔ₀‖²)]/(2 log(1 + ρ*))), ε > 0.

        It is +∞ if PΔ₀ = 0. From that step on the bound is at least 4ε, and since d(a, b) ≤ 4
        max(d(a, r), d(b, r)) at most one of the two models is within ε of any common target r.
        Source: arXiv 2510.16629, Corollary 1.
        """
        epsilon = checks.positive("epsilon", epsilon)
        if self.projected_difference == 0:
            return math.inf
        reach = self.sigma * self.projected_difference
        with jax.enable_x64(True):
            return float(kernels.violation_step(self.rho, reach, self.t0, self.tests, epsilon))


@jax.jit
def _terms(
    deltas: Float[jax.Array, "pairs d"],
    X_forget: Float[jax.Array, "k d"],
    X_test: Float[jax.Array, "m d"],
    eta: Float[jax.Array, ""],
) -> tuple[kernels.Modes, kernels.BoundTerms, Float[jax.Array, " pairs"]]:
    """One decomposition of the forget set for all pairs."""
    modes = kernels.forget_modes(X_forget)

    def of_pair(delta: Float[jax.Array, " d"]) -> tuple[kernels.BoundTerms, kernels.Scalar]:
        terms = kernels.bound_terms(delta, modes, X_test, eta)
        return terms, kernels.threshold_step(terms)

    return modes, *jax.vmap(of_pair)(deltas)


def _enough_tests(X_forget: Float[np.ndarray, "k d"], X_test: Float[np.ndarray, "m d"]) -> None:
    (k, d), m = X_forget.shape, X_test.shape[0]
    if k > d:
        raise InputError(
            f"X_forget: expected linearly independent rows, so k ≤ d = {d}; got k = {k}"
        )
    if m < k:
        raise InputError(
            f"X_test: expected m ≥ k = {k} rows, or a difference could hide from the test "
            f"inputs; got m = {m}; add test inputs"
        )


def _full_rank(modes: kernels.Modes, sigma: float, X_test: Float[np.ndarray, "m d"]) -> None:
    """σ_U is a bound on ‖X_test PΔ‖/‖PΔ‖ only where X_forget and X_test P both have rank k."""
    values, right = np.asarray(modes.values), np.asarray(modes.right)
    (d, k), eps = right.shape, np.finfo(np.float64).eps
    rank = int(np.sum(values > values[0] * max(d, k) * eps))
    if rank < k:
        raise InputError(
            f"X_forget: expected {k} linearly independent rows; got rank {rank}; drop dependent "
            "rows, or use linear.ascend, which takes them"
        )
    seen = X_test @ right
    if sigma <= np.linalg.norm(seen) * max(seen.shape) * eps:
        raise InputError(
            f"X_test: expected inputs that see all {k} directions of X_forget's rows; got rank "
            f"{int(np.linalg.matrix_rank(seen))} of X_test P; add test inputs that overlap with "
            "the forget set"
        )


def _bound(
    terms: kernels.BoundTerms, threshold: float, *, scale: float, tests: int
) -> DivergenceBound:
    """The bound of one pair, with its limit cases; scale = ‖θ_a‖ + ‖θ_b‖."""
    difference, projected, remainder, rho, sigma = (float(term) for term in terms[:5])
    if difference <= ROUNDING * scale:
        return DivergenceBound(math.nan, sigma, -math.inf, 0.0, tests)
    if projected <= ROUNDING * difference:
        return DivergenceBound(math.nan, sigma, math.inf, 0.0, tests)
    t0 = -math.inf if remainder <= ROUNDING * difference else threshold
    return DivergenceBound(rho, sigma, t0, projected, tests)


def divergence_bounds(
    thetas: Any, X_forget: Any, X_test: Any, *, eta: float
) -> dict[tuple[int, int], DivergenceBound]:
    """Theorem 3.1 for every pair p < q of P models.

    thetas (P, d), forget inputs (k, d), test inputs (m, d), η > 0. Keys are the pairs of indices.
    Limits and errors as for `divergence_bound`; the forget set is decomposed once.
    """
    X_forget = checks.matrix("X_forget", X_forget)
    X_test = checks.matrix("X_test", X_test, columns=X_forget.shape[1])
    thetas = checks.matrix("thetas", thetas, columns=X_forget.shape[1])
    if thetas.shape[0] < 2:
        raise InputError(f"thetas: expected at least 2 models, one a row; got {thetas.shape[0]}")
    eta = checks.positive("eta", eta)
    _enough_tests(X_forget, X_test)
    pairs = list(combinations(range(thetas.shape[0]), 2))
    deltas = np.stack([thetas[p] - thetas[q] for p, q in pairs])
    with float64():
        modes, terms, thresholds = _terms(deltas, X_forget, X_test, eta)
    _full_rank(modes, float(terms.sigma[0]), X_test)
    norms = np.linalg.norm(thetas, axis=1)
    return {
        pair: _bound(
            kernels.BoundTerms(*(np.asarray(term)[i] for term in terms)),
            float(thresholds[i]),
            scale=norms[pair[0]] + norms[pair[1]],
            tests=X_test.shape[0],
        )
        for i, pair in enumerate(pairs)
    }


def divergence_bound(
    theta_a: Any, theta_b: Any, X_forget: Any, X_test: Any, *, eta: float
) -> DivergenceBound:
    """Theorem 3.1's quantities for two models.

    theta_a, theta_b (d,), forget inputs (k, d), test inputs (m, d), η > 0. C₀ = ‖X_test‖_op‖(I −
    P)Δ₀‖, t₀ = ⌈log(2C₀/(σ_U‖PΔ₀‖))/log(1 + ρ*)⌉. Parts of Δ₀ below `ROUNDING` count as 0. Raises
    InputError if X_forget has rank below k, if m < k or X_test P has rank below k (a difference
    could hide from the test inputs, and the bound would not hold), and for shapes or values that do
    not fit. Source: arXiv 2510.16629, Theorem 3.1 and Lemma C.4.
    """
    d = checks.matrix("X_forget", X_forget).shape[1]
    theta_a = checks.vector("theta_a", theta_a, length=d, of=", like X_forget's rows")
    theta_b = checks.vector("theta_b", theta_b, length=d, of=", like X_forget's rows")
    return divergence_bounds(np.stack([theta_a, theta_b]), X_forget, X_test, eta=eta)[0, 1]
