"""How a stage is learned: by a spectral filter g.

A stage maps θ ↦ θ + Xᵀ g(K)(y − Xθ) with K = XXᵀ (n×n). The stage is affine with linear part I − Xᵀ
g(K) X: along an eigenvector of K with eigenvalue λ the residual shrinks by 1 − λ g(λ). Ridge
regression towards the previous model, gradient descent stopped early and the minimum-norm solution
are all of this form, and every result of the linear side holds for any of them. A filter is a
pytree whose numbers may be traced. Source: the ridge stage is arXiv 2510.16629, section 2; the
others follow from gradient descent's recursion.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from theory.kernels import Array, Scalar, ridge_stage


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Ridge:
    """g(λ) = 1/(λ + μ): the minimiser of ‖Xθ' − y‖² + μ‖θ' − θ‖² over θ', μ > 0."""

    mu: Scalar

    def response(self, eigenvalues: Float[Array, " n"]) -> Float[Array, " n"]:
        """g(λ) at the eigenvalues of K."""
        return 1 / (eigenvalues + self.mu)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GradientDescent:
    """g(λ) = (1 − (1 − 2ηλ/n)^T)/λ, g(0) = 2ηT/n: T steps of size η < n/λ_max on (1/n)‖Xθ − y‖²."""

    steps: Scalar
    eta: Scalar

    def response(self, eigenvalues: Float[Array, " n"]) -> Float[Array, " n"]:
        """g(λ) at the eigenvalues of K.

        expm1 and log1p keep it exact for small ηλ and for many steps.
        """
        step = 2 * self.eta / eigenvalues.shape[0]
        positive = eigenvalues > 0
        x = jnp.where(positive, step * eigenvalues, 0.5)
        # beyond x = 1 the base 1 − x is negative, and its power changes sign with every step
        sign = jnp.where(x > 1, 1.0 - 2.0 * jnp.mod(self.steps, 2), 1.0)
        size = self.steps * jnp.log(jnp.abs(1 - x))
        gone = jnp.where(
            x < 1, -jnp.expm1(self.steps * jnp.log1p(-jnp.minimum(x, 1))), 1 - sign * jnp.exp(size)
        )
        return jnp.where(positive, gone / jnp.where(positive, eigenvalues, 1.0), step * self.steps)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MinimumNorm:
    """g(λ) = 1/λ, g(0) = 0: the solution of Xθ' = y (in least squares) nearest to θ.

    It is the limit of ridge as μ → 0.

    Eigenvalues of K up to n · eps · λ_max are rounding and count as 0.
    """

    def response(self, eigenvalues: Float[Array, " n"]) -> Float[Array, " n"]:
        """g(λ) at the eigenvalues of K."""
        cut = eigenvalues.shape[0] * jnp.finfo(eigenvalues.dtype).eps * jnp.max(eigenvalues)
        kept = eigenvalues > cut
        return jnp.where(kept, 1 / jnp.where(kept, eigenvalues, 1.0), 0.0)


Filter = Ridge | GradientDescent | MinimumNorm


def remaining(filter_: Filter, eigenvalues: Float[Array, " n"]) -> Float[Array, " n"]:
    """1 − λ g(λ): what a stage leaves of its residual along each eigenvector of K."""
    if isinstance(filter_, Ridge):
        return filter_.mu / (filter_.mu + eigenvalues)
    return 1 - eigenvalues * filter_.response(eigenvalues)


def stage(
    theta: Float[Array, " d"],
    X: Float[Array, "n d"],
    y: Float[Array, " n"],
    filter_: Filter,
    gram: Float[Array, "n n"] | None = None,
) -> Float[Array, " d"]:
    """One stage, θ + Xᵀ g(K)(y − Xθ).

    It takes a Cholesky solve for ridge, one n×n eigendecomposition otherwise. O(n²d), or O(nd + n³)
    where gram = K = XXᵀ is given. With y = 0 it is the stage's linear part applied to θ.
    """
    if isinstance(filter_, Ridge):
        return ridge_stage(theta, X, y, filter_.mu, gram)
    eigenvalues, vectors = jnp.linalg.eigh(X @ X.T if gram is None else gram)
    response = filter_.response(jnp.maximum(eigenvalues, 0.0))
    return theta + X.T @ (vectors @ (response * (vectors.T @ (y - X @ theta))))


def largest_step(X: Float[np.ndarray, "n d"]) -> float:
    """n/λ_max: gradient descent on (1/n)‖Xθ − y‖² converges for smaller steps; ∞ for X = 0."""
    largest = np.linalg.norm(X @ X.T, 2)
    return float(X.shape[0] / largest) if largest > 0 else np.inf
