"""How an experiment records what it measured: runs, curves and examples in, one `Result` out.

    recorder = Recorder("removal", "linear", settings, reference=RETAIN)
    runs = recorder.paths(ORDERS, method="GA", seeds=range(64))
    recorder.curves(runs, {"label_loglik": values})  # (seeds, paths, steps + 1)
    return recorder.result("theory: removal")

A run is one row's head, `protocol.records.Run`. Its identifier is the hash of its specification
and of its `key`, so that a run keeps its name if others are added.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from protocol.errors import InputError
from protocol.orders import Order
from protocol.records import Result, Run, Tables, gathered, order_name
from protocol.spec import canonical, digest

Numbers = Int[np.ndarray, "*shape"] | Sequence[int] | int
Values = Mapping[str, Any]  # metric -> arrays of numbers


def _name(order: Order | str) -> str:
    return order if isinstance(order, str) else order_name(order)


def pair_name(first: Order, second: Order) -> str:
    """Two orders compared, as the tables name them: both joined by "|"."""
    return f"{order_name(first)}|{order_name(second)}"


class _Added(NamedTuple):
    """Values of one metric, row i of runs[which[i]]; example: its number, None in records."""

    runs: list[Run]
    which: Int[np.ndarray, " rows"]
    step: Int[np.ndarray, " rows"]
    metric: str
    value: Float[np.ndarray, " rows"]
    example: Int[np.ndarray, " rows"] | None = None


class Recorder:
    """Collects the runs of one experiment on one side, and the time since it was made.

    experiment, world: as in the tables · settings: the whole configuration, a dataclass or plain
    data · spec: its hash, by default that of the experiment's name and the settings · model,
    reference: those of every run that names no others; the model is by default called as the world.
    """

    def __init__(
        self,
        experiment: str,
        world: str,
        settings: Any,
        *,
        spec: str | None = None,
        model: str | None = None,
        reference: Order | str = (),
    ) -> None:
        self.experiment = experiment
        self.world = world
        self.config = canonical(settings)
        self.spec = digest([experiment, self.config]) if spec is None else spec
        self.model = world if model is None else model
        self.reference = reference
        self._started = time.perf_counter()
        self._records: list[_Added] = []
        self._examples: list[_Added] = []

    def run(
        self,
        *,
        order: Order | str,
        method: str,
        seed: int = 0,
        position: int = 0,
        model: str | None = None,
        reference: Order | str | None = None,
        key: Sequence[Any] | None = None,
    ) -> Run:
        """The head of one run's rows; position is 1-based, 0 if no forget stage was trained.

        key: the parts of its identifier that are its own, by default method, seed and order.
        """
        return Run(
            run=digest([self.spec, *((method, seed, order) if key is None else key)]),
            spec=self.spec,
            experiment=self.experiment,
            world=self.world,
            model=self.model if model is None else model,
            order=_name(order),
            position=position,
            reference=_name(self.reference if reference is None else reference),
            method=method,
            seed=seed,
        )

    def paths(
        self, orders: Sequence[Order | str], *, method: str, seeds: Iterable[int]
    ) -> list[Run]:
        """A run per seed and path p = 1..P, p running faster; element p − 1 of orders is path p."""
        numbered = list(enumerate(orders, start=1))
        return [
            self.run(order=order, position=p, method=method, seed=seed)
            for seed in seeds
            for p, order in numbered
        ]

    def curves(
        self, runs: Run | Sequence[Run], values: Values, steps: Numbers | None = None
    ) -> None:
        """Add records: by metric a curve per run, (runs, points) or any shape that reshapes to it.

        steps: by default 0, 1, 2, … for the points; else of a shape that broadcasts to (runs,
        points). InputError if the runs have not equally many values.
        """
        runs = _listed(runs)
        for metric, value in values.items():
            rows = _per_run(metric, value, runs)
            step = np.arange(rows.shape[1]) if steps is None else steps
            self._records.append(
                _Added(
                    runs,
                    np.repeat(np.arange(len(runs)), rows.shape[1]),
                    step=np.broadcast_to(step, rows.shape).ravel(),
                    metric=metric,
                    value=rows.ravel(),
                )
            )

    def examples(
        self,
        runs: Run | Sequence[Run],
        values: Values,
        steps: Numbers = 0,
        numbers: Numbers | None = None,
    ) -> None:
        """Add examples: by metric a value per run, example and point, (runs, examples[, points]).

        steps: of a shape that broadcasts to (examples, points) · numbers: those of the examples, by
        default 0, 1, 2, … InputError if the runs have not equally many values.
        """
        runs = _listed(runs)
        for metric, value in values.items():
            rows = _per_run(metric, value, runs)
            shape = (*np.shape(value), 1)[:3]
            number = range(shape[1]) if numbers is None else numbers
            self._examples.append(
                _Added(
                    runs,
                    np.repeat(np.arange(len(runs)), rows.shape[1]),
                    step=np.broadcast_to(steps, shape).ravel(),
                    metric=metric,
                    value=rows.ravel(),
                    example=np.broadcast_to(np.reshape(number, (-1, 1)), shape).ravel(),
                )
            )

    def tables(self) -> Tables:
        """Everything that was added, sorted."""
        return Tables.from_frames(_framed(self._records), _framed(self._examples))

    def result(self, timing: str | None = None) -> Result:
        """Tables and configuration; timing names the seconds since the recorder was made."""
        seconds = time.perf_counter() - self._started
        timings = () if timing is None else ((timing, seconds),)
        return Result(self.tables(), {self.spec: self.config}, timings)


def _framed(added: Sequence[_Added]) -> list[pl.DataFrame]:
    """Everything that was added as one frame: a frame of its own for each value would be slow."""
    if not added:
        return []
    runs: list[Run] = []
    which: list[np.ndarray] = []
    metrics: list[str] = []
    for part in added:
        which.append(part.which + len(runs))
        runs += part.runs
        metrics += [part.metric] * part.value.size
    numbers = [part.example for part in added if part.example is not None]
    frame = gathered(
        runs,
        np.concatenate(which),
        step=np.concatenate([part.step for part in added]),
        metric=metrics,
        value=np.concatenate([part.value for part in added]),
        example=np.concatenate(numbers) if numbers else None,
    )
    return [frame]


def _listed(runs: Run | Sequence[Run]) -> list[Run]:
    return [runs] if isinstance(runs, Run) else list(runs)


def _per_run(metric: str, value: Any, runs: Sequence[Run]) -> Float[np.ndarray, "runs values"]:
    """The values of each run in a row."""
    array = np.asarray(value, np.float64)
    if not runs or array.size % len(runs):
        raise InputError(
            f"{metric}: expected as many values for each of {len(runs)} runs; got an array of "
            f"shape {array.shape}"
        )
    return array.reshape(len(runs), -1)
