"""Recency in the linear model: how often the path that learned the forget set last forgets slowest.

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

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from protocol import metrics
from protocol.errors import InputError
from protocol.orders import Order, positions
from protocol.progress import Progress
from protocol.recorder import Recorder
from protocol.records import Result, Run, order_name
from protocol.spec import canonical
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
    """How often p = last is forgotten slowest, by step, ridge weight and how much stages share."""

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
        """Names of the retained stages: the paper's, or numbers if there are more or fewer."""
        if self.stages == len(RETAIN) + 1:
            return RETAIN
        return tuple(f"retain{i + 1}" for i in range(self.stages - 1))


class Measured(NamedTuple):
    """The measurements of one cell; models: the paths p = 1..P and, last, the retrained model."""

    log_growth: Float[np.ndarray, "instances paths times"]
    components: Float[np.ndarray, "instances models k"]


def cells(settings: Settings) -> tuple[Cell, ...]:
    """The base cell first, then every other one once."""
    problem = settings.problem
    changed = [problem]
    changed += [replace(problem, mu=mu) for mu in settings.mus]
    changed += [replace(problem, overlap=overlap) for overlap in settings.overlaps]
    changed += [replace(problem, teacher=teacher) for teacher in settings.teachers]
    every = [Cell(problem, len(RETAIN) + 1) for problem in changed]
    every += [Cell(problem, stages) for stages in settings.stages]
    return tuple(dict.fromkeys(every))


@partial(jax.jit, static_argnums=1)
def _measure(
    cases: Staged,
    retain: Order,
    mu: Float[jax.Array, ""],
    eta: Float[jax.Array, ""],
    times: Float[jax.Array, " times"],
) -> tuple[Float[jax.Array, "batch paths times"], Float[jax.Array, "batch models k"]]:
    """Log growth of every path and the components of all models of a batch of instances."""

    def of_instance(
        case: Staged,
    ) -> tuple[Float[jax.Array, "paths times"], Float[jax.Array, "models k"]]:
        paths, reference = train_paths(case, positions(retain, FORGET), (*retain, FORGET), mu)
        residuals = recency.residuals(jnp.vstack([paths, reference]), case.X[-1], case.y[-1])
        gain = 2 * eta / case.y.shape[-1]
        grown = jax.vmap(lambda time: recency.log_growth(residuals, gain, time), out_axes=1)
        return grown(times)[:-1], residuals.components

    return jax.vmap(of_instance)(cases)


def measure(group: list[Cell], settings: Settings) -> Iterator[tuple[Cell, Measured]]:
    """Every cell of a group that differs in μ alone: the instances are drawn once."""
    parts: dict[Cell, list[tuple[np.ndarray, ...]]] = {cell: [] for cell in group}
    for seeds in batches(range(settings.instances), BATCH):
        cases = draw_many(group[0].problem, 0, seeds, group[0].stages)
        with float64():
            times = jnp.asarray(settings.times, jnp.float64)
            for cell in group:
                part = _measure(cases, cell.retain, cell.problem.mu, cell.problem.eta, times)
                parts[cell].append(tuple(map(np.asarray, part)))
    for cell, batch in parts.items():
        yield cell, Measured(*map(np.concatenate, zip(*batch, strict=True)))


def _dominance(measured: Measured) -> dict[str, Any]:
    """The criteria on the components, for all paths, and how far growth follows them."""
    power, growth = measured.components[:, :-1] ** 2, measured.log_growth
    other = ~np.eye(power.shape[1], dtype=bool)
    follows = growth[:, :, None] <= growth[:, None, :] + ROUNDING  # (instances, a, b, times)
    values: dict[str, Any] = {}
    for name in CRITERIA:
        ordered = recency.below(power, summed=name == "summed") & other
        last = np.all(ordered[:, -1, :-1], axis=-1)
        values[f"last_dominates/{name}"] = np.mean(last)
        values[f"dominated/{name}"] = np.sum(ordered) * growth.shape[-1]
        values[f"obeyed/{name}"] = np.sum(follows & ordered[..., None])
    return values


def _run(recorder: Recorder, cell: Cell, order: Order | str, position: int = 0) -> Run:
    name = order if isinstance(order, str) else order_name(order)
    key = (canonical(cell.problem), cell.stages, name)
    return recorder.run(order=name, position=position, method="GA", reference=cell.retain, key=key)


def _record(
    recorder: Recorder, cell: Cell, base: bool, measured: Measured, times: tuple[int, ...]
) -> None:
    """Add the records of a cell, and the rank of p = last in every instance at every step."""
    run = _run(recorder, cell, "all paths")
    for name in ("mu", "overlap", "teacher"):
        recorder.curves(run, {f"setting/{name}": getattr(cell.problem, name)})
    recorder.curves(run, {"setting/stages": cell.stages, "setting/base": base})
    top = metrics.recency(np.abs(measured.components[:, :-1, 0]))
    limit = {"instances": len(top), "last_slowest_limit": np.mean(top == 1)}
    recorder.curves(run, limit | _dominance(measured))
    ranks = [metrics.recency(measured.log_growth[..., i]) for i in range(len(times))]
    rank = np.stack(ranks, axis=1)  # (instances, times)
    recorder.curves(run, {"last_slowest": np.mean(rank == 1, axis=0)}, steps=times)
    recorder.examples(run, {"recency_rank": rank[None]}, steps=np.array(times))


def _record_spectra(recorder: Recorder, cell: Cell, measured: Measured) -> None:
    """Add the mean squared components of every path and of the retrained model, a run for each."""
    orders = enumerate(positions(cell.retain, FORGET), start=1)
    runs = [_run(recorder, cell, order, p) for p, order in orders]
    runs.append(_run(recorder, cell, cell.retain))
    recorder.examples(runs, {"squared_component": np.mean(measured.components**2, axis=0)})


def run(settings: Settings, progress: Progress) -> Result:
    """Rank the paths of every instance of every cell; experiment "recency".

    progress(label, done, total) counts cells. Source: arXiv 2510.16629, Section 4 (recency), in the
    theorem's model.
    """
    recorder, every, done = Recorder("recency", "linear", settings), cells(settings), 0
    groups: dict[Cell, list[Cell]] = {}
    for cell in every:
        groups.setdefault(cell._replace(problem=replace(cell.problem, mu=1.0)), []).append(cell)
    for group in groups.values():
        for cell, measured in measure(group, settings):
            _record(recorder, cell, cell == every[0], measured, settings.times)
            if cell == every[0]:
                _record_spectra(recorder, cell, measured)
            done += 1
            progress("recency", done, len(every))
    return recorder.result("theory: recency")
