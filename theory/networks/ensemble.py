"""All seeds and paths of an experiment in one compiled program, over as many devices as JAX sees.

A seed shuffles the rows; data and initial parameters come from the base and are common to all
seeds. What is trained is given by paths of row numbers (see `training`), (seeds, paths + 1, steps,
batch): the last path of a seed leads to its retrained model. So one program serves every order, and
the mixture too. The seeds are spread over the devices (padded by the last one to a multiple of
their number); parameters and data are on all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from protocol.orders import Order
from protocol.spec import Method
from theory import checks
from theory.networks import models, training, unlearning
from theory.networks.models import Network, Parameters
from theory.networks.tasks import Task
from theory.networks.training import Path, Recipe, stacked, staged_path
from theory.networks.unlearning import Logits, Prompts

Array = Any


@dataclass(frozen=True)
class Plan:
    """What is compiled: the network, how it is trained and how it is unlearned."""

    network: Network
    recipe: Recipe
    methods: tuple[Method, ...]
    steps: int
    optimizer: str = "sgd"
    lr: float = 0.1
    parameters: bool = False  # whether the parameters of every step are returned

    def __post_init__(self) -> None:
        checks.positive("lr", self.lr)


class Data(NamedTuple):
    """Initial parameters, the rows of all stages, and the prompts."""

    start: Parameters
    inputs: Array
    answers: Array
    prompts: Prompts


class Trained(NamedTuple):
    """Parameters before unlearning and logits on the prompts of every part.

    The last path is the retrained model.
    """

    models: Parameters  # (seeds, paths + 1, ...)
    logits: Logits


def data(network: Network, task: Task, base: int) -> Data:
    """The task as the compiled program takes it.

    The forget stage is the last of the task.
    """
    rows = task.answers.size
    features, tests = task.inputs.shape[2:], task.test_inputs[:-1]
    prompts = Prompts(
        task.inputs[-1],
        task.answers[-1],
        tests.reshape(-1, *features),
        task.test_answers[:-1].ravel(),
        task.test_inputs[-1],
    )
    parts = (task.inputs.reshape(rows, *features), task.answers.ravel(), prompts)
    return Data(models.initial(network, base), *jax.tree.map(_default, parts))


def _default(array: np.ndarray) -> jax.Array:
    return jnp.asarray(array, dtype=float if array.dtype.kind == "f" else jnp.int32)


def staged_paths(
    names: Order,
    orders: Sequence[Order],
    kept: Order,
    rows: int,
    recipe: Recipe,
    *,
    base: int,
    seeds: Sequence[int],
) -> Path:
    """The path of every order under every seed, the retrained model's order `kept` last.

    names: the stages as the task stacks them.
    """
    numbers = [[names.index(stage) for stage in order] for order in (*orders, kept)]
    length = max(map(len, orders))
    by_seed = []
    for seed in seeds:
        batches = training.stage_batches(names, rows, recipe, base=base, seed=seed)
        paths = [staged_path(batches, order, length=length) for order in numbers]
        by_seed.append(stacked(paths))
    return stacked(by_seed)


def mixture_paths(
    names: Order, count: int, rows: int, recipe: Recipe, *, base: int, seeds: Sequence[int]
) -> Path:
    """`count` shuffles of the mixture of all stages under every seed, and the retrained path.

    The retrained path is the last: a shuffle of the mixture without the last stage. Shuffle 0 of
    seed s and of the retrained mixture are independent: what is mixed is part of the generator's
    seed.
    """
    mixture = partial(training.mixture_path, rows=rows, recipe=recipe, base=base, length=len(names))
    leaves = [[mixture(names, seed=seed, shuffle=p) for p in range(count)] for seed in seeds]
    kept = [mixture(names[:-1], seed=seed, shuffle=0) for seed in seeds]
    return stacked([stacked([*paths, last]) for paths, last in zip(leaves, kept, strict=True)])


def devices_mesh() -> Mesh:
    """All devices of JAX's default backend in one axis, "seeds"."""
    return Mesh(np.array(jax.devices()), ("seeds",))


def _spread(array: np.ndarray, mesh: Mesh) -> jax.Array:
    """`array` over the devices by its leading axis, padded by its last entry to fill them."""
    missing = -array.shape[0] % mesh.size
    padded = np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])
    return jax.device_put(padded, NamedSharding(mesh, PartitionSpec("seeds")))


def _unlearn(
    plan: Plan, given: Data, start: Parameters, reference: Logits, method: Array
) -> dict[str, Array]:
    """By metric (T + 1, ...), of the method of that number."""
    apply, prompts = models.apply(plan.network), given.prompts

    def measure(parameters: Parameters) -> dict[str, Array]:
        logits = unlearning.part_logits(apply, parameters, prompts)
        metrics = unlearning.measured(prompts, logits, reference)
        if plan.parameters:
            metrics["parameters"] = ravel_pytree(parameters)[0]
        return metrics

    return unlearning.unlearn(
        apply,
        start,
        prompts.forget,
        prompts.forget_answers,
        loss_of=partial(unlearning.losses_of(plan.methods), method),
        optimizer=training.optimizer(plan.optimizer, plan.lr),
        steps=plan.steps,
        measure=measure,
    )


@partial(jax.jit, static_argnums=0)
def _program(plan: Plan, given: Data, paths: Path) -> tuple[Trained, dict[str, Array]]:
    apply = models.apply(plan.network)

    def of_seed(paths: Path) -> tuple[Trained, dict[str, Array]]:
        train = partial(
            training.train, apply, given.start, given.inputs, given.answers, recipe=plan.recipe
        )
        trained = jax.vmap(lambda path: train(path=path))(paths)
        logits_of = jax.vmap(lambda model: unlearning.part_logits(apply, model, given.prompts))
        logits = logits_of(trained)
        leaves = jax.tree.map(lambda leaf: leaf[:-1], trained)
        reference = jax.tree.map(lambda leaf: leaf[-1], logits)
        follow = partial(_unlearn, plan, given, reference=reference)
        by_path = jax.vmap(lambda start, method: follow(start, method=method), (0, None))
        by_method = jax.vmap(by_path, (None, 0))
        return Trained(trained, logits), by_method(leaves, jnp.arange(len(plan.methods)))

    return jax.vmap(of_seed)(paths)


def run(plan: Plan, given: Data, paths: Path) -> tuple[Trained, dict[str, jax.Array]]:
    """Train every path, unlearn all but each seed's last by every method.

    Returns arrays (seeds, methods, paths, T + 1) by metric. outputs/part are centred logits, (...,
    T + 1, prompts, c); parameters, where the plan asks for them, flat vectors, (..., T + 1, d).
    Arrays stay on the devices, spread over them by seed.
    """
    seeds = paths.rows.shape[0]
    mesh = devices_mesh()
    everywhere = jax.device_put(given, NamedSharding(mesh, PartitionSpec()))
    padded = _program(plan, everywhere, Path(*(_spread(part, mesh) for part in paths)))
    if seeds % mesh.size == 0:
        return padded
    return jax.tree.map(lambda leaf: leaf[:seeds], padded)
