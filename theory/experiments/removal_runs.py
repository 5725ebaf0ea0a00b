"""Models and methods behind experiment "removal": every position trained, the forget stage removed
in every way.

Compiled for a batch of instances; call inside `float64()`. The retrained model is the aim of every
choice here: steps stop at the model nearest to it, the span optimum solves for it. "Nearest" is by
RE distance over test and forget inputs together. Methods that take no steps, in the order of
AT_ONCE: see theory/span.py and theory/removal.py.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from protocol import objectives
from protocol.metrics import re_distance
from protocol.orders import positions
from protocol.spec import Method
from theory import kernels, retain, span
from theory.experiments.positions import log_likelihood
from theory.problems.staged import FORGET, RETAIN, Staged, train

ORDERS = positions(RETAIN, FORGET)
STAGES = (*RETAIN, FORGET)
AT_ONCE = ("span optimum", "stage-delta negation", "history-aware removal", "rewind")


class Case(NamedTuple):
    """Instances with their held-out rows divided: inputs to test on, and rows (X, y) to sample
    from, by stage.
    """

    stages: Staged  # its X_test are the test inputs, (..., m, d)
    X_pool: Float[Any, "*batch stages rows d"]
    y_pool: Float[Any, "*batch stages rows"]


class Models(NamedTuple):
    """Of one instance, or a batch: the trained model of each position, the retrained one, and what
    AT_ONCE makes.
    """

    theta: Float[Any, "*batch paths d"]
    reference: Float[Any, "*batch d"]
    at_once: Float[Any, "*batch methods paths d"]


def _learned(case: Staged, order: Any, mu: float) -> Any:
    """Along one order, given as indices of stages: θ_p, δ = T_U φ − φ, L_later δ, and T_later φ
    replayed from φ.
    """

    def learn(models: Any, s: Any) -> tuple[Any, None]:
        theta, delta, carried, replayed = models
        X, y, forgets = case.X[s], case.y[s], s == len(STAGES) - 1
        after, again = (kernels.ridge_stage(model, X, y, mu) for model in (theta, replayed))
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
    """Train every position of a batch of instances, and remove the forget stage by the methods that
    take no steps.
    """
    orders = jnp.array([[STAGES.index(name) for name in order] for order in ORDERS])

    def one(case: Staged) -> Models:
        reference = train(case, RETAIN, STAGES, mu)
        inputs = jnp.concatenate([case.X_test, case.X[-1]])
        reached = span.reach(case.X[-1], inputs)
        theta, delta, carried, replayed = jax.vmap(lambda order: _learned(case, order, mu))(orders)
        best = (
            theta
            + (reference - theta) @ inputs.T @ reached.seen @ reached.to_rows.T @ reached.rows.T
        )
        return Models(theta, reference, jnp.stack([best, theta - delta, theta - carried, replayed]))

    return jax.vmap(one)(cases.stages)


def _nearest(
    start: Float[jax.Array, " d"],
    reference: Float[jax.Array, " d"],
    inputs: Float[jax.Array, "m d"],
    update: Callable[[Any], Any],
    steps: int,
) -> tuple[Float[jax.Array, " d"], Float[jax.Array, ""]]:
    """Of θ_0..θ_T the model nearest to the retrained one, and its step."""

    def step(carry: Any, time: Any) -> tuple[Any, None]:
        theta, best, least, stop = carry
        distance = re_distance(inputs @ theta, inputs @ reference)
        closer = distance < least  # never once θ_t has overflowed
        kept = (
            jnp.where(closer, theta, best),
            jnp.minimum(distance, least),
            jnp.where(closer, time, stop),
        )
        return (theta + update(theta), *kept), None

    start_of = (start, start, jnp.inf, 0.0)
    (_, best, _, stop), _ = jax.lax.scan(step, start_of, jnp.arange(steps + 1.0))
    return best, stop


@partial(jax.jit, static_argnums=(2, 3, 4))
def unlearned(
    cases: Case, models: Models, method: Method, steps: int, eta: float
) -> tuple[Any, Any]:
    """Models (batch, paths, d) and stops (batch, paths) of a method that uses the forget set alone."""
    loss_of = partial(objectives.objective(method.objective), **dict(method.constants))

    def one(start: Any, reference: Any, case: Staged) -> tuple[Any, Any]:
        X, y, length = case.X[-1], case.y[-1], jnp.ones(case.y.shape[-1])
        before = log_likelihood(start, X, y)

        def loss(theta: Float[jax.Array, " d"]) -> Float[jax.Array, ""]:
            losses = loss_of(log_likelihood(theta, X, y), before, length)
            return objectives.reduce_losses(losses, length, reduction=method.reduction)

        inputs = jnp.concatenate([case.X_test, X])
        return _nearest(start, reference, inputs, lambda theta: -eta * jax.grad(loss)(theta), steps)

    return _for_all(one)(models.theta, models.reference, cases.stages)


def _for_all(one: Callable[..., Any]) -> Callable[..., Any]:
    """Over instances, and within an instance over its paths."""
    return jax.vmap(jax.vmap(one, in_axes=(0, None, None)))


@partial(jax.jit, static_argnums=(2, 3, 4))
def grad_diff(
    cases: Case, models: Models, rows: int, steps: int, eta: float, weight: Any, multiple: Any
) -> Any:
    """Models, stops and weights (batch,) of ascent on U with descent on `rows` rows a stage.

    λ = weight + multiple · λ*, one of the two being 0.
    """

    def sampled(case: Staged, X_pool: Any, y_pool: Any) -> tuple[Any, ...]:
        R, y = X_pool[:, :rows].reshape(-1, X_pool.shape[-1]), y_pool[:, :rows].reshape(-1)
        sample = retain.retained_sample(R)
        critical = retain.critical_weight(case.X[-1], sample, R.shape[0])
        chosen = jnp.where(multiple > 0, multiple * critical, weight)
        pull = 2 * chosen / R.shape[0]
        return R, y, pull, jnp.minimum(eta, 1 / (pull * sample.values[0] ** 2)), chosen

    def one(start: Any, reference: Any, data: Any) -> tuple[Any, Any]:
        case, (R, y_retain, pull, size, _) = data
        X, y = case.X[-1], case.y[-1]

        def update(theta: Any) -> Any:
            return size * (
                2 / X.shape[0] * X.T @ (X @ theta - y) - pull * R.T @ (R @ theta - y_retain)
            )

        return _nearest(start, reference, jnp.concatenate([case.X_test, X]), update, steps)

    samples = jax.vmap(sampled)(*cases)
    return *_for_all(one)(models.theta, models.reference, (cases.stages, samples)), samples[-1]
