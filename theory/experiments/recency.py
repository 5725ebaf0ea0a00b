"""Recency in the linear model: how often the forget set is forgotten slowest if it was learned
last.

Cells differ from a base problem in one setting: ridge weight μ, shared variance of the stages'
features (overlap), shared variance of their targets (teacher), number of stages. Every cell has the
same number of random instances; those of different μ are the same ones. Forgetting is the growth
f(t) − f(0) of the forget loss under gradient ascent, exact at every t, the forget score of a
log-likelihood −(xθ − y)². Experiment "recency" of the records:
- a run per cell, order "all paths", position 0. By step last_slowest, the share of instances in
  which p = last has grown least, and in the examples table, an instance being one, recency_rank,
  its rank by growth, 1 = slowest. At step 0 instances (their number), last_slowest_limit (for t →
  ∞, by the top eigendirection), setting/mu, /overlap, /teacher, /stages, and setting/base, 1 for
  the base problem; and for the criteria "each" component and "summed" from the top:
  last_dominates/CRITERION, the share of instances in which p = last is below every other path,
  dominated/CRITERION, the number of pairs of paths it orders, over all instances, times the steps,
  and obeyed/CRITERION, at how many of them growth follows that order;
- a run per path of the base problem (position 0: the retrained model). Examples, an eigendirection
  being one, largest eigenvalue first: squared_component, the mean over instances of c_j².
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.errors import InputError
from protocol.orders import Order, positions
from protocol.progress import Progress
from protocol.records import Result, Run, Tables, gathered, order_name, tables
from protocol.spec import canonical, digest
from theory import recency
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
ROUNDING = 1e-9  # of a logarithm: growth that is equal but for rounding obeys
CRITERIA = ("each", "summed")


@dataclass(frozen=True)
class Settings:
    """How often p = last is forgotten slowest, by step, ridge weight, what the stages share, and
    their number.
    """

    instances: int = 256
    """Instances of every cell."""
    times: tuple[int, ...] = (1, 2, 5, 10, 20, 60, 200, 1000, 10_000)
    """Steps at which the paths are ranked."""
    mus: tuple[float, ...] = (0.01, 0.1, 1.0, 3.0, 10.0, 100.0)
    """Ridge weights."""
    overlaps: tuple[float, ...] = (0.0, 0.3, 0.6, 0.9)
    """Shares of the features' variance in common directions."""
    teachers: tuple[float, ...] = (0.0, 0.5, 1.0)
    """Shares of the targets' variance from a common model."""
    stages: tuple[int, ...] = (3, 4, 5, 6)
    """Numbers of stages, the forget stage included."""
    problem: Problem = Problem()
    """The base problem, of four stages."""

    def __post_init__(self) -> None:
        if (
            self.instances < 1
            or not self.times
            or min(self.times) < 1
            or min(self.stages, default=2) < 2
        ):
            raise InputError(
                "settings: expected at least 1 instance, times ≥ 1 and at least 2 stages; got "
                f"{self.instances} instances, times {self.times}, stages {self.stages}"
            )


QUICK = Settings(
    instances=64,
    times=(1, 5, 20, 60, 1000),
    mus=(0.1, 10.0),
    overlaps=(0.0, 0.9),
    teachers=(0.0, 1.0),
    stages=(3,),
)


class Cell(NamedTuple):
    """One problem with one number of stages."""

    problem: Problem
    stages: int

    @property
    def retain(self) -> Order:
        """Names of the retained stages: the paper's, and numbers where there are more or fewer."""
        return (
            RETAIN
            if self.stages == len(RETAIN) + 1
            else tuple(f"retain{i + 1}" for i in range(self.stages - 1))
        )


class Measured(NamedTuple):
    """What one cell tells; paths p = 1..P by position, instances first."""

    log_growth: Float[np.ndarray, "instances paths times"]
    components: Float[
        np.ndarray, "instances models k"
    ]  # of the paths and, last, of the retrained model


def cells(settings: Settings) -> tuple[Cell, ...]:
    """The base cell first, then every other one once."""
    base = Cell(settings.problem, len(RETAIN) + 1)
    found = [base]
    found += [base._replace(problem=replace(base.problem, mu=mu)) for mu in settings.mus]
    found += [
        base._replace(problem=replace(base.problem, overlap=overlap))
        for overlap in settings.overlaps
    ]
    found += [
        base._replace(problem=replace(base.problem, teacher=teacher))
        for teacher in settings.teachers
    ]
    found += [base._replace(stages=count) for count in settings.stages]
    return tuple(dict.fromkeys(found))


@partial(jax.jit, static_argnums=1)
def _measure(
    cases: Staged,
    retain: Order,
    mu: Float[jax.Array, ""],
    eta: Float[jax.Array, ""],
    times: Float[jax.Array, " times"],
) -> tuple[Float[jax.Array, "batch paths times"], Float[jax.Array, "batch models k"]]:
    """Log growth of every path and the components of all models of a batch of instances."""

    def one(case: Staged) -> tuple[Float[jax.Array, "paths times"], Float[jax.Array, "models k"]]:
        paths, reference = train_paths(case, positions(retain, FORGET), (*retain, FORGET), mu)
        found = recency.residuals(jnp.vstack([paths, reference]), case.X[-1], case.y[-1])
        gain = 2 * eta / case.y.shape[-1]
        growth = jax.vmap(lambda time: recency.log_growth(found, gain, time), out_axes=1)(times)
        return growth[:-1], found.components

    return jax.vmap(one)(cases)


def measure(group: list[Cell], settings: Settings) -> Iterator[tuple[Cell, Measured]]:
    """Every cell of a group that differs in μ alone: the instances are drawn once."""
    parts: dict[Cell, list[tuple[np.ndarray, ...]]] = {cell: [] for cell in group}
    for seeds in batches(range(settings.instances), BATCH):
        cases = draw_many(group[0].problem, 0, seeds, group[0].stages)
        with float64():
            times = jnp.asarray(settings.times, jnp.float64)
            for cell in group:
                found = _measure(cases, cell.retain, cell.problem.mu, cell.problem.eta, times)
                parts[cell].append(tuple(map(np.asarray, found)))
    return (
        (cell, Measured(*map(np.concatenate, zip(*found, strict=True))))
        for cell, found in parts.items()
    )


def _dominance(measured: Measured) -> Iterator[tuple[int, str, float]]:
    """What the criteria on the components say about the paths, and how far growth follows them."""
    power, growth = measured.components[:, :-1] ** 2, measured.log_growth
    other = ~np.eye(power.shape[1], dtype=bool)
    follows = growth[:, :, None] <= growth[:, None, :] + ROUNDING  # (instances, a, b, times)
    for name in CRITERIA:
        ordered = recency.below(power, summed=name == "summed") & other
        yield 0, f"last_dominates/{name}", float(np.mean(np.all(ordered[:, -1, :-1], axis=-1)))
        yield 0, f"dominated/{name}", float(np.sum(ordered) * growth.shape[-1])
        yield 0, f"obeyed/{name}", float(np.sum(follows & ordered[..., None]))


def _values(
    cell: Cell, base: bool, measured: Measured, times: tuple[int, ...]
) -> Iterator[tuple[int, str, float]]:
    """The records of a cell."""
    for name in ("mu", "overlap", "teacher"):
        yield 0, f"setting/{name}", getattr(cell.problem, name)
    yield from ((0, "setting/stages", cell.stages), (0, "setting/base", base))
    yield 0, "instances", measured.log_growth.shape[0]
    top = np.abs(measured.components[:, :-1, 0])
    yield 0, "last_slowest_limit", float(np.mean(metrics.recency(top) == 1))
    yield from _dominance(measured)
    for i, step in enumerate(times):
        yield (
            step,
            "last_slowest",
            float(np.mean(metrics.recency(measured.log_growth[..., i]) == 1)),
        )


def _ranks(run: Run, measured: Measured, times: tuple[int, ...]) -> pl.DataFrame:
    """The rank of p = last in every instance at every step."""
    rank = np.stack(
        [metrics.recency(measured.log_growth[..., i]) for i in range(len(times))], axis=1
    )
    instance, column = np.divmod(np.arange(rank.size), len(times))
    step = np.asarray(times)[column]
    here = np.zeros_like(instance)
    return gathered(
        [run], here, step=step, metric="recency_rank", value=rank.ravel(), example=instance
    )


def _spectra(cell: Cell, spec: str, measured: Measured) -> pl.DataFrame:
    """Mean squared components of every path and of the retrained model, a run for each."""
    orders = positions(cell.retain, FORGET)
    runs = [_run(cell, spec, order_name(order), p) for p, order in enumerate(orders, start=1)]
    runs.append(_run(cell, spec, order_name(cell.retain), 0))
    mean = np.mean(measured.components**2, axis=0)
    which, j = np.divmod(np.arange(mean.size), mean.shape[1])
    step = np.zeros_like(which)
    return gathered(
        runs, which, step=step, metric="squared_component", value=mean.ravel(), example=j
    )


def _run(cell: Cell, spec: str, order: str, position: int) -> Run:
    return Run(
        run=digest([spec, canonical(cell.problem), cell.stages, order]),
        spec=spec,
        experiment="recency",
        world="linear",
        model="linear",
        order=order,
        position=position,
        reference=order_name(cell.retain),
        method="GA",
        seed=0,
    )


def run(settings: Settings, progress: Progress) -> Result:
    """Rank the paths of every instance of every cell; experiment "recency".

    progress(label, done, total) counts cells. Source: arXiv 2510.16629, Section 4 (recency), in the
    theorem's model.
    """
    started = time.perf_counter()
    spec, every = digest(["recency", canonical(settings)]), cells(settings)
    groups: dict[Cell, list[Cell]] = {}
    for cell in every:
        groups.setdefault(cell._replace(problem=replace(cell.problem, mu=1.0)), []).append(cell)
    parts: list[Tables] = []
    examples: list[pl.DataFrame] = []
    for group in groups.values():
        for cell, measured in measure(group, settings):
            ensemble = _run(cell, spec, "all paths", 0)
            parts.append(
                tables(ensemble, _values(cell, cell == every[0], measured, settings.times))
            )
            examples.append(_ranks(ensemble, measured, settings.times))
            if cell == every[0]:
                examples.append(_spectra(cell, spec, measured))
            progress("recency", len(parts), len(every))
    timing = ("theory: recency", time.perf_counter() - started)
    return Result(
        Tables.concat([*parts, Tables.from_frames(examples=examples)]),
        {spec: canonical(settings)},
        (timing,),
    )
