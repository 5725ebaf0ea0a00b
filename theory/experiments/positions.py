"""The paths p = 1..P of the paper in the linear model, unlearned by GA, NPO and SimNPO.

The forget stage is learned at position p, then unlearned by plain gradient steps
(theory/unlearning.py). A seed is an instance of `staged.Problem`. Metrics by step 0..T: see
protocol/records.py; re_distance/test is over held-out inputs of the retained stages,
re_distance/forget over the forget set's inputs, both to the model trained without the forget stage.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from protocol.metrics import re_distance
from protocol.progress import Progress
from protocol.recorder import Recorder
from protocol.records import Result
from protocol.spec import Experiment, Method, digest, named_methods
from theory import unlearning
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
from theory.unlearning import Descent, log_likelihood

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
    """The positions experiment as both sides describe it."""
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


def unlearn(
    start: Float[jax.Array, " d"],
    reference: Float[jax.Array, " d"],
    case: Staged,
    *,
    method: Method,
    steps: int,
    eta: float,
) -> Curves:
    """T = steps gradient steps on the forget set from `start`; `reference` is the retrained θ_r."""
    X, y = case.X[-1], case.y[-1]
    slope = unlearning.gradient(start, X, y, method)

    def measured(theta: Float[jax.Array, " d"]) -> Curves:
        return Curves(
            label_loglik=jnp.mean(log_likelihood(theta, X, y)),
            retain_loglik=jnp.mean(log_likelihood(theta, case.X_test, case.y_test)),
            grad_norm=jnp.linalg.norm(slope(theta)),
            test_distance=re_distance(case.X_test @ theta, case.X_test @ reference),
            forget_distance=re_distance(X @ theta, X @ reference),
        )

    thetas = unlearning.trajectory(start, X, y, method, Descent(eta), steps)
    return jax.lax.map(measured, thetas)


@partial(jax.jit, static_argnums=(1, 2))
def unlearn_many(cases: Staged, spec: Experiment, method: Method) -> Curves:
    """Curves (instances, paths, T + 1) of one method on a batch of instances."""

    def of_instance(case: Staged) -> Curves:
        starts, reference = train_paths(
            case, spec.orders, (*spec.retain, spec.forget), spec.settings.mu
        )
        run = partial(unlearn, method=method, steps=spec.steps, eta=spec.settings.eta)
        return jax.vmap(lambda start: run(start, reference, case))(starts)

    return jax.vmap(of_instance)(cases)


METRICS = {
    "label_loglik": "label_loglik",
    "retain_loglik": "retain_loglik",
    "grad_norm": "grad_norm",
    "re_distance/test": "test_distance",
    "re_distance/forget": "forget_distance",
}


def run(settings: Settings, progress: Progress) -> Result:
    """Train and unlearn every instance, path and method; experiment "positions" of the linear side.

    progress(label, done, total) counts instances × methods. Source: arXiv 2510.16629, Sections 3
    and 4.
    """
    spec = experiment(settings)
    recorder = Recorder(spec.name, spec.world, spec, spec=digest(spec), reference=spec.retain)
    done, total = 0, len(spec.seeds) * len(spec.methods)
    for seeds in batches(spec.seeds, BATCH):
        cases = draw_many(spec.settings, spec.base, seeds)
        for method in spec.methods:
            with float64():
                measured = Curves(*map(np.asarray, unlearn_many(cases, spec, method)))
            runs = recorder.paths(spec.orders, method=method.name, seeds=seeds)
            curves = {metric: getattr(measured, field) for metric, field in METRICS.items()}
            recorder.curves(runs, curves)
            ends = measured.retain_loglik[..., [0, -1]].reshape(len(runs), 1, 2)
            recorder.examples(runs, {"retain_loglik": ends}, steps=np.array([0, spec.steps]))
            done += len(seeds)
            progress("linear positions", done, total)
    return recorder.result("theory: linear positions")
