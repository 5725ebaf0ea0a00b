"""Training in stages with optax: a path lists the rows of every batch, so an order is data.

Rows are numbered through all stages: row i of stage s of n rows is s·n + i. Every stage begins with
a fresh optimizer state and minimises the mean of −log π over a batch. A batch of row numbers −1
trains nothing: it fills up a shorter path, so that one program serves paths with and without the
forget stage, and the mixture too. The rows of a stage are shuffled by (base, seed, stage name),
never by its position: two paths that begin alike are equal until they part.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped, unused-ignore]
from jax.flatten_util import ravel_pytree
from jaxtyping import Bool, Int

from protocol.errors import InputError, known
from theory import checks
from theory.networks.models import Apply, Parameters, log_likelihood

Array = Any
NOTHING = -1  # row number of a batch that trains nothing
OPTIMIZERS = {"sgd": optax.sgd, "adam": optax.adam}


@dataclass(frozen=True)
class Recipe:
    """How a stage is trained."""

    optimizer: str = "adam"
    """sgd or adam, at a constant rate."""
    lr: float = 0.003
    """Learning rate."""
    batch: int = 32
    """Rows of a batch."""
    epochs: int = 10
    """Passes over the rows of a stage."""

    def __post_init__(self) -> None:
        known("optimizer", self.optimizer, list(OPTIMIZERS))
        checks.positive("lr", self.lr)
        if self.batch < 1 or self.epochs < 1:
            raise InputError(
                f"batch, epochs: expected at least 1 of each; got {self.batch} and {self.epochs}"
            )


class Path(NamedTuple):
    """Row numbers of every batch in turn, and whether a stage begins with it."""

    rows: Int[Array, "*runs steps batch"]
    begins: Bool[Array, "*runs steps"]


def optimizer(name: str, lr: float) -> optax.GradientTransformation:
    """The optax optimizer of that name."""
    return OPTIMIZERS[known("optimizer", name, list(OPTIMIZERS))](lr)


def _generator(base: int, seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([base, seed, zlib.crc32(name.encode())])


def _shuffled(
    rng: np.random.Generator, numbers: Int[np.ndarray, " rows"], recipe: Recipe
) -> Int[np.ndarray, "steps batch"]:
    """Batches of a stage: all rows once an epoch, each epoch in an order of its own."""
    if numbers.size % recipe.batch:
        raise InputError(
            f"batch: expected a divisor of the {numbers.size} rows of a stage; got {recipe.batch}"
        )
    epochs = [rng.permutation(numbers) for _ in range(recipe.epochs)]
    return np.concatenate(epochs).reshape(-1, recipe.batch).astype(np.int32)


def stage_batches(
    names: Sequence[str], rows: int, recipe: Recipe, *, base: int, seed: int
) -> Int[np.ndarray, "stages steps batch"]:
    """The batches of every stage under one seed, for stages of `rows` rows each."""
    numbers = np.arange(len(names) * rows).reshape(len(names), rows)
    pairs = zip(names, numbers, strict=True)
    return np.stack([_shuffled(_generator(base, seed, name), part, recipe) for name, part in pairs])


def staged_path(
    batches: Int[np.ndarray, "stages steps batch"], order: Sequence[int], *, length: int
) -> Path:
    """The stages of `order` (their numbers) one after another, filled up to `length` stages."""
    steps, batch = batches.shape[1:]
    rows = np.full((length * steps, batch), NOTHING, dtype=np.int32)
    rows[: len(order) * steps] = batches[list(order)].reshape(-1, batch)
    return Path(rows, np.arange(length * steps) % steps == 0)


def mixture_path(
    names: Sequence[str],
    rows: int,
    recipe: Recipe,
    *,
    base: int,
    seed: int,
    shuffle: int,
    length: int,
) -> Path:
    """All rows × epochs of the stages `names`, the first of all, shuffled into one long stage."""
    numbers = np.tile(np.arange(len(names) * rows), recipe.epochs)
    rng = _generator(base, seed, f"mixture {shuffle} of {' '.join(names)}")
    mixed = _shuffled(rng, numbers, replace(recipe, epochs=1)).reshape(len(names), -1, recipe.batch)
    path = staged_path(mixed, range(len(names)), length=length)
    return path._replace(begins=np.arange(path.begins.size) == 0)


def stacked(paths: Sequence[Path]) -> Path:
    """Paths of one length along a new leading axis."""
    return Path(*(np.stack(parts) for parts in zip(*paths, strict=True)))


def train(
    apply: Apply, start: Parameters, inputs: Array, answers: Array, path: Path, recipe: Recipe
) -> Parameters:
    """Parameters after a path; inputs (rows, ...) and answers (rows,) of all stages together."""
    update = optimizer(recipe.optimizer, recipe.lr)
    first, unravel = ravel_pytree(start)  # one array: the program is compiled several times sooner
    fresh = update.init(first)  # depends on the shapes alone

    def loss(parameters: Array, rows: Array) -> Array:
        return -jnp.mean(log_likelihood(apply, unravel(parameters), inputs[rows], answers[rows]))

    def step(carry: tuple, batch: Path) -> tuple:
        parameters, state = carry
        state = _where(batch.begins, fresh, state)
        change, state = update.update(jax.grad(loss)(parameters, batch.rows), state, parameters)
        trained = optax.apply_updates(parameters, change)
        return (_where(batch.rows[0] == NOTHING, parameters, trained), state), None

    return unravel(jax.lax.scan(step, (first, fresh), path)[0][0])


def _where(condition: Array, yes: Parameters, no: Parameters) -> Parameters:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
