"""Claims T1, T2, T3 on an ensemble of random instances of several shapes, in float64.

Each check is one compiled program per shape, vmapped over instances in chunks. T1 is checked for
the forget set U = B and for an independent U. One run per shape and forget set, whose order reads
"A>B" for U = B and "A>B|U" for the independent U: it stands for the pair of paths A>B and B>A.
Values per instance go to the examples table, the step being the one checked (see
protocol/claims/linear/theorem.py); `example` numbers the instances through all shapes.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
import polars as pl
from jaxtyping import Float

from protocol.errors import InputError
from protocol.progress import Progress
from protocol.records import Result, Run, Tables, gathered
from protocol.spec import canonical, digest
from theory.experiments import instance_checks
from theory.numerics import float64
from theory.problems.instances import Instance, Shape, draw_many

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
    """Seed of all."""

    def __post_init__(self) -> None:
        if self.instances < 1 or not self.shapes:
            raise InputError(
                f"settings: expected at least 1 shape and 1 instance of each; got "
                f"{len(self.shapes)} shapes, "
                f"{self.instances} instances"
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


# metric, 0 for U = B or 1 for the independent U, steps and values (instances, checks)
Column = tuple[str, int, np.ndarray, np.ndarray]


def _columns(cases: Instance, lemma_steps: int) -> Iterable[Column]:
    """Every value of a batch of instances of one shape; each program ends before the next one
    starts.
    """
    paths = jax.block_until_ready(_trained(cases))
    delta = paths.ab - paths.ba
    start = np.zeros((delta.shape[0], 1))
    for choice, X_forget in enumerate((cases.X_b, cases.X_u)):
        bound = jax.block_until_ready(_bound(delta, X_forget, cases.X_test, cases.eta))
        yield "bound_log_slack", choice, np.asarray(bound.steps), np.asarray(bound.slack)
        for metric, value in (
            ("t0", bound.t0),
            ("sigma", bound.terms.sigma),
            ("projected_difference", bound.terms.projected),
        ):
            yield metric, choice, start, np.asarray(value)[:, None]
        if choice == 0:
            violation = _violation(paths, bound, cases)
            yield (
                "violation_log_margin",
                0,
                np.asarray(violation.steps),
                np.asarray(violation.margin),
            )
    yield (
        "lemma_error",
        0,
        start + lemma_steps,
        np.asarray(_lemma_error(paths, cases, lemma_steps))[:, None],
    )


def _runs(shape: Shape, settings: Settings, spec: str) -> list[Run]:
    head: Mapping[str, Any] = {
        "spec": spec, "experiment": "theorem", "world": "linear", "model": shape.name, "reference": "A", "method": (
            "GA"
        ),
        "seed": settings.seed,
    }  # fmt: skip
    orders = (("A>B", 2), ("A>B|U", 0))
    return [Run(run=digest([head, order]), order=order, position=p, **head) for order, p in orders]


def _frames(columns: Iterable[Column], runs: list[Run], first: int) -> Iterable[pl.DataFrame]:
    """Example rows of a batch whose instances are numbered from `first`."""
    for metric, choice, steps, values in columns:
        example = np.repeat(np.arange(first, first + values.shape[0]), values.shape[1])
        which = np.full(values.size, choice)
        step = steps.astype(np.int64).ravel()
        yield gathered(runs, which, step=step, metric=metric, value=values.ravel(), example=example)


def run(settings: Settings, progress: Progress) -> Result:
    """Draw and check settings.instances of every shape; experiment "theorem" of the linear world.

    progress(label, done, total) counts instances. Raises InputError for settings without instances.
    Source: arXiv 2510.16629, Theorem 3.1, Corollary 1, Lemma 3.2.
    """
    started = time.perf_counter()
    spec = digest(settings)
    frames: list[pl.DataFrame] = []
    total, done = len(settings.shapes) * settings.instances, 0
    with float64():
        for number, shape in enumerate(Shape(*sizes) for sizes in settings.shapes):
            runs, first = _runs(shape, settings, spec), number * settings.instances
            for low in range(first, first + settings.instances, CHUNK):
                indices = range(low, min(low + CHUNK, first + settings.instances))
                columns = _columns(draw_many(settings.seed, indices, shape), settings.lemma_steps)
                frames.extend(_frames(columns, runs, low))
                done += len(indices)
                progress("theorem ensemble", done, total)
    tables = Tables.from_frames(examples=frames)
    return Result(
        tables,
        {spec: canonical(settings)},
        (("theory: theorem ensemble", time.perf_counter() - started),),
    )
