"""What experiment "span" runs: optimizers, gradients on the forget set, trajectories, and what is
read off them.

Pure JAX over batches of instances of the staged problem, to be called inside `float64()`. Paths p =
1..P stand at index p − 1, pairs p < q in lexicographic order. Distances are over the held-out
inputs of the retained stages.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped, unused-ignore]
from jaxtyping import Float, Int

from protocol import objectives
from protocol.orders import positions
from protocol.spec import Method
from theory import span
from theory.experiments.positions import log_likelihood
from theory.kernels import Scalar
from theory.problems.staged import FORGET, RETAIN, Staged, train_paths

ORDERS = positions(RETAIN, FORGET)
PAIRS = np.array(list(itertools.combinations(range(len(ORDERS)), 2)))
Gradient = Callable[[Float[jax.Array, " d"]], Float[jax.Array, " d"]]


class Descent(NamedTuple):
    """Gradient steps of size eta with heavy-ball momentum and weight decay, either may be 0;
    numbers may be traced.
    """

    eta: Scalar
    momentum: Scalar = 0.0
    decay: Scalar = 0.0

    def transformation(self) -> optax.GradientTransformation:
        """As optax has it; the decay is added to the gradient."""
        return optax.chain(
            optax.add_decayed_weights(self.decay), optax.sgd(self.eta, momentum=self.momentum)
        )


class Adam(NamedTuple):
    """Adam with its usual constants."""

    eta: Scalar

    def transformation(self) -> optax.GradientTransformation:
        """As optax has it."""
        return optax.adam(self.eta)


class Geometry(NamedTuple):
    """What bounds the paths of one instance, or of a batch; metrics of the oracle's runs."""

    nothing: Float[Any, "*batch paths"]
    floor: Float[Any, "*batch paths"]
    shrunk: Float[Any, "*batch paths"]
    shrink: Float[Any, "*batch paths"]
    pair_floor: Float[Any, "*batch pairs"]


class Prepared(NamedTuple):
    """A batch of instances with their models before unlearning and the retrained model."""

    cases: Staged
    starts: Float[Any, "batch paths d"]
    reference: Float[Any, "batch d"]


class Followed(NamedTuple):
    """What a method's runs tell; one instance, or a batch."""

    best: Float[Any, "*batch paths"]
    best_step: Int[Any, "*batch paths"]
    outside_best: Float[Any, "*batch paths"]
    outside: Float[Any, "*batch paths"]
    closest: Float[Any, "*batch pairs"]
    closest_step: Int[Any, "*batch pairs"]


@partial(jax.jit, static_argnums=1)
def prepare(cases: Staged, mu: float) -> tuple[Prepared, Geometry]:
    """Train a batch of instances and measure what bounds their unlearning; call it inside
    `float64()`.
    """

    def one(case: Staged) -> tuple[Float[jax.Array, "paths d"], Float[jax.Array, " d"], Geometry]:
        starts, reference = train_paths(case, ORDERS, (*RETAIN, FORGET), mu)
        reached = span.reach(case.X[-1], case.X_test)
        floor = jax.vmap(lambda delta: span.floor(delta, reached, case.X_test))
        shrunk, shrink = jax.vmap(
            lambda start: span.shrunk(start, reference, reached, case.X_test)
        )(starts)
        nothing = jnp.mean(((starts - reference) @ case.X_test.T) ** 2, axis=-1)
        apart = starts[PAIRS[:, 0]] - starts[PAIRS[:, 1]]
        return (
            starts,
            reference,
            Geometry(nothing, floor(starts - reference), shrunk, shrink, floor(apart)),
        )

    starts, reference, geometry = jax.vmap(one)(cases)
    return Prepared(cases, starts, reference), geometry


def _gradient(start: Float[jax.Array, " d"], case: Staged, method: Method) -> Gradient:
    """∇L of a method's loss on the forget set; its reference is the model before unlearning."""
    X, y = case.X[-1], case.y[-1]
    length = jnp.ones_like(y)
    loss_of = partial(objectives.objective(method.objective), **dict(method.constants))
    before = log_likelihood(start, X, y)

    def loss(theta: Float[jax.Array, " d"]) -> Float[jax.Array, ""]:
        losses = loss_of(log_likelihood(theta, X, y), before, length)
        return objectives.reduce_losses(losses, length, reduction=method.reduction)

    return jax.grad(loss)


def _informed(case: Staged, reference: Float[jax.Array, " d"]) -> Gradient:
    """V (X_test V)⁺ X_test(θ − θ_r), V a basis of row(X_U): a gradient on U that knows θ_r and
    points at the floor.
    """
    reached = span.reach(case.X[-1], case.X_test)
    return lambda theta: (
        reached.rows @ (reached.to_rows @ (reached.seen.T @ (case.X_test @ (theta - reference))))
    )


@partial(jax.jit, static_argnums=(1, 3))
def trajectories(
    prepared: Prepared, method: Method | None, optimizer: Descent | Adam, steps: int
) -> Float[jax.Array, "batch paths points d"]:
    """θ_0..θ_T of every path of a batch of instances; method None is the informed one. Inside
    `float64()`.
    """
    steps_of = optimizer.transformation()

    def path(start: Float[jax.Array, " d"], gradient: Gradient) -> Float[jax.Array, "points d"]:
        def step(carried: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], Any]:
            theta, state = carried
            update, state = steps_of.update(gradient(theta), state, theta)
            return (optax.apply_updates(theta, update), state), theta

        return jax.lax.scan(step, (start, steps_of.init(start)), None, length=steps + 1)[1]

    def one(
        case: Staged, starts: Float[jax.Array, "paths d"], reference: Float[jax.Array, " d"]
    ) -> Any:
        if method is None:
            informed = _informed(case, reference)
            return jax.vmap(lambda start: path(start, informed))(starts)
        return jax.vmap(lambda start: path(start, _gradient(start, case, method)))(starts)

    return jax.vmap(one)(*prepared)


@jax.jit
def follow(prepared: Prepared, thetas: Float[jax.Array, "batch paths points d"]) -> Followed:
    """What the trajectories of a batch of instances tell; call it inside `float64()`."""

    def one(case: Staged, starts: Any, reference: Float[jax.Array, " d"], theta: Any) -> Followed:
        outputs = theta @ case.X_test.T  # (paths, points, m)
        distance = jnp.mean((outputs - case.X_test @ reference) ** 2, axis=-1)
        apart = jnp.mean((outputs[PAIRS[:, 0]] - outputs[PAIRS[:, 1]]) ** 2, axis=-1)
        best = jnp.argmin(distance, axis=-1)
        rows = span.row_basis(case.X[-1])
        outside = jax.vmap(lambda end, start: span.outside(end - start, rows))
        nearest = jnp.take_along_axis(theta, best[:, None, None], axis=1)[:, 0]
        return Followed(
            distance.min(axis=-1),
            best,
            outside(nearest, starts),
            outside(theta[:, -1], starts),
            apart.min(axis=-1),
            jnp.argmin(apart, axis=-1),
        )

    return jax.vmap(one)(*prepared, thetas)
