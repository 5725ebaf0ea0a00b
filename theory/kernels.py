"""The formulas of the linear model as pure JAX functions, without checks, for jit and vmap.

They switch nothing to float64.

Everything is in dual form: matrices are k×k or k×d, never d×d. With X_U of shape (k, d), K = X_U
X_Uᵀ, ascent of step size η on (1/k)‖X_U θ − y_U‖² multiplies the residual's component along an
eigenvector q_j of K by 1 + g_j a step, g_j = 2ηλ_j/k; `rate` is log(1 + g_j) per step. Times are
numbers of steps. Exponents are carried as logarithms wherever a time may be large. Source: arXiv
2510.16629, Sections 2 and 3.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

Array = Any  # JAX inside a trace, NumPy where called from outside
Scalar = Float[Array, ""] | float


def ridge_stage(
    theta: Float[Array, " d"],
    X: Float[Array, "n d"],
    y: Float[Array, " n"],
    mu: Scalar,
    gram: Float[Array, "n n"] | None = None,
) -> Float[Array, " d"]:
    """One stage, θ + Xᵀ(K + μI)⁻¹(y − Xθ): the minimiser of ‖Xθ' − y‖² + μ‖θ' − θ‖² over θ'.

    gram: K = XXᵀ if known.
    """
    K = X @ X.T if gram is None else gram
    shifted = K + mu * jnp.eye(X.shape[0], dtype=X.dtype)
    return theta + X.T @ jax.scipy.linalg.solve(shifted, y - X @ theta, assume_a="pos")


class Ascent(NamedTuple):
    """Gradient ascent in eigencoordinates: θ_t = θ_0 + X_Uᵀ Q [((1 + g)^t − 1)/λ · Qᵀ r_0]."""

    eigenvalues: Float[Array, " k"]  # λ ≥ 0
    vectors: Float[Array, "k k"]  # Q, columns q_j
    residual: Float[Array, " k"]  # Qᵀ(X_U θ_0 − y_U)
    gain: Scalar  # 2η/k, so that g = gain · λ


def ascent(
    theta: Float[Array, " d"], X: Float[Array, "k d"], y: Float[Array, " k"], eta: Scalar
) -> Ascent:
    """The one k×k eigendecomposition behind an ascent of any length.

    Rounding below zero is cut off.
    """
    eigenvalues, vectors = jnp.linalg.eigh(X @ X.T)
    return Ascent(
        jnp.maximum(eigenvalues, 0.0), vectors, vectors.T @ (X @ theta - y), 2 * eta / X.shape[0]
    )


def ascent_weights(moved: Ascent, time: Scalar) -> Float[Array, " k"]:
    """α with θ_t = θ_0 + X_Uᵀ α.

    A component with λ = 0 moves by its limit 2ηt/k, a component without residual never.

    expm1 and log1p keep the quotient exact for small g; the quotient overflows once t · log(1 + g)
    exceeds 709.
    """
    positive = moved.eigenvalues > 0
    divisor = jnp.where(positive, moved.eigenvalues, 1.0)
    grown = jnp.expm1(time * jnp.log1p(moved.gain * moved.eigenvalues)) / divisor
    factor = jnp.where(positive, grown, moved.gain * time)
    # 0 · inf would be nan: a fitted component stays where it is however long the run
    return moved.vectors @ jnp.where(moved.residual == 0, 0.0, factor * moved.residual)


class Modes(NamedTuple):
    """Thin singular value decomposition X_U = Q diag(s) Vᵀ, so that P = V Vᵀ; s descending."""

    left: Float[Array, "k k"]  # Q
    values: Float[Array, " k"]  # s, √λ
    right: Float[Array, "d k"]  # V


def forget_modes(X_forget: Float[Array, "k d"]) -> Modes:
    """Modes of X_U through QR of X_Uᵀ and a k×k SVD.

    V is orthonormal to rounding whatever the condition of X_U.
    """
    basis, triangle = jnp.linalg.qr(X_forget.T)
    right, values, left = jnp.linalg.svd(triangle)
    return Modes(left.T, values, basis @ right)


def rates(modes: Modes, eta: Scalar) -> Float[Array, " k"]:
    """log(1 + 2ηλ_j/k): growth of each component per step."""
    return jnp.log1p(2 * eta * modes.values**2 / modes.values.shape[0])


class BoundTerms(NamedTuple):
    """The numbers in Theorem 3.1, as computed (no limit cases)."""

    difference: Scalar  # ‖Δ₀‖
    projected: Scalar  # ‖PΔ₀‖
    remainder: Scalar  # ‖(I − P)Δ₀‖
    rho: Scalar  # ρ*, per step
    sigma: Scalar  # σ_U, smallest singular value of X_test V
    test_norm: Scalar  # ‖X_test‖_op


def bound_terms(
    delta: Float[Array, " d"], modes: Modes, X_test: Float[Array, "m d"], eta: Scalar
) -> BoundTerms:
    """Terms of Theorem 3.1's bound for Δ₀ = delta.

    ρ* = Σ_j g_j a_j²/Σ_j a_j² with a = VᵀΔ₀, σ_U = σ_min(X_test V), m ≥ k. X_test P = (X_test V)Vᵀ
    has the singular values of the m×k matrix X_test V.
    """
    a = modes.right.T @ delta
    gains = 2 * eta * modes.values**2 / modes.values.shape[0]
    norm = jnp.linalg.norm
    return BoundTerms(
        difference=norm(delta),
        projected=norm(a),
        remainder=norm(delta - modes.right @ a),
        rho=jnp.sum(gains * a**2) / jnp.sum(a**2),
        sigma=jnp.linalg.svd(X_test @ modes.right, compute_uv=False)[-1],
        # the largest singular value is exact to rounding from the m×m Gram matrix, too, without an
        # SVD of m×d
        test_norm=jnp.sqrt(norm(X_test @ X_test.T, ord=2)),
    )


def threshold_step(terms: BoundTerms) -> Scalar:
    """t₀ = ⌈log(2C₀/(σ_U‖PΔ₀‖))/log(1 + ρ*)⌉ with C₀ = ‖X_test‖_op‖(I − P)Δ₀‖; −∞ where C₀ = 0."""
    ratio = 2 * terms.test_norm * terms.remainder / (terms.sigma * terms.projected)
    return jnp.ceil(jnp.log(ratio) / jnp.log1p(terms.rho))


def log_bound(
    rho: Scalar, reach: Scalar, tests: int, time: Float[Array, "*times"] | float
) -> Float[Array, "*times"]:
    """log[reach²/(4m) · (1 + ρ*)^{2t}], Theorem 3.1's bound; reach = σ_U‖PΔ₀‖, m = tests."""
    return 2 * jnp.log(reach) - math.log(4 * tests) + 2 * time * jnp.log1p(rho)


def violation_step(rho: Scalar, reach: Scalar, t0: Scalar, tests: int, epsilon: Scalar) -> Scalar:
    """Smallest integer ≥ max(0, t₀, [log(16mε) − log(reach²)]/(2 log(1 + ρ*))) (Corollary 1).

    reach = σ_U‖PΔ₀‖, m = tests.
    """
    needed = jnp.log(16 * tests * epsilon) - 2 * jnp.log(reach)
    return jnp.maximum(jnp.maximum(0.0, t0), jnp.ceil(needed / (2 * jnp.log1p(rho))))


def log_distance(
    start: Float[Array, " m"],
    readout: Float[Array, "m k"],
    amplitude: Float[Array, " k"],
    rate: Float[Array, " k"],
    time: Scalar,
) -> Scalar:
    """log[(1/m)‖start + Σ_j (e^{t·rate_j} − 1) amplitude_j readout_j‖²] for t ≥ 0.

    Nothing overflows. For the divergence of two paths start = X_test Δ₀, readout = X_test V,
    amplitude = VᵀΔ₀; for the distance of one path to a fixed model amplitude = Qᵀr₀/s. The largest
    exponent is factored out of start and modes alike, so what does not grow is kept exactly as long
    as it matters; (e^x − 1)e^{−c} is written −e^{x−c} expm1(−x).
    """
    exponent = time * rate
    size = exponent + jnp.log(jnp.abs(amplitude))
    largest = jnp.maximum(0.0, jnp.max(size))
    weights = -jnp.sign(amplitude) * jnp.exp(size - largest) * jnp.expm1(-exponent)
    scaled = jnp.exp(-largest) * start + readout @ weights
    return 2 * largest + jnp.log(jnp.mean(scaled**2))


def log_norm(
    fixed: Scalar, amplitude: Float[Array, " k"], rate: Float[Array, " k"], time: Scalar
) -> Scalar:
    """log √(fixed² + Σ_j amplitude_j² e^{2t·rate_j}) without overflow, for t > 0 or finite rates.

    It is −∞ for a zero vector. For a difference Δ_t in parameters: fixed is the norm of its part
    that never moves, amplitude the components of the rest along orthonormal directions.
    """
    sizes = jnp.concatenate(
        [jnp.log(jnp.abs(fixed))[None], jnp.log(jnp.abs(amplitude)) + time * rate]
    )
    return 0.5 * jax.scipy.special.logsumexp(2 * sizes)
