"""Claims T1, T2, T3 on an ensemble of random instances of several shapes, in float64.

Each check is one compiled program per shape, vmapped over instances in chunks. T1 is checked for
the forget set U = B and for an independent U. One run per shape and forget set, whose order reads
"A>B" for U = B and "A>B|U" for the independent U: it names the pair of paths A>B and B>A.
Values per instance go to the examples table, the step being the one checked (see
protocol/claims/linear/theorem.py); `example` numbers the instances through all shapes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from protocol.errors import InputError
from protocol.progress import Progress
from protocol.recorder import Recorder
from protocol.records import Result, Run
from protocol.spec import digest
from theory.experiments import instance_checks
from theory.numerics import float64
from theory.problems.instances import Instance, Shape, draw_many
from theory.problems.staged import batches

SHAPES = (
    Shape(20, 5, 4, 4),
    Shape(20, 6, 8, 30),
    Shape(50, 20, 10, 15),
    Shape(60, 30, 20, 20),
    Shape(120, 20, 10, 40),
    Shape(200, 40, 40, 60),
    Shape(200, 40, 20, 160),
    Shape(400, 20, 40, 80),
)
CHUNK = 75  # instances at a time: bounds memory; a last, smaller batch costs one more compilation


@dataclass(frozen=True)
class Settings:
    """The ensemble of claims T1–T3."""

    shapes: tuple[tuple[int, int, int, int], ...] = SHAPES
    """Shapes (d, n, k, m)."""
    instances: int = 300
    """Instances of each shape."""
    lemma_steps: int = 200
    """Updates over which Lemma 3.2 is followed."""
    seed: int = 0
    """Seed of all instances."""

    def __post_init__(self) -> None:
        if self.instances < 1 or not self.shapes:
            raise InputError(
                "settings: expected at least 1 shape and 1 instance of each; "
                f"got {len(self.shapes)} shapes, {self.instances} instances"
            )


QUICK = Settings(SHAPES[1::2], instances=75)

_trained = jax.jit(jax.vmap(instance_checks.trained))
_bound = jax.jit(jax.vmap(instance_checks.bound))
_violation = jax.jit(jax.vmap(instance_checks.violation))


@partial(jax.jit, static_argnums=2)
def _lemma_error(
    paths: instance_checks.Paths, cases: Instance, steps: int
) -> Float[jax.Array, " instances"]:
    return jax.vmap(lambda p, case: instance_checks.lemma_error(p, case, steps))(paths, cases)


class Checked(NamedTuple):
    """One metric of a batch of instances of one shape, for U = B or for the independent U."""

    metric: str
    independent: bool
    steps: Float[np.ndarray, "instances checks"]
    values: Float[np.ndarray, "instances checks"]


def _checked(cases: Instance, lemma_steps: int) -> Iterator[Checked]:
    """Every metric of a batch of instances; each program ends before the next one starts."""
    paths = jax.block_until_ready(_trained(cases))
    delta = paths.ab - paths.ba
    start = np.zeros((delta.shape[0], 1))
    for independent, X_forget in ((False, cases.X_b), (True, cases.X_u)):
        bound = jax.block_until_ready(_bound(delta, X_forget, cases.X_test, cases.eta))
        slack = np.asarray(bound.slack)
        yield Checked("bound_log_slack", independent, np.asarray(bound.steps), slack)
        terms = {
            "t0": bound.t0,
            "sigma": bound.terms.sigma,
            "projected_difference": bound.terms.projected,
        }
        for metric, values in terms.items():
            yield Checked(metric, independent, start, np.asarray(values)[:, None])
        if not independent:
            violation = _violation(paths, bound, cases)
            steps, margin = np.asarray(violation.steps), np.asarray(violation.margin)
            yield Checked("violation_log_margin", False, steps, margin)
    error = np.asarray(_lemma_error(paths, cases, lemma_steps))[:, None]
    yield Checked("lemma_error", False, start + lemma_steps, error)


def _run(recorder: Recorder, model: str, order: str, position: int, seed: int) -> Run:
    head = {
        "spec": recorder.spec,
        "experiment": "theorem",
        "world": "linear",
        "model": model,
        "reference": "A",
        "method": "GA",
        "seed": seed,
    }
    run = recorder.run(order=order, position=position, model=model, method="GA", seed=seed)
    return replace(run, run=digest([head, order]))


def run(settings: Settings, progress: Progress) -> Result:
    """Draw and check settings.instances of every shape; experiment "theorem" of the linear side.

    progress(label, done, total) counts instances. Raises InputError for settings without instances.
    Source: arXiv 2510.16629, Theorem 3.1, Corollary 1, Lemma 3.2.
    """
    recorder = Recorder("theorem", "linear", settings, spec=digest(settings), reference="A")
    total, done = len(settings.shapes) * settings.instances, 0
    with float64():
        for number, shape in enumerate(Shape(*sizes) for sizes in settings.shapes):
            trained_last = _run(recorder, shape.name, "A>B", 2, settings.seed)
            independent = _run(recorder, shape.name, "A>B|U", 0, settings.seed)
            first = number * settings.instances
            for indices in batches(range(first, first + settings.instances), CHUNK):
                cases = draw_many(settings.seed, indices, shape)
                for checked in _checked(cases, settings.lemma_steps):
                    run = independent if checked.independent else trained_last
                    values = {checked.metric: checked.values[None]}
                    steps = checked.steps.astype(np.int64)
                    recorder.examples(run, values, steps=steps, numbers=indices)
                done += len(indices)
                progress("theorem ensemble", done, total)
    return recorder.result("theory: theorem ensemble")
