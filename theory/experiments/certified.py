"""Certified unlearning in the linear model: from which step on added noise no longer hides orders.

Forget set first and last, gradient ascent on both models, N(0, s²I) added to both; s in units of
‖Δ₀‖. Experiment "certified", world "linear":
- a run per noise and ε (setting/noise, /epsilon, /delta, and /steps, the last step): by step the
  hockey-stick divergence at 2ε, hockey_stick with hockey_stick_low and _high, median and quartiles
  over instances. In the examples, an instance being one, at step 0: first_step, the first violating
  step from the closed form; stepped, the first one found on two models ascended step by step (nan
  if none); relapses, how many of the later steps were not violated;
- a run per ε: by step log_noise with _low and _high, the log of the least noise without violation
  up to that step over ‖Δ₀‖; in the examples slope, its growth per step from 10⁶ to 2·10⁶ steps, and
  promised, log(1 + 2ηλ_max/k).
"""

import itertools
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from protocol.errors import InputError
from protocol.orders import positions
from protocol.progress import Progress
from protocol.recorder import Recorder, pair_name
from protocol.records import Result, Run
from theory import certified
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

BATCH = 32  # instances at a time: bounds memory, changes no result
ORDERS = (positions(RETAIN, FORGET)[0], positions(RETAIN, FORGET)[-1])
LATE = 1e6  # steps after which the largest eigenvalue alone is left, but for gaps below about 1e-5
QUARTILES = {"_low": 0.25, "": 0.5, "_high": 0.75}


@dataclass(frozen=True)
class Settings:
    """The step from which noise no longer hides the order, and the noise that would hide it."""

    instances: int = 128
    """Random instances."""
    steps: int = 600
    """Unlearning updates made one by one."""
    every: int = 5
    """Curves are recorded every so many steps."""
    noises: tuple[float, ...] = (0.1, 1.0, 10.0, 1000.0, 1e6)
    """Standard deviations s of the noise, in units of the norm of the initial difference."""
    epsilons: tuple[float, ...] = (0.1, 1.0, 5.0)
    """Values of ε."""
    delta: float = 1e-5
    """δ of the certificate."""
    problem: Problem = Problem()
    """The random problem."""

    def __post_init__(self) -> None:
        counts = (self.instances, self.steps, self.every)
        if min(counts) < 1:
            raise InputError(f"instances, steps, every: expected at least 1 of each; got {counts}")
        if not self.noises or not self.epsilons or min(self.noises) <= 0:
            raise InputError(
                "noises, epsilons: expected some, noises > 0; "
                f"got {self.noises} and {self.epsilons}"
            )
        for epsilon in self.epsilons:
            if np.isinf(certified.critical_ratio(epsilon, self.delta)):
                raise InputError(
                    "delta: expected (1 + e^ε)δ < 1, or nothing is ever violated; "
                    f"got ε = {epsilon:g}"
                )


QUICK = Settings(instances=16, steps=200, noises=(0.1, 1.0, 10.0))


class Measured(NamedTuple):
    """Of one instance or a batch; distances and sizes as logarithms, relative to ‖Δ₀‖."""

    stepped: Float[Any, "*batch points"]  # log ‖Δ_t‖ of two models ascended step by step
    exact: Float[Any, "*batch points"]  # the same from the closed form
    first: Float[Any, "*batch cells"]  # first step above each size
    slope: Float[Any, "*batch"]  # late growth of log ‖Δ_t‖ per step
    promised: Float[Any, "*batch"]  # log(1 + 2ηλ_max/k)


@partial(jax.jit, static_argnums=(1, 2, 3))
def _measure(
    cases: Staged, mu: float, eta: float, steps: int, log_sizes: Float[jax.Array, " cells"]
) -> Measured:
    def of_instance(case: Staged) -> Measured:
        X, y = case.X[-1], case.y[-1]
        models = train_paths(case, ORDERS, (*RETAIN, FORGET), mu)[0]

        def ascend(thetas: Float[jax.Array, "2 d"], _: None) -> tuple[Any, Any]:
            up = 2 / X.shape[0] * (thetas @ X.T - y) @ X
            return thetas + eta * up, jnp.log(jnp.linalg.norm(thetas[0] - thetas[1]))

        stepped = jax.lax.scan(ascend, models, None, length=steps + 1)[1]
        modes = certified.ascent_modes(models[0] - models[1], X)
        at = partial(certified.log_difference, modes, eta)
        exact = jax.vmap(at)(jnp.arange(steps + 1.0))
        first = jax.vmap(lambda size: certified.first_step(modes, eta, size))(log_sizes + exact[0])
        slope = (at(2 * LATE) - at(LATE)) / LATE
        promised = jnp.log1p(2 * eta / X.shape[0] * jnp.linalg.norm(X, ord=2) ** 2)
        return Measured(stepped - exact[0], exact - exact[0], first, slope, promised)

    return jax.vmap(of_instance)(cases)


def measure(settings: Settings, progress: Progress) -> Measured:
    """All instances; cells are noises × ε, ε running faster."""
    ratios = [certified.critical_ratio(epsilon, settings.delta) for epsilon in settings.epsilons]
    sizes = np.add.outer(np.log(settings.noises), np.log(ratios)).ravel()
    parts, problem = [], settings.problem
    for seeds in batches(range(settings.instances), BATCH):
        cases = draw_many(problem, 0, seeds)
        with float64():
            part = _measure(cases, problem.mu, problem.eta, settings.steps, jnp.asarray(sizes))
            parts.append(tuple(map(np.asarray, part)))
        progress("certified unlearning", seeds[-1] + 1, settings.instances)
    return Measured(*map(np.concatenate, zip(*parts, strict=True)))


def _record_curves(
    recorder: Recorder,
    run: Run,
    name: str,
    values: Float[np.ndarray, "instances points"],
    every: int,
) -> None:
    """Median and quartiles over instances, every so many steps."""
    steps = np.arange(0, values.shape[1], every)
    for ending, share in QUARTILES.items():
        quantile = np.quantile(values[:, steps], share, axis=0)
        recorder.curves(run, {name + ending: quantile}, steps=steps)


def _violations(
    measured: Measured, noise: float, epsilon: float, delta: float
) -> dict[str, Float[np.ndarray, " instances"]]:
    """The first violating step of the stepped models, nan if none, and later steps without one."""
    seen = certified.violated(np.exp(measured.stepped) / noise, 1.0, epsilon, delta)
    stepped = np.where(seen.any(axis=1), seen.argmax(axis=1), np.nan)
    later = np.arange(seen.shape[1]) > stepped[:, None]
    return {"stepped": stepped, "relapses": np.sum(later & ~seen, axis=1)}


def _record(recorder: Recorder, settings: Settings, measured: Measured) -> None:
    """Add a run per noise and ε, and a run per ε."""

    def run(*cell: float) -> Run:
        return recorder.run(order=pair_name(*ORDERS), method="GA", key=cell)

    delta, every = settings.delta, settings.every
    cells = itertools.product(settings.noises, settings.epsilons)
    for i, (noise, epsilon) in enumerate(cells):
        cell = run(noise, epsilon)
        values = {"noise": noise, "epsilon": epsilon, "delta": delta, "steps": settings.steps}
        recorder.curves(cell, {f"setting/{name}": value for name, value in values.items()})
        divergence = certified.hockey_stick(np.exp(measured.stepped) / noise, 1.0, 2 * epsilon)
        _record_curves(recorder, cell, "hockey_stick", divergence, every)
        steps = {"first_step": measured.first[:, i]} | _violations(measured, noise, epsilon, delta)
        recorder.examples(cell, {name: step[None] for name, step in steps.items()})
    for epsilon in settings.epsilons:
        cell = run(epsilon)
        recorder.curves(cell, {"setting/epsilon": epsilon, "setting/delta": delta})
        ratio = np.log(certified.critical_ratio(epsilon, delta))
        _record_curves(recorder, cell, "log_noise", measured.exact - ratio, every)
        growth = {"slope": measured.slope[None], "promised": measured.promised[None]}
        recorder.examples(cell, growth)


def run(settings: Settings, progress: Progress) -> Result:
    """Ascend, add noise, compare; experiment "certified".

    progress(label, done, total) counts instances. Source: arXiv 2510.16629, Lemma 3.2; arXiv
    1805.06530, Theorem 8.
    """
    recorder = Recorder("certified", "linear", settings, reference=RETAIN)
    _record(recorder, settings, measure(settings, progress))
    return recorder.result("theory: certified unlearning")
