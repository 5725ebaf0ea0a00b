"""Certified unlearning in the linear model: when two orders show through added noise, and how much
noise hides them.

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

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
from jaxtyping import Float

from protocol.errors import InputError
from protocol.orders import positions
from protocol.progress import Progress
from protocol.records import Result, Run, Tables, gathered, order_name
from protocol.spec import canonical, digest
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
    """How soon two orders show through noise, and the noise that hides them."""

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
                f"noises, epsilons: expected some, noises > 0; got {self.noises} and "
                f"{self.epsilons}"
            )
        for epsilon in self.epsilons:
            if np.isinf(certified.critical_ratio(epsilon, self.delta)):
                raise InputError(
                    f"delta: expected (1 + e^ε)δ < 1, or nothing is ever violated; got ε = "
                    f"{epsilon:g}"
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
    def one(case: Staged) -> Measured:
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

    return jax.vmap(one)(cases)


def measure(settings: Settings, progress: Progress) -> Measured:
    """All instances; cells are noises × ε, ε running faster."""
    critical = [
        np.log(certified.critical_ratio(epsilon, settings.delta)) for epsilon in settings.epsilons
    ]
    sizes = np.add.outer(np.log(settings.noises), critical).ravel()
    parts = []
    for seeds in batches(range(settings.instances), BATCH):
        cases, problem = draw_many(settings.problem, 0, seeds), settings.problem
        with float64():
            found = _measure(cases, problem.mu, problem.eta, settings.steps, jnp.asarray(sizes))
            parts.append(tuple(map(np.asarray, found)))
        progress("certified unlearning", seeds[-1] + 1, settings.instances)
    return Measured(*map(np.concatenate, zip(*parts, strict=True)))


def _run(spec: str, cell: tuple[float, ...]) -> Run:
    order = "|".join(map(order_name, ORDERS))
    return Run(
        run=digest([spec, *cell]),
        spec=spec,
        experiment="certified",
        world="linear",
        model="linear",
        order=order,
        position=0,
        reference=order_name(RETAIN),
        method="GA",
        seed=0,
    )


def _curves(
    run: Run, name: str, values: Float[np.ndarray, "instances points"], every: int
) -> Iterator[pl.DataFrame]:
    """Median and quartiles over instances by step."""
    step = np.arange(0, values.shape[1], every)
    for ending, share in QUARTILES.items():
        middle = np.quantile(values[:, step], share, axis=0)
        yield gathered([run], 0 * step, step=step, metric=name + ending, value=middle)


def _settings(run: Run, values: dict[str, float]) -> Iterator[pl.DataFrame]:
    here = np.zeros(1, np.int64)
    for name, value in values.items():
        yield gathered([run], here, step=here, metric=f"setting/{name}", value=np.array([value]))


def _examples(
    run: Run, values: dict[str, Float[np.ndarray, " instances"]]
) -> Iterator[pl.DataFrame]:
    for name, told in values.items():
        instance = np.arange(told.size)
        yield gathered(
            [run],
            0 * instance,
            step=0 * instance,
            metric=name,
            value=told.astype(float),
            example=instance,
        )


def _cell(
    measured: Measured, noise: float, epsilon: float, delta: float
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Divergence at 2ε (instances, points), and what the stepped models say of the first violation."""
    ratio = np.exp(measured.stepped) / noise
    seen = certified.violated(ratio, 1.0, epsilon, delta)
    stepped = np.where(seen.any(axis=1), seen.argmax(axis=1), np.nan)
    later = np.arange(seen.shape[1]) > stepped[:, None]
    return certified.hockey_stick(ratio, 1.0, 2 * epsilon), {
        "stepped": stepped,
        "relapses": np.sum(later & ~seen, axis=1),
    }


def _frames(
    settings: Settings, spec: str, measured: Measured
) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    records: list[pl.DataFrame] = []
    examples: list[pl.DataFrame] = []
    cells = [(noise, epsilon) for noise in settings.noises for epsilon in settings.epsilons]
    for i, (noise, epsilon) in enumerate(cells):
        run = _run(spec, (noise, epsilon))
        curve, told = _cell(measured, noise, epsilon, settings.delta)
        values = {
            "noise": noise,
            "epsilon": epsilon,
            "delta": settings.delta,
            "steps": float(settings.steps),
        }
        records += _settings(run, values)
        records += _curves(run, "hockey_stick", curve, settings.every)
        examples += _examples(run, {"first_step": measured.first[:, i], **told})
    for epsilon in settings.epsilons:
        run = _run(spec, (epsilon,))
        ratio = np.log(certified.critical_ratio(epsilon, settings.delta))
        records += _settings(run, {"epsilon": epsilon, "delta": settings.delta})
        records += _curves(run, "log_noise", measured.exact - ratio, settings.every)
        examples += _examples(run, {"slope": measured.slope, "promised": measured.promised})
    return records, examples


def run(settings: Settings, progress: Progress) -> Result:
    """Ascend, add noise, compare; experiment "certified".

    progress(label, done, total) counts instances. Source: arXiv 2510.16629, Lemma 3.2; arXiv
    1805.06530, Theorem 8.
    """
    started, spec = time.perf_counter(), digest(["certified", canonical(settings)])
    records, examples = _frames(settings, spec, measure(settings, progress))
    timing = ("theory: certified unlearning", time.perf_counter() - started)
    return Result(Tables.from_frames(records, examples), {spec: canonical(settings)}, (timing,))
