"""The computations of experiment "span": trained models, their bounds, trajectories and distances.

Pure JAX over batches of instances of the staged problem, to be called inside `float64()`. Path p
has index p − 1; pairs p < q are in lexicographic order. Distances are over the held-out inputs of
the retained stages.
"""

import itertools
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from protocol.orders import positions
from protocol.spec import Method
from theory import span
from theory.problems.staged import FORGET, RETAIN, Staged, train_paths
from theory.unlearning import Gradient, Optimizer, descend, trajectory

ORDERS = positions(RETAIN, FORGET)
PAIRS = np.array(list(itertools.combinations(range(len(ORDERS)), 2)))


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
    """How near the runs of a method came; one instance, or a batch."""

    best: Float[Any, "*batch paths"]
    best_step: Int[Any, "*batch paths"]
    outside_best: Float[Any, "*batch paths"]
    outside: Float[Any, "*batch paths"]
    closest: Float[Any, "*batch pairs"]
    closest_step: Int[Any, "*batch pairs"]


@partial(jax.jit, static_argnums=1)
def prepare(cases: Staged, mu: float) -> tuple[Prepared, Geometry]:
    """Train a batch of instances and measure what bounds their unlearning, inside `float64()`."""

    def of_instance(
        case: Staged,
    ) -> tuple[Float[jax.Array, "paths d"], Float[jax.Array, " d"], Geometry]:
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

    starts, reference, geometry = jax.vmap(of_instance)(cases)
    return Prepared(cases, starts, reference), geometry


def _informed(case: Staged, reference: Float[jax.Array, " d"]) -> Gradient:
    """V (X_test V)⁺ X_test(θ − θ_r), V a basis of row(X_U): a gradient on U that knows θ_r.

    It points at the span floor.
    """
    reached = span.reach(case.X[-1], case.X_test)
    return lambda theta: (
        reached.rows @ (reached.to_rows @ (reached.seen.T @ (case.X_test @ (theta - reference))))
    )


@partial(jax.jit, static_argnums=(1, 3))
def trajectories(
    prepared: Prepared, method: Method | None, optimizer: Optimizer, steps: int
) -> Float[jax.Array, "batch paths points d"]:
    """θ_0..θ_T of every path of a batch of instances; call it inside `float64()`.

    Method None is the informed gradient.
    """

    def of_instance(
        case: Staged, starts: Float[jax.Array, "paths d"], reference: Float[jax.Array, " d"]
    ) -> Float[jax.Array, "paths points d"]:
        X, y = case.X[-1], case.y[-1]
        informed = _informed(case, reference)

        def path(start: Float[jax.Array, " d"]) -> Float[jax.Array, "points d"]:
            if method is None:
                return descend(start, informed, optimizer, steps)
            return trajectory(start, X, y, method, optimizer, steps)

        return jax.vmap(path)(starts)

    return jax.vmap(of_instance)(*prepared)


@jax.jit
def follow(prepared: Prepared, thetas: Float[jax.Array, "batch paths points d"]) -> Followed:
    """How near the trajectories of a batch of instances came; call it inside `float64()`."""

    def of_instance(
        case: Staged, starts: Any, reference: Float[jax.Array, " d"], theta: Any
    ) -> Followed:
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

    return jax.vmap(of_instance)(*prepared, thetas)
