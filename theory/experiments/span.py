"""The span barrier in the linear model: GA, NPO and SimNPO by four optimizers against the floor of
span methods.

The paths p = 1..P of an instance are unlearned from their trained models; every distance is over
held-out inputs of the retained stages, to the model retrained without the forget stage. SGD and
heavy-ball momentum are span methods; Adam and SGD with weight decay are not. The losses are those
of `protocol.objectives`, the optimizers those of optax. A further method, "informed", follows a
gradient on U that knows the retrained model: the strongest there can be within the span. Experiment
"span" of the records, an instance being a seed:
- a run per path, method "oracle", at step 0: nothing = d of the trained model; floor; shrunk, the
  distance that shrinking by the factor shrink ∈ [0, 1] and a span step reach together
  (theory/span.py);
- a run per path, method and optimizer, called "GA sgd" and so on: best, the smallest distance along
  the run, and outside/best, the share of the displacement's square outside the span there, both at
  the step where that is; outside, the same share at the last step;
- a run per pair of paths, its order the two joined by "|" and its position the smaller p: method
  "oracle" has pair_floor at step 0, every other closest, the smallest divergence at equal steps, at
  its step.
"""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from protocol.errors import InputError
from protocol.progress import Progress
from protocol.records import Result, Run, Tables, gathered, order_name
from protocol.spec import canonical, digest, named_methods
from theory.experiments import span_runs
from theory.experiments.span_runs import ORDERS, PAIRS, Adam, Descent, Followed, Geometry
from theory.numerics import float64
from theory.problems.staged import RETAIN, Problem, batches, draw_many

BATCH = 32  # instances at a time: bounds memory, changes no result
INFORMED = "informed"


@dataclass(frozen=True)
class Settings:
    """How near gradient methods on the forget set come to the retrained model, and what bounds
    them.
    """

    instances: int = 128
    """Number of instances."""
    steps: int = 100
    """Unlearning updates."""
    methods: tuple[str, ...] = ("GA", "NPO", "SimNPO")
    """Unlearning methods."""
    momentum: float = 0.9
    """Momentum of the heavy ball."""
    adam_lr: float = 0.01
    """Step size of Adam."""
    decay: float = 0.001
    """Weight decay, added to SGD's gradient."""
    problem: Problem = Problem()
    """The random problem."""

    def __post_init__(self) -> None:
        if self.instances < 1 or self.steps < 1:
            raise InputError(
                f"settings: expected at least 1 instance and 1 step; got {self.instances} and "
                f"{self.steps}"
            )


QUICK = Settings(instances=12, steps=60, methods=("GA",))


def optimizers(settings: Settings) -> dict[str, Descent | Adam]:
    """The four optimizers by name; the first two are span methods."""
    eta = settings.problem.eta
    return {
        "sgd": Descent(eta),
        "momentum": Descent(eta, momentum=settings.momentum),
        "adam": Adam(settings.adam_lr),
        "decay": Descent(eta, decay=settings.decay),
    }


def _runs(spec: str, method: str, seeds: Sequence[int]) -> tuple[list[Run], list[Run]]:
    """A run per seed and path, and one per seed and pair of paths."""
    names = [order_name(order) for order in ORDERS]

    def run(seed: int, order: str, position: int) -> Run:
        return Run(
            run=digest([spec, method, seed, order]),
            spec=spec,
            experiment="span",
            world="linear",
            model="linear",
            order=order,
            position=position,
            reference=order_name(RETAIN),
            method=method,
            seed=seed,
        )

    of_pairs = [run(seed, f"{names[a]}|{names[b]}", int(a) + 1) for seed in seeds for a, b in PAIRS]
    return [run(seed, name, p) for seed in seeds for p, name in enumerate(names, start=1)], of_pairs


def _frames(runs: list[Run], measured: Mapping[str, tuple[Any, Any]]) -> Iterator[pl.DataFrame]:
    """Records of (step, value) by metric, arrays with a value per run."""
    which = np.arange(len(runs))
    for metric, (step, value) in measured.items():
        at = np.broadcast_to(np.ravel(step), which.shape)
        yield gathered(
            runs, which, step=at, metric=metric, value=np.asarray(value, np.float64).ravel()
        )


def _of_oracle(geometry: Geometry, runs: tuple[list[Run], list[Run]]) -> Iterator[pl.DataFrame]:
    yield from _frames(
        runs[0], {name: (0, getattr(geometry, name)) for name in Geometry._fields[:-1]}
    )
    yield from _frames(runs[1], {"pair_floor": (0, geometry.pair_floor)})


def _of_method(
    found: Followed, runs: tuple[list[Run], list[Run]], steps: int
) -> Iterator[pl.DataFrame]:
    of_paths = {
        "best": (found.best_step, found.best),
        "outside/best": (found.best_step, found.outside_best),
        "outside": (steps, found.outside),
    }
    yield from _frames(runs[0], of_paths)
    yield from _frames(runs[1], {"closest": (found.closest_step, found.closest)})


def run(settings: Settings, progress: Progress) -> Result:
    """Unlearn every instance and path by every method and optimizer; experiment "span".

    progress(label, done, total) counts instances × methods × optimizers. Source: arXiv 2510.16629,
    Definition 2.2 (local methods), of which span methods are a part.
    """
    started = time.perf_counter()
    spec, done = digest(["span", canonical(settings)]), 0
    frames: list[pl.DataFrame] = []
    methods = {method.name: method for method in named_methods(settings.methods)} | {INFORMED: None}
    ways = list(itertools.product(methods.items(), optimizers(settings).items()))
    for seeds in batches(range(settings.instances), BATCH):
        cases = draw_many(settings.problem, 0, seeds)
        with float64():
            prepared, geometry = span_runs.prepare(cases, settings.problem.mu)
            frames += _of_oracle(Geometry(*map(np.asarray, geometry)), _runs(spec, "oracle", seeds))
        for (name, method), (optimizer_name, optimizer) in ways:
            with float64():
                thetas = span_runs.trajectories(prepared, method, optimizer, settings.steps)
                found = Followed(*map(np.asarray, span_runs.follow(prepared, thetas)))
            frames += _of_method(
                found, _runs(spec, f"{name} {optimizer_name}", seeds), settings.steps
            )
            done += len(seeds)
            progress("span barrier", done, settings.instances * len(ways))
    timing = ("theory: span barrier", time.perf_counter() - started)
    return Result(Tables.from_frames(records=frames), {spec: canonical(settings)}, (timing,))
