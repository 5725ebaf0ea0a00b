"""The paths p = 1..P of the paper in the linear model: forget stage at each position, then GA, NPO
and SimNPO.

log π_i(θ) = −(x_i θ − y_i)², the constant dropped, so that gradient ascent by plain gradient steps
with `mean` reduction is the theorem's ascent; the losses are those of `protocol.objectives`,
differentiated by JAX. NPO's reference is the model before unlearning. A seed is an instance of
`staged.Problem`. Metrics by step 0..T: see protocol/records.py; re_distance/test is over held-out
inputs of the retained stages, re_distance/forget over the forget set's inputs, both to the model
trained without the forget stage.
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import objectives
from protocol.metrics import re_distance
from protocol.orders import Order, retrained
from protocol.progress import Progress
from protocol.records import Result, Run, Tables, gathered, order_name
from protocol.spec import Experiment, Method, canonical, digest, named_methods
from theory.numerics import float64
from theory.problems.staged import (
    FORGET,
    RETAIN,
    Problem,
    Staged,
    batches,
    draw_many,
    train_paths,
)

BATCH = 64  # instances at a time: bounds memory, changes no result


@dataclass(frozen=True)
class Settings:
    """The positions experiment of the linear model."""

    instances: int = 256
    """Number of instances."""
    steps: int = 20
    """Unlearning updates."""
    methods: tuple[str, ...] = ("GA", "NPO", "SimNPO", "SimNPO-beta1")
    """Unlearning methods."""
    problem: Problem = Problem()
    """The random problem."""


QUICK = Settings(instances=32)


def experiment(settings: Settings = Settings()) -> Experiment:
    """The positions experiment as both worlds describe it."""
    return Experiment(
        name="positions",
        world="linear",
        model="linear",
        retain=RETAIN,
        forget=FORGET,
        methods=named_methods(settings.methods),
        steps=settings.steps,
        seeds=tuple(range(settings.instances)),
        settings=settings.problem,
    )


class Curves(NamedTuple):
    """Metrics at steps 0..T."""

    label_loglik: Float[jax.Array, "*runs points"]
    retain_loglik: Float[jax.Array, "*runs points"]
    grad_norm: Float[jax.Array, "*runs points"]
    test_distance: Float[jax.Array, "*runs points"]
    forget_distance: Float[jax.Array, "*runs points"]


def log_likelihood(
    theta: Float[jax.Array, " d"], X: Float[jax.Array, "n d"], y: Float[jax.Array, " n"]
) -> Float[jax.Array, " n"]:
    """log π_i = −(x_i θ − y_i)², constant dropped, in nats."""
    return -((X @ theta - y) ** 2)


def unlearn(
    start: Float[jax.Array, " d"],
    reference: Float[jax.Array, " d"],
    case: Staged,
    *,
    method: Method,
    steps: int,
    eta: float,
) -> Curves:
    """T = steps updates θ ← θ − η∇L(θ) on the forget set from `start`; `reference` is the retrained
    model θ_r.
    """
    X, y = case.X[-1], case.y[-1]
    length = jnp.ones_like(y)
    loss_of = partial(objectives.objective(method.objective), **dict(method.constants))
    before = log_likelihood(start, X, y)

    def loss(theta: Float[jax.Array, " d"]) -> Float[jax.Array, ""]:
        losses = loss_of(log_likelihood(theta, X, y), before, length)
        return objectives.reduce_losses(losses, length, reduction=method.reduction)

    def step(theta: Float[jax.Array, " d"], _: None) -> tuple[Float[jax.Array, " d"], Curves]:
        gradient = jax.grad(loss)(theta)
        measured = Curves(
            label_loglik=jnp.mean(log_likelihood(theta, X, y)),
            retain_loglik=jnp.mean(log_likelihood(theta, case.X_test, case.y_test)),
            grad_norm=jnp.linalg.norm(gradient),
            test_distance=re_distance(case.X_test @ theta, case.X_test @ reference),
            forget_distance=re_distance(X @ theta, X @ reference),
        )
        return theta - eta * gradient, measured

    return jax.lax.scan(step, start, None, length=steps + 1)[1]


@partial(jax.jit, static_argnums=(1, 2))
def unlearn_many(cases: Staged, spec: Experiment, method: Method) -> Curves:
    """Curves (instances, paths, T + 1) of one method on a batch of instances."""

    def one(case: Staged) -> Curves:
        starts, reference = train_paths(
            case, spec.orders, (*spec.retain, spec.forget), spec.settings.mu
        )
        run = partial(unlearn, method=method, steps=spec.steps, eta=spec.settings.eta)
        return jax.vmap(lambda start: run(start, reference, case))(starts)

    return jax.vmap(one)(cases)


METRICS = {
    "label_loglik": "label_loglik",
    "retain_loglik": "retain_loglik",
    "grad_norm": "grad_norm",
    "re_distance/test": "test_distance",
    "re_distance/forget": "forget_distance",
}


def _run(spec: Experiment, name: str, method: Method, seed: int, order: Order) -> Run:
    return Run(
        run=digest([name, method.name, seed, order]),
        spec=name,
        experiment=spec.name,
        world=spec.world,
        model=spec.model,
        order=order_name(order),
        position=order.index(spec.forget) + 1,
        reference=order_name(retrained(order, spec.forget)),
        method=method.name,
        seed=seed,
    )


def _frames(runs: list[Run], measured: Curves) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    """Records of every metric and step; examples of retain_loglik before and after, an instance
    being one example.
    """
    flat = {
        metric: np.asarray(getattr(measured, field)).reshape(len(runs), -1)
        for metric, field in METRICS.items()
    }
    points = flat["label_loglik"].shape[1]
    which, step = np.divmod(np.arange(len(runs) * points), points)
    records = [
        gathered(runs, which, step=step, metric=m, value=value.ravel()) for m, value in flat.items()
    ]
    ends = np.array([0, points - 1])
    which, step = np.repeat(np.arange(len(runs)), 2), np.tile(ends, len(runs))
    value = flat["retain_loglik"][:, ends].ravel()
    example = np.zeros_like(which)
    return records, [
        gathered(runs, which, step=step, metric="retain_loglik", value=value, example=example)
    ]


def run(settings: Settings, progress: Progress) -> Result:
    """Train and unlearn every instance, path and method; experiment "positions" of the linear
    world.

    progress(label, done, total) counts instances × methods. Source: arXiv 2510.16629, Sections 3
    and 4.
    """
    started = time.perf_counter()
    spec = experiment(settings)
    name = digest(spec)
    records, examples, done = [], [], 0
    for seeds in batches(spec.seeds, BATCH):
        cases = draw_many(spec.settings, spec.base, seeds)
        for method in spec.methods:
            with float64():
                measured = unlearn_many(cases, spec, method)
                runs = [
                    _run(spec, name, method, seed, order) for seed in seeds for order in spec.orders
                ]
                more_records, more_examples = _frames(runs, measured)
            records += more_records
            examples += more_examples
            done += len(seeds)
            progress("linear positions", done, len(spec.seeds) * len(spec.methods))
    timing = ("theory: linear positions", time.perf_counter() - started)
    return Result(Tables.from_frames(records, examples), {name: canonical(spec)}, (timing,))
