"""Curves out of the record table: arrays indexed by seed, path and recorded step.

A metric may be recorded at every k-th step only; a step is its number, not its place in the array.

A run may be the mean over seeds that are not known one by one, as of a paper: such a run also
carries their variance at every step as variance/METRIC, and their number as setting/seeds.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.errors import InputError
from protocol.readings.sweeps import PREFIX
from protocol.records import Tables
from protocol.spec import PAPER_METHODS

SEEDS = f"{PREFIX}seeds"
VARIANCE = "variance/"
PUBLISHED = (20, 10)  # steps at which the paper reads its runs
LATER, EARLIER, LAST = "later judged step", "earlier judged step", "last step"


class Averaged(NamedTuple):
    """What is known of the seeds a run is the mean of."""

    seeds: int
    variance: Float[np.ndarray, "paths points"]


class Curves(NamedTuple):
    """One metric of one model under one method.

    Seeds in ascending order, path p at index p − 1, steps from 0.
    """

    model: str
    values: Float[np.ndarray, "seeds paths points"]
    recorded: tuple[int, ...] = ()  # the steps of the points; every step if left out
    averaged: Averaged | None = None  # if the values are means: then there is one row of them

    @property
    def steps(self) -> tuple[int, ...]:
        """The step of every point."""
        return self.recorded or tuple(range(self.values.shape[-1]))

    @property
    def seeds(self) -> int:
        """Number of seeds behind the values."""
        return self.averaged.seeds if self.averaged else self.values.shape[0]

    def at(self, step: int) -> Float[np.ndarray, "seeds paths"]:
        """The metric at a recorded step."""
        return self.values[..., self.steps.index(step)]

    @property
    def judged(self) -> "Curves":
        """The points up to the later judged step."""
        late = judged_steps(self.steps)[0]
        count = sum(step <= late for step in self.steps)
        known = self.averaged and self.averaged._replace(variance=self.averaged.variance[:, :count])
        return Curves(self.model, self.values[..., :count], self.steps[:count], known)

    def forgotten(self, step: int) -> Float[np.ndarray, "seeds paths"]:
        """Forget score up to a recorded step."""
        return metrics.forget_score(self.values, self.steps.index(step))


def judged_steps(steps: Sequence[int]) -> tuple[int, int]:
    """The later and the earlier of the steps a verdict is made of.

    Of a run of at least 20 steps 20 and 10, the published steps; of a shorter run its last step and
    half-way. The recorded step after 0 nearest to each counts, the earlier of two.
    """
    last = max(steps)
    late, early = PUBLISHED if last >= PUBLISHED[0] else (last, last / 2)
    recorded = [step for step in steps if step] or [last]

    def nearest(wanted: float) -> int:
        return min(recorded, key=lambda step: (abs(step - wanted), step))

    return nearest(late), nearest(early)


def all_judged(steps: Sequence[int]) -> tuple[int, ...]:
    """The steps at which L1 and L2 are read: `judged_steps`, and the last step of a longer run."""
    pair, last = judged_steps(steps), max(steps)
    return pair if last <= max(pair) else (*pair, last)


def step_name(steps: Sequence[int], words: str) -> str:
    """ "step 20" of models that share the step, else "last step (20, 35)" with the words given."""
    numbers = sorted(set(steps))
    if len(numbers) == 1:
        return f"step {numbers[0]}"
    return f"{words} ({', '.join(map(str, numbers))})"


def pooled_steps(models: Sequence[Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Reading -> its step in every model, for a pool of models whose runs differ in length.

    Every model has a step in every reading: its later and earlier judged step and, if the run of
    one of them is longer, its own last step.
    """
    late, early = zip(*map(judged_steps, models), strict=True)
    readings = {LATER: late, EARLIER: early}
    if any(all_judged(steps) != judged_steps(steps) for steps in models):
        readings[LAST] = tuple(map(max, models))
    return {step_name(steps, words): steps for words, steps in readings.items()}


def unlearned(tables: Tables, experiment: str) -> pl.DataFrame:
    """Records of the unlearning runs of an experiment."""
    return tables.records.filter((pl.col("experiment") == experiment) & (pl.col("position") > 0))


def _rank(value: str) -> tuple[float, str]:
    """Numbers by size, then words by letter."""
    try:
        return float(value), ""
    except ValueError:
        return float("inf"), value


def settings(tables: Tables, family: str) -> dict[str, pl.DataFrame]:
    """VALUE -> records of the unlearning runs of FAMILY/VALUE, numbers in ascending order."""
    names = tables.records["experiment"].unique()
    values = [name.removeprefix(f"{family}/") for name in names if name.startswith(f"{family}/")]
    return {value: unlearned(tables, f"{family}/{value}") for value in sorted(values, key=_rank)}


def positions(tables: Tables) -> pl.DataFrame:
    """Records of unlearning runs of the positions experiment."""
    return unlearned(tables, "positions")


def worlds_and_methods(
    records: pl.DataFrame, metric: str, methods: tuple[str, ...] = PAPER_METHODS
) -> Iterator[tuple[str, str]]:
    """(world, method) pairs with records of the metric, or under a metric that ends in a slash."""
    measured = records.filter(pl.col("metric").str.starts_with(metric))
    present = set(measured.select("world", "method").unique().iter_rows())
    for world in sorted({world for world, _ in present}):
        yield from ((world, method) for method in methods if (world, method) in present)


def curves(records: pl.DataFrame, *, world: str, method: str, metric: str) -> list[Curves]:
    """The metric's curve for every model of the side, at the steps at which it was measured.

    Raises InputError if a seed lacks a path or a step that others have, as in a run that broke off.
    """
    selected = records.filter(
        (pl.col("world") == world) & (pl.col("method") == method) & (pl.col("metric") == metric)
    ).sort("model", "seed", "position", "step")
    result = []
    for (model,), part in selected.group_by("model", maintain_order=True):
        shape = (part["seed"].n_unique(), part["position"].n_unique(), part["step"].n_unique())
        if part.height != math.prod(shape):
            raise InputError(
                f"records: expected every path and step of {model}, {method}, {metric} under every "
                f"seed, {math.prod(shape)} values; got {part.height}: run the experiment to its end"
            )
        if part["value"].is_nan().any():
            raise InputError(
                f"records: expected numbers in {metric} of {model}, {method}; got nan: run it again"
            )
        steps = tuple(part["step"].unique().sort())
        own = records.filter(world=world, method=method, model=model)
        averaged = _averaged(own, metric, shape[1:])
        values = part["value"].to_numpy().reshape(shape)
        result.append(Curves(str(model), values, steps, averaged))
    return result


def _averaged(records: pl.DataFrame, metric: str, shape: tuple[int, int]) -> Averaged | None:
    variance = records.filter(metric=VARIANCE + metric).sort("position", "step")["value"].to_numpy()
    if variance.size == 0:
        return None
    (seeds,) = records.filter(metric=SEEDS)["value"].unique()
    return Averaged(int(seeds), variance.reshape(shape))


def metrics_under(records: pl.DataFrame, *, world: str, prefix: str) -> list[str]:
    """The metrics of a side whose name starts with `prefix` and a slash."""
    names = records.filter(pl.col("world") == world)["metric"].unique().sort()
    return [name for name in names if name.startswith(prefix + "/")]
