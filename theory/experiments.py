"""What `retrace theory` runs: the theorem's ensemble and curves, and the positions experiment of the linear model."""

import time

import numpy as np
import polars as pl

from protocol.orders import Order, retrained
from protocol.records import Result, Run, Tables, gathered, order_name
from protocol.spec import Experiment, Method, canonical, digest
from theory import curves, ensemble, positions
from theory.ensemble import Progress
from theory.numerics import float64

BATCH = 64  # instances at a time: bounds memory, changes no result
METRICS = {
    "label_loglik": "label_loglik",
    "retain_loglik": "retain_loglik",
    "grad_norm": "grad_norm",
    "re_distance/test": "test_distance",
    "re_distance/forget": "forget_distance",
}


def _run(spec: Experiment, name: str, method: Method, seed: int, order: Order) -> Run:
    return Run(
        run=digest([name, method.name, seed, order]), spec=name, experiment=spec.name, world=spec.world,
        model=spec.model, order=order_name(order), position=order.index(spec.forget) + 1,
        reference=order_name(retrained(order, spec.forget)), method=method.name, seed=seed,
    )  # fmt: skip


def _frames(runs: list[Run], measured: positions.Curves) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    """Records of every metric and step; examples of retain_loglik before and after, an instance being one example."""
    flat = {metric: np.asarray(getattr(measured, field)).reshape(len(runs), -1) for metric, field in METRICS.items()}
    points = flat["label_loglik"].shape[1]
    which, step = np.divmod(np.arange(len(runs) * points), points)
    records = [gathered(runs, which, step=step, metric=m, value=value.ravel()) for m, value in flat.items()]
    ends = np.array([0, points - 1])
    which, step = np.repeat(np.arange(len(runs)), 2), np.tile(ends, len(runs))
    value = flat["retain_loglik"][:, ends].ravel()
    example = np.zeros_like(which)
    return records, [gathered(runs, which, step=step, metric="retain_loglik", value=value, example=example)]


def run_positions(spec: Experiment, progress: Progress) -> Result:
    """Train and unlearn every instance, path and method of `spec`; experiment "positions" of the linear world.

    progress(label, done, total) counts instances × methods. Source: arXiv 2510.16629, Sections 3 and 4.
    """
    started = time.perf_counter()
    name = digest(spec)
    records, examples, done = [], [], 0
    for seeds in positions.batches(spec.seeds, BATCH):
        cases = positions.draw_many(spec, seeds)
        for method in spec.methods:
            with float64():
                measured = positions.unlearn_many(cases, spec, method)
                runs = [_run(spec, name, method, seed, order) for seed in seeds for order in spec.orders]
                more_records, more_examples = _frames(runs, measured)
            records += more_records
            examples += more_examples
            done += len(seeds)
            progress("linear positions", done, len(spec.seeds) * len(spec.methods))
    timing = ("theory: linear positions", time.perf_counter() - started)
    return Result(Tables.from_frames(records, examples), {name: canonical(spec)}, (timing,))


def run(quick: bool, progress: Progress) -> Result:
    """All three experiments; quick: 75 instances of every other shape and 32 of the positions, the same otherwise."""
    theorem = ensemble.Settings(ensemble.SHAPES[1::2], instances=75) if quick else ensemble.Settings()
    return Result.concat(
        [
            ensemble.run(theorem, progress),
            curves.run(curves.Settings(), progress),
            run_positions(positions.experiment(seeds=32 if quick else positions.SEEDS), progress),
        ]
    )
