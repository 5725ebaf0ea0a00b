"""Theorem 3.1 and Corollary 1: how fast two paths diverge under gradient ascent, and from which step on that violates
retrain equivalence.

Two models θ_a, θ_b (two orders of the same stages) ascend on the same forget set X_U (k, d) with step size η on
(1/k)‖X_U θ − y_U‖²; d(·,·) is the RE distance over m test inputs. Symbols as in the paper: Δ₀ = θ_a − θ_b, P the
projector on the row space of X_U, M = (2η/k)X_UᵀX_U. P acts through a basis of that row space: no array is d×d.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from protocol.errors import InputError
from theory import checks, kernels
from theory.numerics import float64

# Of ‖θ_a‖ + ‖θ_b‖ for Δ₀, of ‖Δ₀‖ for its two parts: what is smaller is rounding and stands for 0.
ROUNDING = 1e-13


@dataclass(frozen=True)
class DivergenceBound:
    """Theorem 3.1's lower bound on d(θ_a^t, θ_b^t), valid at every integer t ≥ max(t0, 0).

    rho: ρ* = ⟨PΔ₀, MPΔ₀⟩/‖PΔ₀‖², growth per step · sigma: σ_U, smallest non-zero singular value of X_test P ·
    t0: integer-valued, may be negative; −∞ where C₀ = 0 · projected_difference: ‖PΔ₀‖ · tests: m.
    Limits: where PΔ₀ = 0 the ascent separates nothing: rho is nan, the bound 0, its logarithm −∞, violation_step +∞
    and t0 +∞ (−∞ where Δ₀ = 0 altogether, as for two stages with X_A X_Bᵀ = 0).
    """

    rho: float
    sigma: float
    t0: float
    projected_difference: float
    tests: int

    def log_lower_bound(self, t: float) -> float:
        """log[σ_U²‖PΔ₀‖²/(4m) · (1 + ρ*)^{2t}], t in steps; finite where `lower_bound` overflows."""
        if self.projected_difference == 0:
            return -math.inf
        with jax.enable_x64(True):
            return float(kernels.log_bound(self.rho, self.sigma * self.projected_difference, self.tests, float(t)))

    def lower_bound(self, t: float) -> float:
        """σ_U²‖PΔ₀‖²/(4m) · (1 + ρ*)^{2t}, t in steps; +∞ beyond float64. Bounds d(θ_a^t, θ_b^t) from max(t0, 0) on."""
        with np.errstate(over="ignore"):
            return float(np.exp(self.log_lower_bound(t)))

    def violation_step(self, epsilon: float) -> float:
        """Smallest integer ≥ max(0, t0, [log(16mε) − log(σ_U²‖PΔ₀‖²)]/(2 log(1 + ρ*))), ε > 0; +∞ where PΔ₀ = 0.

        From that step on the bound is at least 4ε, and since d(a, b) ≤ 4 max(d(a, r), d(b, r)) at most one of the two
        models is within ε of any common target r. Source: arXiv 2510.16629, Corollary 1.
        """
        epsilon = checks.positive("epsilon", epsilon)
        if self.projected_difference == 0:
            return math.inf
        reach = self.sigma * self.projected_difference
        with jax.enable_x64(True):
            return float(kernels.violation_step(self.rho, reach, self.t0, self.tests, epsilon))


@jax.jit
def _terms(
    delta: Float[jax.Array, " d"],
    X_forget: Float[jax.Array, "k d"],
    X_test: Float[jax.Array, "m d"],
    eta: Float[jax.Array, ""],
) -> tuple[kernels.BoundTerms, Float[jax.Array, ""]]:
    terms = kernels.bound_terms(delta, kernels.forget_modes(X_forget), X_test, eta)
    return terms, kernels.threshold_step(terms)


def _rank_checked(X_forget: Float[np.ndarray, "k d"], X_test: Float[np.ndarray, "m d"]) -> None:
    """σ_U is a bound on ‖X_test PΔ‖/‖PΔ‖ only where X_forget and X_test P both have rank k."""
    k, m = X_forget.shape[0], X_test.shape[0]
    checks.independent_rows("X_forget", X_forget, otherwise="use linear.ascend, which takes them")
    if m < k:
        raise InputError(
            f"X_test: expected m ≥ k = {k} rows, or a difference could hide from the test inputs; got m = {m}; "
            "add test inputs"
        )
    basis = np.linalg.qr(X_forget.T)[0]
    seen = int(np.linalg.matrix_rank(X_test @ basis))
    if seen < k:
        raise InputError(
            f"X_test: expected inputs that see all {k} directions of X_forget's rows; got rank {seen} of X_test P; "
            "add test inputs that overlap with the forget set"
        )


def divergence_bound(theta_a: Any, theta_b: Any, X_forget: Any, X_test: Any, *, eta: float) -> DivergenceBound:
    """Theorem 3.1's quantities for models theta_a, theta_b (d,), forget inputs (k, d), test inputs (m, d) and η > 0.

    C₀ = ‖X_test‖_op‖(I − P)Δ₀‖, t₀ = ⌈log(2C₀/(σ_U‖PΔ₀‖))/log(1 + ρ*)⌉. Parts of Δ₀ below `ROUNDING` count as 0.
    Raises InputError where X_forget has rank below k, where m < k or X_test P has rank below k (a difference could
    hide from the test inputs, and the bound would not hold), and for shapes or values that do not fit.
    Source: arXiv 2510.16629, Theorem 3.1 and Lemma C.4.
    """
    X_forget = checks.matrix("X_forget", X_forget)
    d = X_forget.shape[1]
    X_test = checks.matrix("X_test", X_test, columns=d)
    theta_a = checks.vector("theta_a", theta_a, length=d, of=", like X_forget's rows")
    theta_b = checks.vector("theta_b", theta_b, length=d, of=", like X_forget's rows")
    eta = checks.positive("eta", eta)
    _rank_checked(X_forget, X_test)
    with float64():
        terms, threshold = _terms(theta_a - theta_b, X_forget, X_test, eta)
    difference, projected, remainder, rho, sigma = (float(term) for term in terms[:5])
    scale = float(np.linalg.norm(theta_a) + np.linalg.norm(theta_b))
    tests = X_test.shape[0]
    if difference <= ROUNDING * scale:
        return DivergenceBound(math.nan, sigma, -math.inf, 0.0, tests)
    if projected <= ROUNDING * difference:
        return DivergenceBound(math.nan, sigma, math.inf, 0.0, tests)
    t0 = -math.inf if remainder <= ROUNDING * difference else float(threshold)
    return DivergenceBound(rho, sigma, t0, projected, tests)
