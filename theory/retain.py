"""Ascent on a forget set U, descent on a retained sample R: which weight stops two paths parting.

One step of size η ascends on (1/k)‖X_U θ − y_U‖² and descends on (λ/n_R)‖R θ − y_R‖², so two paths'
difference obeys Δ_{t+1} = (I + ηA)Δ_t, A = (2/k)X_UᵀX_U − (2λ/n_R)RᵀR, whatever the targets. With B
= [X_U; R], Bᵀ = VC (QR) and S = diag(2/k, −2λ/n_R), A = V(CSCᵀ)Vᵀ: no array is larger than the
data, and no Gram matrix squares their condition. Rows of zeros may pad R, so the kernels take n_R
apart from its shape. Time is counted in steps. Source: beyond arXiv 2510.16629, whose Section 3 has
λ = 0.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from theory import checks
from theory.kernels import Array, Scalar
from theory.numerics import float64

# X_U spans beyond R where more than this share of its norm lies on ker R: what is left out adds its
# square to A's eigenvalues, so that a smaller share is below the rounding of A itself.
SPANNED = float(np.sqrt(np.finfo(np.float64).eps))


class Sample(NamedTuple):
    """Row space of a retained sample: R = (left) diag(s) W, rank r.

    Beyond r, s is 0 and W meaningless.
    """

    values: Float[Array, " q"]  # s, descending
    right: Float[Array, "q d"]  # W, orthonormal rows
    kept: Bool[Array, " q"]  # the first r


class Extremes(NamedTuple):
    """Largest and smallest eigenvalue of A on R^d: the difference grows if largest > 0."""

    largest: float
    smallest: float


class Modes(NamedTuple):
    """Δ in A's eigendirections; outside: its norm off the rows of X_U and R, where A is 0."""

    eigenvalues: Float[Array, " q"]  # ascending
    components: Float[Array, " q"]
    outside: Scalar


def retained_sample(R: Float[Array, "n d"]) -> Sample:
    """Thin SVD of R; singular values up to max(n, d) · eps of the largest are rounding."""
    _, values, right = jnp.linalg.svd(R, full_matrices=False)
    return Sample(values, right, values > max(R.shape) * jnp.finfo(R.dtype).eps * values[0])


def critical_weight(X_forget: Float[Array, "k d"], sample: Sample, rows: Scalar) -> Scalar:
    """λ* = (n_R/k) σ_max(X_U R⁺)², n_R = rows; ∞ if more than `SPANNED` of X_U is on ker R."""
    read = jnp.where(sample.kept, X_forget @ sample.right.T, 0.0)
    beyond = jnp.linalg.norm(X_forget - read @ sample.right) > SPANNED * jnp.linalg.norm(X_forget)
    scaled = read / jnp.where(sample.kept, sample.values, 1.0)
    largest = jnp.linalg.norm(scaled, ord=2)
    return jnp.where(beyond, jnp.inf, rows / X_forget.shape[0] * largest**2)


def on_kernel(delta: Float[Array, " d"], sample: Sample) -> Float[Array, " d"]:
    """The component of Δ on ker R."""
    return delta - jnp.where(sample.kept, sample.right @ delta, 0.0) @ sample.right


def basis(
    X_forget: Float[Array, "k d"], R: Float[Array, "n d"]
) -> tuple[Float[Array, "d q"], Float[Array, "q rows"]]:
    """V, C with [X_U; R]ᵀ = VC, q = min(d, k + n)."""
    return jnp.linalg.qr(jnp.concatenate([X_forget, R]).T)


def spectrum(
    C: Float[Array, "q rows"], k: int, rows: Scalar, weight: Scalar
) -> tuple[Array, Array]:
    """Eigenvalues (q,), ascending, and eigenvectors (q, q) of CSCᵀ, A in the basis V."""
    signed = jnp.where(jnp.arange(C.shape[1]) < k, 2 / k, -2 * weight / rows)
    return jnp.linalg.eigh((C * signed) @ C.T)


def log_norm(modes: Modes, eta: Scalar, time: Scalar) -> Scalar:
    """log‖Δ_t‖ = ½ log[Σ_j (1 + ηa_j)^{2t} c_j² + ‖outside‖²], logarithms carried."""
    # a component where 1 + ηa = 0 is gone after a step; at t = 0 nothing is
    size = jnp.where(time == 0, 0.0, 2 * time * jnp.log(jnp.abs(1 + eta * modes.eigenvalues)))
    small = jnp.abs(eta * modes.eigenvalues) < 0.5
    exact = 2 * time * jnp.log1p(jnp.where(small, eta * modes.eigenvalues, 0.0))
    terms = jnp.where(small, exact, size) + 2 * jnp.log(jnp.abs(modes.components))
    return jax.nn.logsumexp(jnp.append(terms, 2 * jnp.log(modes.outside))) / 2


def difference_modes(
    delta: Float[Array, " d"],
    V: Float[Array, "d q"],
    eigenvalues: Float[Array, " q"],
    vectors: Float[Array, "q q"],
) -> Modes:
    """Δ in the eigendirections of A; nothing lies outside them where V spans everything."""
    read = V.T @ delta
    outside = jnp.linalg.norm(delta - V @ read) if V.shape[0] > V.shape[1] else jnp.zeros(())
    return Modes(eigenvalues, vectors.T @ read, outside)


def _pair(
    X_forget: Any, X_retain: Any
) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, "n d"]]:
    X = checks.matrix("X_forget", X_forget)
    return X, checks.matrix("X_retain", X_retain, columns=X.shape[1])


@jax.jit
def _critical(X: Float[jax.Array, "k d"], R: Float[jax.Array, "n d"]) -> Float[jax.Array, ""]:
    return critical_weight(X, retained_sample(R), R.shape[0])


@jax.jit
def _eigenvalues(
    X: Float[jax.Array, "k d"], R: Float[jax.Array, "n d"], weight: Float[jax.Array, ""]
) -> Any:
    return spectrum(basis(X, R)[1], X.shape[0], R.shape[0], weight)[0]


@jax.jit
def _log_norms(
    delta: Float[jax.Array, " d"],
    X: Float[jax.Array, "k d"],
    R: Float[jax.Array, "n d"],
    weight: Float[jax.Array, ""],
    eta: Float[jax.Array, ""],
    times: Float[jax.Array, " times"],
) -> Float[jax.Array, " times"]:
    V, C = basis(X, R)
    modes = difference_modes(delta, V, *spectrum(C, X.shape[0], R.shape[0], weight))
    return jax.vmap(lambda time: log_norm(modes, eta, time))(times)


def critical_retain_weight(X_forget: Any, X_retain: Any) -> float:
    """λ* = (n_R/k) σ_max(X_U R⁺)².

    The difference of two paths grows for weights below it and for none above. X_forget (k, d),
    X_retain (n_R, d). ∞ where X_U's rows are not all in the row space of R (up to `SPANNED` of the
    norm of X_U), so that no weight stops the growth; n_R ≥ rank X_U is necessary for a finite one,
    and row(X_U) ⊆ row(R) sufficient. Raises InputError for bad shapes or values.
    """
    X, R = _pair(X_forget, X_retain)
    with float64():
        return float(_critical(X, R))


def growth_rate_with_retain(X_forget: Any, X_retain: Any, *, weight: float) -> Extremes:
    """Largest and smallest eigenvalue of A = (2/k)X_UᵀX_U − (2λ/n_R)RᵀR, per step and η.

    weight = λ ≥ 0. The difference grows if largest > 0 (like (1 + η · largest)^t), for η with
    1 + η · smallest > −1. Raises InputError for bad shapes or values and λ < 0.
    """
    X, R = _pair(X_forget, X_retain)
    with float64():
        values = np.asarray(_eigenvalues(X, R, checks.nonnegative("weight", weight)))
    if values.size < X.shape[1]:
        values = np.append(values, 0.0)  # A is 0 if no row reads
    return Extremes(float(values.max()), float(values.min()))


def log_difference_with_retain(
    delta: Any, X_forget: Any, X_retain: Any, *, weight: float, eta: float, at: Any
) -> Float[np.ndarray, " times"]:
    """log‖Δ_t‖, Δ_t = (I + ηA)^t Δ₀, exact at integer times of any size; −∞ if nothing is left.

    delta = Δ₀ (d,), X_forget (k, d), X_retain (n_R, d), weight = λ ≥ 0, η > 0. Raises InputError
    for bad input.
    """
    X, R = _pair(X_forget, X_retain)
    delta = checks.vector("delta", delta, length=X.shape[1], of=", like X_forget's rows")
    times = checks.times("at", at)
    with float64():
        return np.asarray(
            _log_norms(
                delta,
                X,
                R,
                checks.nonnegative("weight", weight),
                checks.positive("eta", eta),
                times,
            )
        )


def lasting_difference(delta: Any, X_retain: Any) -> Float[np.ndarray, " d"]:
    """The component of Δ₀ on ker R, which stays for ever.

    It is all that is left of a difference whose growth a weight above λ* has stopped. delta (d,),
    X_retain (n_R, d). Where λ* = ∞ it grows instead. Raises InputError for bad shapes or values.
    """
    R = checks.matrix("X_retain", X_retain)
    delta = checks.vector("delta", delta, length=R.shape[1], of=", like X_retain's rows")
    with float64():
        return np.asarray(_on_kernel(delta, R))


@jax.jit
def _on_kernel(delta: Float[jax.Array, " d"], R: Float[jax.Array, "n d"]) -> Float[jax.Array, " d"]:
    return on_kernel(delta, retained_sample(R))
