"""Training and unlearning of the linear model, in dual form: cost O(n²d) a stage, no d×d array.

A stage moves θ to the minimiser of ‖Xθ' − y‖² + μ‖θ' − θ‖², or is any other spectral filter;
gradient ascent on the forget set is exact at any time from one eigendecomposition, and where
parameters overflow, distances are given as logarithms. A stage is (X (n, d), y (n,)); an order is a
sequence of stage names, trained from θ₀ = 0 unless `start` is given; time is counted in steps.
NumPy float64 in and out, whatever the JAX setting of the process. Source: arXiv 2510.16629, Section
2 (stages) and Section 3 (ascent).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from protocol.errors import InputError
from protocol.orders import Order, prefix_tree
from theory import checks, kernels
from theory.filters import Filter
from theory.filters import stage as filtered_stage
from theory.numerics import float64

Stages = Mapping[str, Any]  # name -> (X, y), checked

_stage = jax.jit(filtered_stage)
_gram = jax.jit(lambda X: X @ X.T)


def train_orders(
    stages: Stages,
    orders: Sequence[Sequence[str]],
    *,
    mu: float | Mapping[str, float] | None = None,
    filters: Filter | Mapping[str, Filter] | None = None,
    start: Any = None,
) -> Float[np.ndarray, "orders d"]:
    """The models after each of several orders, one a row.

    Beginnings that orders have in common are trained once. Arguments and errors as for `train`.
    """
    checked = [checks.order(order, stages) for order in orders]
    if not checked:
        raise InputError("orders: expected at least one order; got none")
    names = dict.fromkeys(name for order in checked for name in order)
    first = next(iter(names or stages))
    columns = checks.stage(first, stages[first])[0].shape[1]
    data = {name: checks.stage(name, stages[name], columns=columns) for name in names}
    by_name = {name: checks.spectral_filter(mu, filters, name, X) for name, (X, _) in data.items()}
    theta = (
        np.zeros(columns)
        if start is None
        else checks.vector("start", start, length=columns, of=", like X's rows")
    )
    nodes: dict[Order, Any] = {(): theta}
    with float64():
        on_device = {
            name: (jnp.asarray(X), y, by_name[name], _gram(X)) for name, (X, y) in data.items()
        }
        for node in prefix_tree(checked):
            nodes[node] = _stage(nodes[node[:-1]], *on_device[node[-1]])
        return np.stack([np.asarray(nodes[order]) for order in checked])


def train(
    stages: Stages,
    order: Sequence[str],
    *,
    mu: float | Mapping[str, float] | None = None,
    filters: Filter | Mapping[str, Filter] | None = None,
    start: Any = None,
) -> Float[np.ndarray, " d"]:
    """Train the stages of `order` one after another: θ ← θ + Xᵀ g(K)(y − Xθ) with K = XXᵀ.

    stages: (X (n_s, d), y (n_s,)) by name · either mu: ridge weight μ > 0, g(λ) = 1/(λ + μ), or
    filters: a `theory.filters` Ridge, GradientDescent or MinimumNorm; one for all or by stage name
    · start: θ₀ (d,), default 0. An empty order returns the start: the model retrained without its
    only stage. A stage whose targets are all 0 is the linear part of that stage, applied to the
    model before it. Raises InputError for unknown names, a name without μ, μ ≤ 0, a step size at
    which gradient descent diverges, shapes that do not fit and numbers not finite. Source: arXiv
    2510.16629, Section 2.
    """
    return train_orders(stages, [order], mu=mu, filters=filters, start=start)[0]


@jax.jit
def _ascent_weights(
    theta: Float[jax.Array, " d"],
    X: Float[jax.Array, "k d"],
    y: Float[jax.Array, " k"],
    eta: Float[jax.Array, ""],
    times: Float[jax.Array, " times"],
) -> tuple[Float[jax.Array, "times k"], Float[jax.Array, ""]]:
    moved = kernels.ascent(theta, X, y, eta)
    fastest = jnp.log1p(moved.gain * moved.eigenvalues[-1])
    return jax.vmap(lambda time: kernels.ascent_weights(moved, time))(times), fastest


def _times(steps: int | None, at: Any) -> Float[np.ndarray, " times"]:
    if (steps is None) == (at is None):
        raise InputError(
            "steps: expected either steps (every step from 0) or at (chosen steps); got both or "
            "neither"
        )
    if at is not None:
        return checks.times("at", at)
    return np.arange(checks.whole("steps", steps) + 1, dtype=np.float64)


def ascend(
    theta: Any,
    X: Any,
    y: Any,
    *,
    eta: float,
    steps: int | None = None,
    at: Any = None,
    readout: Any = None,
) -> Float[np.ndarray, "times width"]:
    """Gradient ascent θ_t = θ_{t−1} + η∇(1/k)‖Xθ − y‖² from θ_0 = theta, exact at every t.

    θ_t = θ_0 + Xᵀ Q diag(((1 + 2ηλ_j/k)^t − 1)/λ_j) Qᵀ(Xθ_0 − y) with XXᵀ = Q diag(λ) Qᵀ; where λ_j
    = 0 (X of lower rank) the factor is its limit 2ηt/k. theta (d,), X (k, d), y (k,), η > 0. Either
    steps = T, for t = 0..T, or at = integer times. Returns parameters (times, d), or with readout =
    X_test (m, d) predictions (times, m), for which no (times, d) array is made. Raises InputError
    for bad shapes or values, and where t·log(1 + 2ηλ_max/k) passes 709 and θ_t overflows float64.
    Source: arXiv 2510.16629, Section 3, Lemma 3.2.
    """
    X = checks.matrix("X", X)
    columns = X.shape[1]
    y = checks.vector("y", y, length=X.shape[0], of=", one target for each row of X")
    theta = checks.vector("theta", theta, length=columns, of=", like X's rows")
    tests = None if readout is None else checks.matrix("readout", readout, columns=columns)
    times = _times(steps, at)
    with float64():
        weights, fastest = map(
            np.asarray, _ascent_weights(theta, X, y, checks.positive("eta", eta), times)
        )
    with np.errstate(over="ignore", invalid="ignore"):
        moved = theta + weights @ X if tests is None else tests @ theta + weights @ (X @ tests.T)
    if not np.all(np.isfinite(moved)):
        limit = int(np.log(np.finfo(np.float64).max) / fastest)
        raise InputError(
            f"{'steps' if at is None else 'at'}: expected times at which the parameters stay "
            f"finite in float64, about {limit} here; got {times.max():.0f}; use fewer steps, a "
            "smaller eta, or log_distance and log_divergence"
        )
    return moved


@jax.jit
def _log_distances(
    difference: Float[jax.Array, " d"],
    residual: Float[jax.Array, " k"],
    X: Float[jax.Array, "k d"],
    X_test: Float[jax.Array, "m d"],
    eta: Float[jax.Array, ""],
    times: Float[jax.Array, " times"],
) -> Float[jax.Array, " times"]:
    """log[(1/m)‖X_test(difference + Xᵀ Q diag(((1 + g)^t − 1)/λ) Qᵀ residual)‖²] at each time."""
    modes = kernels.forget_modes(X)
    amplitude = (modes.left.T @ residual) / modes.values
    start, readout, rate = X_test @ difference, X_test @ modes.right, kernels.rates(modes, eta)
    return jax.vmap(lambda time: kernels.log_distance(start, readout, amplitude, rate, time))(times)


def _log_curve(
    difference: Float[np.ndarray, " d"],
    residual: Float[np.ndarray, " k"],
    X: Any,
    X_test: Any,
    eta: Any,
    at: Any,
) -> Float[np.ndarray, " times"]:
    X_test = checks.matrix("X_test", X_test, columns=X.shape[1])
    checks.independent_rows("X", X, otherwise="use ascend, which takes them")
    with float64():
        return np.asarray(
            _log_distances(
                difference, residual, X, X_test, checks.positive("eta", eta), checks.times("at", at)
            )
        )


def log_distance(
    theta: Any, target: Any, X: Any, y: Any, X_test: Any, *, eta: float, at: Any
) -> Float[np.ndarray, " times"]:
    """log d(θ_t, target) along the ascent of `ascend` from θ_0 = theta.

    d is the RE distance over the inputs X_test. theta, target (d,), X (k, d) with independent rows,
    y (k,), X_test (m, d), η > 0, at: integer times of any size: exponents are carried as
    logarithms, so that 10⁵ steps and more overflow nothing. −∞ if the distance is 0. Raises
    InputError for bad shapes or values and dependent rows. Source: arXiv 2510.16629, Section 3.
    """
    X = checks.matrix("X", X)
    y = checks.vector("y", y, length=X.shape[0], of=", one target for each row of X")
    theta = checks.vector("theta", theta, length=X.shape[1], of=", like X's rows")
    target = checks.vector("target", target, length=X.shape[1], of=", like X's rows")
    return _log_curve(theta - target, X @ theta - y, X, X_test, eta, at)


def log_divergence(
    theta_a: Any, theta_b: Any, X: Any, X_test: Any, *, eta: float, at: Any
) -> Float[np.ndarray, " times"]:
    """log d(θ_a^t, θ_b^t) if both ascend on the same forget set (Lemma 3.2).

    Their difference is (I + M)^tΔ₀ with M = (2η/k)XᵀX. The targets y cancel. Arguments, limits and
    errors as for `log_distance`. Source: arXiv 2510.16629, Section 3.
    """
    X = checks.matrix("X", X)
    theta_a = checks.vector("theta_a", theta_a, length=X.shape[1], of=", like X's rows")
    theta_b = checks.vector("theta_b", theta_b, length=X.shape[1], of=", like X's rows")
    delta = theta_a - theta_b
    return _log_curve(delta, X @ delta, X, X_test, eta, at)
