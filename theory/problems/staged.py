"""The random problem of several stages that the linear experiments share, and its training.

The paper's stages keep their names: three retained ones and the forget stage, which is last
among the data whatever the order of training. The stages share a part of their features and of
their targets; a seed is an instance, drawn afresh. Drawn by NumPy outside compiled programs;
instance i of a base is the same whatever else is drawn with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from protocol.errors import InputError
from protocol.orders import Order, retrained
from theory import kernels
from theory.kernels import Scalar
from theory.problems.instances import Array, Family, rows

RETAIN = ("inst", "tofu", "math")
FORGET = "safety"


@dataclass(frozen=True)
class Problem:
    """Sizes and constants of the linear model; every stage has n rows, so k = n."""

    d: int = 200
    """Number of parameters."""
    n: int = 40
    """Rows of every stage."""
    held_out: int = 20
    """Rows kept from each retained stage for testing."""
    mu: float = 1.0
    """Ridge weight of training."""
    eta: float = 0.3
    """Step size of unlearning."""
    overlap: float = 0.3
    """Share of the features' variance in `factors` directions common to all stages."""
    factors: int = 10
    """Number of directions common to all stages."""
    teacher: float = 0.5
    """Share of the targets' variance explained by a model common to all stages; the rest is the
    stage's own.
    """
    noise: float = 0.1
    """Standard deviation of the targets' noise."""

    def __post_init__(self) -> None:
        if self.held_out * len(RETAIN) <= self.n:
            raise InputError(
                f"held_out: expected more than n/{len(RETAIN)} rows of each retained stage, so "
                f"that m > k; got {self.held_out} for n = {self.n}"
            )


class Staged(NamedTuple):
    """Stages with the forget stage last, stacked, and the held-out rows of the retained ones."""

    X: Float[Array, "*batch stages n d"]
    y: Float[Array, "*batch stages n"]
    X_test: Float[Array, "*batch m d"]
    y_test: Float[Array, "*batch m"]


def draw(problem: Problem, base: int, seed: int, stages: int = len(RETAIN) + 1) -> Staged:
    """Instance `seed`: rows of mean square norm 1, targets xθ*_s + noise of variance about 1."""
    rng = np.random.default_rng([base, seed])
    d, n, held_out = problem.d, problem.n, problem.held_out
    factors, shared = rng.standard_normal((problem.factors, d)), rng.standard_normal(d)
    X, y = np.empty((stages, n + held_out, d)), np.empty((stages, n + held_out))
    for s in range(stages):
        X[s] = rows(rng, n + held_out, factors, Family(overlap=problem.overlap))
        own = rng.standard_normal(d)
        theta = np.sqrt(problem.teacher) * shared + np.sqrt(1 - problem.teacher) * own
        y[s] = X[s] @ theta + problem.noise * rng.standard_normal(n + held_out)
    return Staged(X[:, :n], y[:, :n], X[:-1, n:].reshape(-1, d), y[:-1, n:].reshape(-1))


def draw_many(
    problem: Problem, base: int, seeds: Sequence[int], stages: int = len(RETAIN) + 1
) -> Staged:
    """The instances of several seeds, stacked along a leading axis."""
    drawn = (draw(problem, base, seed, stages) for seed in seeds)
    return Staged(*(np.stack(parts) for parts in zip(*drawn, strict=True)))


def batches(seeds: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """The seeds in pieces of at most `size`."""
    return (seeds[low : low + size] for low in range(0, len(seeds), size))


def train(case: Staged, order: Order, names: Order, mu: Scalar) -> Float[jax.Array, " d"]:
    """The model after the stages of `order`, ridge stages from θ₀ = 0.

    names: those of the stages, as stacked.
    """
    theta = jnp.zeros(case.X.shape[-1])
    for name in order:
        stage = names.index(name)
        theta = kernels.ridge_stage(theta, case.X[stage], case.y[stage], mu)
    return theta


def train_paths(
    case: Staged, orders: Sequence[Order], names: Order, mu: Scalar
) -> tuple[Float[jax.Array, "paths d"], Float[jax.Array, " d"]]:
    """Every order's model before unlearning, and the retrained model they have in common."""
    paths = jnp.stack([train(case, order, names, mu) for order in orders])
    return paths, train(case, retrained(orders[0], names[-1]), names, mu)
