"""Nine ways to remove the forget stage from the same trained models, and how near each one comes.

A method can be local, path-oblivious or retrain-equivalent, but not all three. The forget stage is
learned at each position p among the retained ones, then removed.
GA, NPO, SimNPO: T steps on the forget set. GradDiff: ascent on the forget set, descent with weight
λ on fresh rows of the retained stages, on a small sample (λ = `weight`) and on one that spans all
directions (λ = `multiple` · λ*); step size η, or the inverse of the descent's largest curvature if
smaller. All of these stop at the step ≤ T whose model is nearest to the retrained one: an oracle,
no stopping rule could do better. Span optimum: the best model that gradients on the forget set can
reach. Stage-delta negation, history-aware removal, rewind: theory/removal.py. "Nearest" and "best"
are by RE distance over test and forget inputs together. Experiment "removal", a run per method,
position and instance; metrics at step 0: nothing/part and best/part, RE distance to the retrained
model before and after, part ∈ {test, forget, all}; relative_error = ‖θ − θ_r‖/‖θ_r‖ after; stop,
the step, 0 for methods without steps; for GradDiff setting/sample and setting/weight.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from protocol.errors import InputError
from protocol.progress import Progress
from protocol.recorder import Recorder
from protocol.records import Result
from protocol.spec import named_methods
from theory.experiments.removal_runs import (
    AT_ONCE,
    ORDERS,
    Case,
    Models,
    grad_diff,
    trained,
    unlearned,
)
from theory.numerics import float64
from theory.problems.staged import RETAIN, Problem, Staged, batches, draw_many

BATCH = 32  # instances at a time: bounds memory, changes no result
GRAD_DIFF = ("GradDiff, small sample", "GradDiff, spanning sample")


@dataclass(frozen=True)
class Settings:
    """Nine ways to remove the forget stage, learned at every position."""

    instances: int = 64
    """Number of instances."""
    steps: int = 100
    """Unlearning updates T."""
    methods: tuple[str, ...] = ("GA", "NPO", "SimNPO")
    """Unlearning methods on the forget set alone."""
    tests: int = 20
    """Held-out rows of each retained stage to test on; the others are sampled from."""
    small: int = 15
    """Rows of each retained stage in the small sample, fewer than d in all."""
    spanning: int = 80
    """Rows of each retained stage in the spanning sample, at least d in all."""
    weight: float = 1.0
    """Weight λ of the small sample."""
    multiple: float = 1.1
    """Weight of the spanning sample, as a multiple of λ*."""
    problem: Problem = Problem(d=100, n=20, held_out=100)
    """The random problem."""

    def __post_init__(self) -> None:
        d, left = self.problem.d, self.problem.held_out - self.tests
        if not (
            self.instances > 0 < self.steps
            and 0 < len(RETAIN) * self.small < d <= len(RETAIN) * self.spanning
        ):
            raise InputError(
                "settings: expected instances and steps ≥ 1, a small sample below and a spanning "
                f"one of at least d/{len(RETAIN)} rows a stage, d = {d}; "
                f"got small {self.small}, spanning {self.spanning}"
            )
        if self.tests < 1 or self.spanning > left:
            raise InputError(
                "problem.held_out: expected at least tests + spanning = "
                f"{self.tests + self.spanning} rows, tests ≥ 1; got {self.problem.held_out}"
            )


QUICK = Settings(instances=8, steps=60)


def drawn(settings: Settings, seeds: Sequence[int]) -> Case:
    """The instances of some seeds."""
    cases = draw_many(settings.problem, 0, seeds)
    by_stage = (len(seeds), len(RETAIN), settings.problem.held_out)
    X, y = cases.X_test.reshape(*by_stage, -1), cases.y_test.reshape(by_stage)
    tests = X[:, :, : settings.tests].reshape(len(seeds), -1, settings.problem.d)
    kept = Staged(cases.X, cases.y, tests, y[:, :, : settings.tests].reshape(len(seeds), -1))
    return Case(kept, X[:, :, settings.tests :], y[:, :, settings.tests :])


class Outcome(NamedTuple):
    """What a method made of a batch of instances."""

    method: str
    theta: Float[np.ndarray, "batch paths d"]
    stop: Float[np.ndarray, "batch paths"]
    settings: dict[str, Float[np.ndarray, "batch paths"]]


def _outcomes(cases: Case, models: Models, settings: Settings) -> Iterator[Outcome]:
    """Every method in turn, each a program of its own."""
    eta, zero = settings.problem.eta, np.zeros(models.theta.shape[:2])
    for method in named_methods(settings.methods):
        theta, stop = unlearned(cases, models, method, settings.steps, eta)
        yield Outcome(method.name, np.asarray(theta), np.asarray(stop), {})
    samples = ((settings.small, settings.weight, 0.0), (settings.spanning, 0.0, settings.multiple))
    for name, (rows, weight, multiple) in zip(GRAD_DIFF, samples, strict=True):
        theta, stop, used = grad_diff(cases, models, rows, settings.steps, eta, weight, multiple)
        sample = {
            "setting/sample": zero + len(RETAIN) * rows,
            "setting/weight": zero + np.asarray(used)[:, None],
        }
        yield Outcome(name, np.asarray(theta), np.asarray(stop), sample)
    for i, name in enumerate(AT_ONCE):
        yield Outcome(name, np.asarray(models.at_once)[:, i], zero, {})


def _metrics(
    outcome: Outcome, cases: Case, models: Models
) -> dict[str, Float[np.ndarray, "batch paths"]]:
    """Everything measured of a method, by instance and path."""
    test, forget = cases.stages.X_test, cases.stages.X[:, -1]
    parts = {"test": test, "forget": forget, "all": np.concatenate([test, forget], axis=1)}
    reference = np.asarray(models.reference)[:, None]
    metrics = {"stop": outcome.stop, **outcome.settings}
    for when, theta in (("nothing", np.asarray(models.theta)), ("best", outcome.theta)):
        for part, X in parts.items():
            metrics[f"{when}/{part}"] = np.mean(
                ((theta - reference) @ X.swapaxes(1, 2)) ** 2, axis=-1
            )
    size = np.linalg.norm(reference, axis=-1)
    return metrics | {"relative_error": np.linalg.norm(outcome.theta - reference, axis=-1) / size}


def run(settings: Settings, progress: Progress) -> Result:
    """Train, remove and measure; progress(label, done, total) counts instances."""
    recorder = Recorder("removal", "linear", settings, reference=RETAIN)
    for seeds in batches(range(settings.instances), BATCH):
        cases = drawn(settings, seeds)
        with float64():
            models = jax.block_until_ready(trained(cases, settings.problem.mu))
            for outcome in _outcomes(cases, models, settings):
                runs = recorder.paths(ORDERS, method=outcome.method, seeds=seeds)
                recorder.curves(runs, _metrics(outcome, cases, models))
        progress("removal", seeds[-1] + 1, settings.instances)
    return recorder.result("theory: removal")
