"""The computations of experiment "removal": trained models, and the forget stage removed from them.

Compiled for a batch of instances; call it inside `float64()`. Every choice aims at the retrained
model: steps stop at the model nearest to it, the span optimum solves for it. "Nearest" is by RE
distance over test and forget inputs together. Methods without steps, in the order of AT_ONCE: see
theory/span.py and theory/removal.py.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from protocol.metrics import re_distance
from protocol.orders import positions
from protocol.spec import Method
from theory import kernels, retain, span
from theory.problems.staged import FORGET, RETAIN, Staged, train
from theory.unlearning import Descent, descend, trajectory

ORDERS = positions(RETAIN, FORGET)
STAGES = (*RETAIN, FORGET)
AT_ONCE = ("span optimum", "stage-delta negation", "history-aware removal", "rewind")


class Case(NamedTuple):
    """Instances whose held-out rows are divided: inputs to test on, rows to sample from."""

    stages: Staged  # its X_test are the test inputs, (..., m, d)
    X_pool: Float[Any, "*batch stages rows d"]
    y_pool: Float[Any, "*batch stages rows"]


class Models(NamedTuple):
    """Of one instance, or a batch: trained model by position, retrained model, those of AT_ONCE."""

    theta: Float[Any, "*batch paths d"]
    reference: Float[Any, "*batch d"]
    at_once: Float[Any, "*batch methods paths d"]


def _learned(case: Staged, order: Any, mu: float) -> Any:
    """Models along one order, given as indices of stages.

    θ_p, δ = T_U φ − φ, L_later δ, and T_later φ replayed from φ.
    """

    def learn(models: Any, s: Any) -> tuple[Any, None]:
        theta, delta, carried, replayed = models
        X, y, forgets = case.X[s], case.y[s], s == len(STAGES) - 1
        after = kernels.ridge_stage(theta, X, y, mu)
        again = kernels.ridge_stage(replayed, X, y, mu)
        through = kernels.ridge_stage(carried, X, jnp.zeros_like(y), mu)
        moved = after - theta
        return (
            after,
            jnp.where(forgets, moved, delta),
            jnp.where(forgets, moved, through),
            jnp.where(forgets, replayed, again),
        ), None

    return jax.lax.scan(learn, (jnp.zeros(case.X.shape[-1]),) * 4, order)[0]


@partial(jax.jit, static_argnums=1)
def trained(cases: Case, mu: float) -> Models:
    """Train every position of a batch of instances; remove the forget stage by all of AT_ONCE."""
    orders = jnp.array([[STAGES.index(name) for name in order] for order in ORDERS])

    def of_instance(case: Staged) -> Models:
        reference = train(case, RETAIN, STAGES, mu)
        inputs = jnp.concatenate([case.X_test, case.X[-1]])
        reached = span.reach(case.X[-1], inputs)
        theta, delta, carried, replayed = jax.vmap(lambda order: _learned(case, order, mu))(orders)
        best = (
            theta
            + (reference - theta) @ inputs.T @ reached.seen @ reached.to_rows.T @ reached.rows.T
        )
        return Models(theta, reference, jnp.stack([best, theta - delta, theta - carried, replayed]))

    return jax.vmap(of_instance)(cases.stages)


def _nearest(
    thetas: Float[jax.Array, "points d"],
    reference: Float[jax.Array, " d"],
    inputs: Float[jax.Array, "m d"],
) -> tuple[Float[jax.Array, " d"], Float[jax.Array, ""]]:
    """Of θ_0..θ_T the model nearest to the retrained one, and its step."""
    distances = jax.lax.map(lambda theta: re_distance(inputs @ theta, inputs @ reference), thetas)
    stop = jnp.nanargmin(distances)  # nan once θ_t has overflowed
    return thetas[stop], stop.astype(thetas.dtype)


def _for_all(of_path: Callable[..., Any]) -> Callable[..., Any]:
    """Over instances, and within an instance over its paths."""
    return jax.vmap(jax.vmap(of_path, in_axes=(0, None, None)))


@partial(jax.jit, static_argnums=(2, 3, 4))
def unlearned(
    cases: Case, models: Models, method: Method, steps: int, eta: float
) -> tuple[Any, Any]:
    """Models (batch, paths, d) and stops (batch, paths) of a method on the forget set alone."""

    def of_path(start: Any, reference: Any, case: Staged) -> tuple[Any, Any]:
        X, y = case.X[-1], case.y[-1]
        thetas = trajectory(start, X, y, method, Descent(eta), steps)
        return _nearest(thetas, reference, jnp.concatenate([case.X_test, X]))

    return _for_all(of_path)(models.theta, models.reference, cases.stages)


class Sample(NamedTuple):
    """The retained rows of one instance, the weight λ of their descent and the step size."""

    R: Float[Any, "rows d"]
    y: Float[Any, " rows"]
    weight: Float[Any, ""]
    eta: Float[Any, ""]


@partial(jax.jit, static_argnums=(2, 3, 4))
def grad_diff(
    cases: Case, models: Models, rows: int, steps: int, eta: float, weight: Any, multiple: Any
) -> Any:
    """Models, stops and weights (batch,) of ascent on U with descent on `rows` rows a stage.

    λ = weight + multiple · λ*, one of the two being 0.
    """

    def sampled(case: Staged, X_pool: Any, y_pool: Any) -> Sample:
        R, y = X_pool[:, :rows].reshape(-1, X_pool.shape[-1]), y_pool[:, :rows].reshape(-1)
        basis = retain.retained_sample(R)
        critical = retain.critical_weight(case.X[-1], basis, R.shape[0])
        used = jnp.where(multiple > 0, multiple * critical, weight)
        curvature = 2 * used / R.shape[0] * basis.values[0] ** 2
        return Sample(R, y, used, jnp.minimum(eta, 1 / curvature))

    def of_path(start: Any, reference: Any, data: Any) -> tuple[Any, Any]:
        case, sample = data
        X, y = case.X[-1], case.y[-1]
        pull = 2 * sample.weight / sample.R.shape[0]

        def slope(theta: Any) -> Any:
            up = 2 / X.shape[0] * X.T @ (X @ theta - y)
            return pull * sample.R.T @ (sample.R @ theta - sample.y) - up

        thetas = descend(start, slope, Descent(sample.eta), steps)
        return _nearest(thetas, reference, jnp.concatenate([case.X_test, X]))

    samples = jax.vmap(sampled)(*cases)
    return *_for_all(of_path)(
        models.theta, models.reference, (cases.stages, samples)
    ), samples.weight
