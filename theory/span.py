"""The span barrier: the distance no gradient method on the forget set can undo.

It holds for any loss, schedule and stopping time.

Every gradient of a loss on the predictions X_U θ lies in row(X_U). A span method (gradient steps,
momentum, clipping; its loss may even know the path) therefore ends at θ + X_Uᵀα for some α, and its
distance to the retrained model stays above min_α d(θ + X_Uᵀα, θ_r) = (1/m)‖(I − Π)X_test(θ −
θ_r)‖², Π the orthogonal projector on the range of X_test X_Uᵀ. Coordinate-wise preconditioners
(Adam) and weight decay leave the span without other data; the floor says nothing of them. Where the
test inputs see no more than the forget rows reach (m ≤ k generically), Π = I and the floor is 0.
Ranks are numerical: singular values up to max(rows, columns) · eps of the largest count as 0, so
dependent rows are taken. Source: our own, from Definition 2.1 of arXiv 2510.16629.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from theory import checks
from theory.kernels import Array, Scalar
from theory.numerics import float64


class Reach(NamedTuple):
    """Where a span method can go: bases whose columns beyond the numerical rank are 0."""

    rows: Float[Array, "d r"]  # V, orthonormal basis of row(X_U), r = min(k, d)
    seen: Float[Array, "m s"]  # orthonormal basis of the range of X_test X_Uᵀ, s = min(m, r)
    to_rows: Float[Array, "r s"]  # pseudo-inverse of X_test V, times that basis


def _kept(values: Float[Array, " r"], shape: tuple[int, int]) -> Float[Array, " r"]:
    """1 for every singular value of a matrix of this shape that counts, 0 for rounding."""
    cut = max(shape) * jnp.finfo(values.dtype).eps * values[0]
    return jnp.where((values > cut) & (values > 0), 1.0, 0.0)


def row_basis(X: Float[Array, "k d"]) -> Float[Array, "d r"]:
    """Pure kernel: orthonormal basis of row(X), its columns beyond the rank 0."""
    basis, triangle = jnp.linalg.qr(X.T)  # (d, r), (r, k)
    left, values, _ = jnp.linalg.svd(triangle, full_matrices=False)
    return basis @ (left * _kept(values, X.shape))


def reach(X_forget: Float[Array, "k d"], X_test: Float[Array, "m d"]) -> Reach:
    """Pure kernel: bases of row(X_U) and of its image under X_test.

    The range of X_test X_Uᵀ is that of X_test V. Two decompositions, not one of X_test X_Uᵀ, whose
    condition would be the square of what the rank is judged by.
    """
    rows = row_basis(X_forget)
    image = X_test @ rows
    left, sizes, turned = jnp.linalg.svd(image, full_matrices=False)
    kept = _kept(sizes, image.shape)
    return Reach(
        rows, left * kept, turned.T * jnp.where(kept > 0, 1 / jnp.where(kept > 0, sizes, 1.0), 0.0)
    )


def unseen(reached: Reach, outputs: Float[Array, " m"]) -> Float[Array, " m"]:
    """Pure kernel: (I − Π) outputs; exactly 0 if Π = I."""
    rest = outputs - reached.seen @ (reached.seen.T @ outputs)
    everything = jnp.sum(jnp.sum(reached.seen**2, axis=0) > 0.5) == outputs.shape[0]
    return jnp.where(everything, 0.0, rest)


def outside(displacement: Float[Array, " d"], rows: Float[Array, "d r"]) -> Scalar:
    """Pure kernel: ‖(I − V Vᵀ)u‖²/‖u‖² with V = rows, 0 for u = 0."""
    rest = displacement - rows @ (rows.T @ displacement)
    size = jnp.sum(displacement**2)
    return jnp.where(size > 0, jnp.sum(rest**2) / jnp.where(size > 0, size, 1.0), 0.0)


def floor(delta: Float[Array, " d"], reached: Reach, X_test: Float[Array, "m d"]) -> Scalar:
    """Pure kernel: (1/m)‖(I − Π)X_test Δ‖²."""
    return jnp.mean(unseen(reached, X_test @ delta) ** 2)


def shrunk(
    theta: Float[Array, " d"],
    retrained: Float[Array, " d"],
    reached: Reach,
    X_test: Float[Array, "m d"],
) -> tuple[Scalar, Scalar]:
    """Pure kernel: min over α and 0 ≤ c ≤ 1 of d(cθ + X_Uᵀα, θ_r), and the c.

    Both by joint least squares; c is then clipped.
    """
    own, aim = unseen(reached, X_test @ theta), unseen(reached, X_test @ retrained)
    size = jnp.sum(own**2)
    c = jnp.clip(
        jnp.where(size > 0, jnp.sum(own * aim) / jnp.where(size > 0, size, 1.0), 1.0), 0.0, 1.0
    )
    return jnp.mean((c * own - aim) ** 2), c


_row_basis = jax.jit(row_basis)
_reach = jax.jit(reach)
_floor = jax.jit(floor)
_floors = jax.jit(jax.vmap(floor, in_axes=(0, None, None)))
_shrunk = jax.jit(shrunk)
_outside = jax.jit(outside)


def _two_models(
    first: tuple[str, Any], second: tuple[str, Any], X_forget: Any, X_test: Any
) -> tuple[
    Float[np.ndarray, " d"],
    Float[np.ndarray, " d"],
    Float[np.ndarray, "k d"],
    Float[np.ndarray, "m d"],
]:
    X_forget = checks.matrix("X_forget", X_forget)
    d = X_forget.shape[1]
    X_test = checks.matrix("X_test", X_test, columns=d)
    a = checks.vector(*first, length=d, of=", like X_forget's rows")
    b = checks.vector(*second, length=d, of=", like X_forget's rows")
    return a, b, X_forget, X_test


def span_floors(
    thetas: Any, theta_retrained: Any, X_forget: Any, X_test: Any
) -> Float[np.ndarray, " P"]:
    """`span_floor` of P models at once, thetas (P, d), one forget set: it is decomposed once."""
    X_forget = checks.matrix("X_forget", X_forget)
    d = X_forget.shape[1]
    X_test = checks.matrix("X_test", X_test, columns=d)
    thetas = checks.matrix("thetas", thetas, columns=d)
    target = checks.vector(
        "theta_retrained", theta_retrained, length=d, of=", like X_forget's rows"
    )
    with float64():
        return np.asarray(_floors(thetas - target, _reach(X_forget, X_test), X_test))


def span_floor(theta: Any, theta_retrained: Any, X_forget: Any, X_test: Any) -> float:
    """min_α d(θ + X_Uᵀα, θ_r) = (1/m)‖(I − Π)X_test(θ − θ_r)‖².

    No span method from θ comes nearer to θ_r. theta, theta_retrained (d,), X_forget (k, d), X_test
    (m, d). For U learned last it is 0 up to rounding, since then θ − θ_r lies in row(X_U). Raises
    InputError for bad shapes or values. Source: module docstring.
    """
    a, b, X_forget, X_test = _two_models(
        ("theta", theta), ("theta_retrained", theta_retrained), X_forget, X_test
    )
    with float64():
        return float(_floor(a - b, _reach(X_forget, X_test), X_test))


def span_optimum(
    theta: Any, theta_retrained: Any, X_forget: Any, X_test: Any
) -> Float[np.ndarray, " d"]:
    """θ + X_Uᵀα* at the floor, that is θ + V (X_test V)⁺ X_test(θ_r − θ).

    If several models are at the floor, this is the one nearest to θ.

    An oracle: it knows θ_r. Arguments and errors as for `span_floor`.
    """
    a, b, X_forget, X_test = _two_models(
        ("theta", theta), ("theta_retrained", theta_retrained), X_forget, X_test
    )
    with float64():
        rows, seen, to_rows = map(np.asarray, _reach(X_forget, X_test))
    return a + rows @ (to_rows @ (seen.T @ (X_test @ (b - a))))


def shrunk_floor(
    theta: Any, theta_retrained: Any, X_forget: Any, X_test: Any
) -> tuple[float, float]:
    """min over α and 0 ≤ c ≤ 1 of d(cθ + X_Uᵀα, θ_r), and the minimiser c.

    This is the floor of a span method with weight decay. Below the floor wherever c < 1; no more
    data are used. Arguments and errors as for `span_floor`.
    """
    a, b, X_forget, X_test = _two_models(
        ("theta", theta), ("theta_retrained", theta_retrained), X_forget, X_test
    )
    with float64():
        distance, c = _shrunk(a, b, _reach(X_forget, X_test), X_test)
    return float(distance), float(c)


def pair_floor(theta_a: Any, theta_b: Any, X_forget: Any, X_test: Any) -> float:
    """(1/m)‖(I − Π)X_test(θ_a − θ_b)‖², a lower bound of d(u_a, u_b).

    It holds for any two span methods, however long they run. So max(d(u_a, r), d(u_b, r)) is at
    least a quarter of it for any common target r. Arguments and errors as for `span_floor`.
    """
    a, b, X_forget, X_test = _two_models(
        ("theta_a", theta_a), ("theta_b", theta_b), X_forget, X_test
    )
    with float64():
        return float(_floor(a - b, _reach(X_forget, X_test), X_test))


def share_outside(displacement: Any, X_forget: Any) -> float:
    """‖(I − P)u‖²/‖u‖² of a displacement u (d,), P the projector on row(X_U).

    It is 0 for span methods, and for u = 0. Raises InputError for bad shapes or values.
    """
    X_forget = checks.matrix("X_forget", X_forget)
    displacement = checks.vector(
        "displacement", displacement, length=X_forget.shape[1], of=", like X_forget's rows"
    )
    with float64():
        return float(_outside(displacement, _row_basis(X_forget)))
