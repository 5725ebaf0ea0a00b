"""The span barrier in the linear model: GA, NPO and SimNPO by four optimizers, and the span floor.

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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocol.errors import InputError
from protocol.progress import Progress
from protocol.recorder import Recorder, pair_name
from protocol.records import Result, order_name
from protocol.spec import named_methods
from theory.experiments import span_runs
from theory.experiments.span_runs import ORDERS, PAIRS, Followed, Geometry
from theory.numerics import float64
from theory.problems.staged import RETAIN, Problem, batches, draw_many
from theory.unlearning import Adam, Descent

BATCH = 32  # instances at a time: bounds memory, changes no result
INFORMED = "informed"


@dataclass(frozen=True)
class Settings:
    """Distances that gradient methods on the forget set reach, and bounds on these distances."""

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
                "settings: expected at least 1 instance and 1 step; "
                f"got {self.instances} and {self.steps}"
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


def _record(
    recorder: Recorder,
    method: str,
    seeds: Sequence[int],
    of_paths: Mapping[str, tuple[Any, Any]],
    of_pairs: Mapping[str, tuple[Any, Any]],
) -> None:
    """Add (step, value) by metric, arrays (seeds, paths) and (seeds, pairs)."""
    names = [order_name(order) for order in ORDERS]
    compared = [(pair_name(ORDERS[a], ORDERS[b]), int(a) + 1) for a, b in PAIRS]
    pair_runs = [
        recorder.run(order=pair, position=position, method=method, seed=seed)
        for seed in seeds
        for pair, position in compared
    ]
    path_runs = recorder.paths(names, method=method, seeds=seeds)
    for runs, measured in ((path_runs, of_paths), (pair_runs, of_pairs)):
        for metric, (step, value) in measured.items():
            recorder.curves(runs, {metric: value}, steps=np.reshape(step, (-1, 1)))


def _record_bounds(recorder: Recorder, geometry: Geometry, seeds: Sequence[int]) -> None:
    measured = {name: (0, value) for name, value in geometry._asdict().items()}
    of_pairs = {"pair_floor": measured.pop("pair_floor")}
    _record(recorder, "oracle", seeds, measured, of_pairs)


def _record_runs(
    recorder: Recorder, method: str, followed: Followed, seeds: Sequence[int], steps: int
) -> None:
    of_paths = {
        "best": (followed.best_step, followed.best),
        "outside/best": (followed.best_step, followed.outside_best),
        "outside": (steps, followed.outside),
    }
    of_pairs = {"closest": (followed.closest_step, followed.closest)}
    _record(recorder, method, seeds, of_paths, of_pairs)


def run(settings: Settings, progress: Progress) -> Result:
    """Unlearn every instance and path by every method and optimizer; experiment "span".

    progress(label, done, total) counts instances × methods × optimizers. Source: arXiv 2510.16629,
    Definition 2.2 (local methods), of which span methods are a part.
    """
    recorder = Recorder("span", "linear", settings, reference=RETAIN)
    methods = {method.name: method for method in named_methods(settings.methods)} | {INFORMED: None}
    ways = list(itertools.product(methods.items(), optimizers(settings).items()))
    done, total = 0, settings.instances * len(ways)
    for seeds in batches(range(settings.instances), BATCH):
        cases = draw_many(settings.problem, 0, seeds)
        with float64():
            prepared, geometry = span_runs.prepare(cases, settings.problem.mu)
            _record_bounds(recorder, Geometry(*map(np.asarray, geometry)), seeds)
        for (name, method), (optimizer_name, optimizer) in ways:
            with float64():
                thetas = span_runs.trajectories(prepared, method, optimizer, settings.steps)
                followed = Followed(*map(np.asarray, span_runs.follow(prepared, thetas)))
            way = f"{name} {optimizer_name}"
            _record_runs(recorder, way, followed, seeds, settings.steps)
            done += len(seeds)
            progress("span barrier", done, total)
    return recorder.result("theory: span barrier")
