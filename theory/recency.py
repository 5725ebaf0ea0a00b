"""Why the stage learned last is forgotten slowest: ascent in eigendirections of the forget set.

With X_U X_Uᵀ = Q diag(λ) Qᵀ and c = Qᵀ(X_U θ₀ − y_U), λ in descending order, the forget loss after
t steps of size η is f(t) = (1/k) Σ_j (1 + 2ηλ_j/k)^{2t} c_j², and what was forgotten is its growth
f(t) − f(0). Only c depends on the path. Learning U shrinks each c_j by 1 − λ_j g(λ_j) (μ/(μ + λ_j)
for ridge), and stages after it add to c: so p = last starts with small components where growth is
fast. Time is counted in steps; f is carried as a logarithm. Source: Theorem 3.1's ascent (arXiv
2510.16629, Section 3) in eigencoordinates.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from theory import checks
from theory.filters import remaining
from theory.kernels import Array, Scalar
from theory.numerics import float64


class Residuals(NamedTuple):
    """Residuals c_j = ⟨q_j, X_U θ − y_U⟩ of several models in a forget set's eigendirections."""

    eigenvalues: Float[Array, "*batch k"]  # of X_U X_Uᵀ, descending, ≥ 0
    components: Float[Array, "*batch models k"]


def residuals(
    thetas: Float[Array, "models d"], X: Float[Array, "k d"], y: Float[Array, " k"]
) -> Residuals:
    """The pure kernel behind `residual_components`."""
    eigenvalues, vectors = jnp.linalg.eigh(X @ X.T)
    return Residuals(jnp.maximum(eigenvalues[::-1], 0.0), ((thetas @ X.T - y) @ vectors)[:, ::-1])


def log_loss(measured: Residuals, gain: Scalar, time: Scalar) -> Float[Array, " models"]:
    """log f(t), gain = 2η/k; the pure kernel behind `log_forget_loss`."""
    exponent = 2 * time * jnp.log1p(gain * measured.eigenvalues)
    terms = exponent + 2 * jnp.log(jnp.abs(measured.components))
    return jax.nn.logsumexp(terms, axis=-1) - jnp.log(exponent.size)


def log_growth(measured: Residuals, gain: Scalar, time: Scalar) -> Float[Array, " models"]:
    """log[f(t) − f(0)], gain = 2η/k; e^x − 1 is written e^x(1 − e^{−x}).

    That is exact for small x and finite for large ones.
    """
    exponent = 2 * time * jnp.log1p(gain * measured.eigenvalues)
    terms = exponent + jnp.log(-jnp.expm1(-exponent)) + 2 * jnp.log(jnp.abs(measured.components))
    return jax.nn.logsumexp(terms, axis=-1) - jnp.log(exponent.size)


def below(
    power: Float[np.ndarray, "*batch models k"], *, summed: bool
) -> Bool[np.ndarray, "*batch models models"]:
    """[a, b] true: every component's power of a is at most b's.

    With summed, every sum of powers from the top down is.
    """
    compared = np.cumsum(power, axis=-1) if summed else power
    return np.all(compared[..., :, None, :] <= compared[..., None, :, :], axis=-1)


_residuals = jax.jit(residuals)


@partial(jax.jit, static_argnames="curve")
def _curves(
    measured: Residuals, gain: Float[jax.Array, ""], times: Float[jax.Array, " times"], curve: Any
) -> Float[jax.Array, "models times"]:
    return jax.vmap(lambda time: curve(measured, gain, time), out_axes=1)(times)


def residual_components(thetas: Any, X: Any, y: Any) -> Residuals:
    """λ (k,), descending, and c (P, k), c_pj = ⟨q_j, Xθ_p − y⟩.

    thetas (P, d): the models; X (k, d), y (k,): the forget set. The signs of a column of c are
    arbitrary; so is the basis within an eigenspace of several dimensions. Raises InputError for bad
    shapes or values.
    """
    X = checks.matrix("X", X)
    y = checks.vector("y", y, length=X.shape[0], of=", one target for each row of X")
    thetas = checks.matrix("thetas", thetas, columns=X.shape[1])
    with float64():
        return Residuals(*map(np.asarray, _residuals(thetas, X, y)))


def _log_curves(
    curve: Any, thetas: Any, X: Any, y: Any, eta: Any, at: Any
) -> Float[np.ndarray, "models times"]:
    measured = residual_components(thetas, X, y)
    gain = 2 * checks.positive("eta", eta) / measured.eigenvalues.shape[0]
    times = checks.times("at", at)
    with float64():
        return np.asarray(_curves(measured, gain, times, curve))


def log_forget_loss(
    thetas: Any, X: Any, y: Any, *, eta: float, at: Any
) -> Float[np.ndarray, "models times"]:
    """log f(t), f(t) = (1/k) Σ_j (1 + 2ηλ_j/k)^{2t} c_j² = (1/k)‖Xθ_t − y‖².

    at: integer times of any size; thetas (P, d), X (k, d), y (k,), η > 0. The value is −∞ if the
    forget set is fitted. Raises InputError for bad shapes or values.
    """
    return _log_curves(log_loss, thetas, X, y, eta, at)


def log_forget_growth(
    thetas: Any, X: Any, y: Any, *, eta: float, at: Any
) -> Float[np.ndarray, "models times"]:
    """log[f(t) − f(0)] = log[(1/k) Σ_j ((1 + 2ηλ_j/k)^{2t} − 1) c_j²], the log of the forget score.

    Arguments and errors as for `log_forget_loss`; −∞ at t = 0 and where only directions with λ = 0
    are left.
    """
    return _log_curves(log_growth, thetas, X, y, eta, at)


def shrinkage(X: Any, *, mu: float | None = None, filters: Any = None) -> Float[np.ndarray, " k"]:
    """1 − λ_j g(λ_j): the share of each residual component that is left after learning (X, y).

    Eigenvalues descend. It is μ/(μ + λ_j) for ridge (mu, μ > 0) and 0 for the minimum norm, from
    which ascent never moves. Exactly one of mu and filters (one `theory.filters` filter) is given.
    Raises InputError for bad values.
    """
    X = checks.matrix("X", X)
    filter_ = checks.spectral_filter(mu, filters, "U", X)
    eigenvalues = np.maximum(np.linalg.eigvalsh(X @ X.T)[::-1], 0.0)
    with float64():
        return np.asarray(remaining(filter_, jnp.asarray(eigenvalues)))


def _power(measured: Residuals) -> Float[np.ndarray, "models spaces"]:
    """Σ c_j² over each eigenspace, λ descending.

    Eigenvalues that are equal but for rounding share a space; λ = 0 counts as fitted.
    """
    eigenvalues = np.asarray(measured.eigenvalues)
    rounding = eigenvalues.size * np.finfo(np.float64).eps * eigenvalues[0]
    first = np.flatnonzero(np.diff(eigenvalues, prepend=np.inf) < -rounding)
    power = np.add.reduceat(np.asarray(measured.components) ** 2, first, axis=1)
    return power * (eigenvalues[first] > rounding)


def dominates(measured: Residuals, *, summed: bool = False) -> Bool[np.ndarray, "models models"]:
    """[a, b] true: model a forgets no faster than b at every step and step size.

    Criterion: |c_j^a| ≤ |c_j^b| for all j with λ_j > 0. With summed the weaker one Σ_{i≤j} (c_i^a)²
    ≤ Σ_{i≤j} (c_i^b)² for all j, λ descending, which is enough: f(t) − f(0) = (1/k) Σ_j w_j c_j²
    with w_j ≥ w_{j+1} ≥ 0, so by summation by parts the difference is Σ_j (w_j − w_{j+1}) times a
    difference of sums. Both are sufficient, not necessary.
    """
    return below(_power(measured), summed=summed)


def slower_in_the_limit(measured: Residuals) -> Bool[np.ndarray, "models models"]:
    """[a, b] true: a forgets more slowly than b for all large t.

    Its component in the top eigendirection is smaller. Where two models agree there to rounding,
    the next eigendirection in which they do not decides.
    """
    power = _power(measured)
    a, b = power[:, None, :], power[None, :, :]
    differs = np.abs(a - b) > 1e-12 * np.maximum(a, b)
    first = np.argmax(differs, axis=-1)[..., None]
    return np.any(differs, axis=-1) & (np.take_along_axis(a - b, first, axis=-1)[..., 0] < 0)
