"""When a retained sample stops two paths from parting, by its weight λ, its rows and the features.

Two models, forget set learned first and last, ascend on the forget set and descend on the first n_R
of a pool of fresh rows of the retained stages; their difference is followed exactly, Δ_t = (I +
ηA)^t Δ₀ (see theory/retain.py), in steps of η = 1/(2 max|a_j|), small enough to be stable at any
weight. Features: "full", rank d; "subspace", forget rows and sample in one subspace of r dimensions
(the retained stages are trained on features of full rank all the same). A difference counts as
growing where ‖Δ‖ grows by more than a factor e from T = 10¹² steps to 2T. Experiment "retain" of
the records, an ensemble a run, its order the two orders joined by "|", position 0:
- a run per features, n_R and λ of the grid: at step 0 setting/rank, /samples, /weight; grows, the
  share of instances;
- a run per features and n_R, its method "threshold": setting/rank, /samples, and spans, the share
  of instances in which λ* is finite; critical, critical_low, critical_high, its median and
  quartiles (where all of them span);
- a run per features and n_R that span, and side r = λ/λ* (methods "0.9 λ*" and "1.1 λ*",
  setting/side): in the examples table, an instance being one, log_growth from T to 2T, lasting =
  ‖Δ_2T‖/‖Δ₀‖ where it does not grow, and on_kernel, the share of ‖Δ₀‖ on ker R. For n_R =
  curve_samples, log_difference = log ‖Δ_t‖/‖Δ₀‖ by step, the median over instances.
"""

from collections.abc import Iterator, Sequence
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
from theory import retain
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
LONG = 10.0**12  # steps; an eigenvalue that is 0 but for rounding grows by less than 1% in as many
ORDERS = (positions(RETAIN, FORGET)[0], positions(RETAIN, FORGET)[-1])
SAMPLES = (4, 8, 10, 12, 14, 15, 16, 17, 18, 20, 24, 32, 40, 44, 47, 48, 49, 50, 52, 56, 60, 72)
WEIGHTS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0)


@dataclass(frozen=True)
class Settings:
    """The phase diagram of retained rows and their weight."""

    instances: int = 64
    """Instances, the same in every cell."""
    rank: int = 16
    """Dimensions of the subspace of forget rows and sample; at least the rows of a stage."""
    samples: tuple[int, ...] = SAMPLES
    """Numbers of retained rows."""
    weights: tuple[float, ...] = WEIGHTS
    """Weights λ of the retained sample."""
    sides: tuple[float, ...] = (0.9, 1.1)
    """Weights in units of λ*."""
    curve_samples: int = 60
    """Retained rows of the trajectories."""
    curve_steps: tuple[int, ...] = tuple(int(10 ** (i / 4)) for i in range(3, 25))
    """Steps of the trajectories."""
    problem: Problem = Problem(d=48, n=10, held_out=24)
    """The random problem; the pool has three times held_out rows."""

    def __post_init__(self) -> None:
        pool, n = self.problem.held_out * len(RETAIN), self.problem.n
        if not self.samples or not 1 <= min(self.samples) <= max(self.samples) <= pool:
            raise InputError(
                f"samples: expected numbers from 1 to {pool}, the pool's rows; got {self.samples}"
            )
        if (
            not n <= self.rank <= self.problem.d
            or self.instances < 1
            or min(self.weights, default=-1) < 0
        ):
            raise InputError(
                f"settings: expected n = {n} ≤ rank ≤ d = {self.problem.d}, at least 1 instance "
                "and weights ≥ 0; "
                f"got rank {self.rank}, {self.instances} instances, weights {self.weights}"
            )


QUICK = Settings(
    instances=8, samples=(8, 15, 16, 24, 47, 48, 60), weights=(0.0, 1.0, 10.0, 100.0, 10_000.0)
)


class Pair(NamedTuple):
    """An instance or a batch: difference of two trained models, forget rows, retained rows."""

    delta: Float[Any, "*batch d"]
    X: Float[Any, "*batch k d"]
    pool: Float[Any, "*batch rows d"]


class Cells(NamedTuple):
    """The measurements at one n_R; weights: those of the grid, then the sides of λ*."""

    critical: Float[Any, "*batch"]
    on_kernel: Float[Any, "*batch"]
    log_growth: Float[Any, "*batch weights"]
    log_left: Float[Any, "*batch weights"]  # log ‖Δ_2T‖/‖Δ₀‖
    curves: Float[Any, "*batch weights times"]


@partial(jax.jit, static_argnums=1)
def _differences(cases: Staged, mu: float) -> Float[jax.Array, "batch d"]:
    paths = jax.vmap(lambda case: train_paths(case, ORDERS, (*RETAIN, FORGET), mu)[0])(cases)
    return paths[:, 0] - paths[:, 1]


def _rows(cases: Staged, seeds: Sequence[int], rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Forget rows and the pool, a row of each retained stage in turn, in a random subspace.

    Every instance has its own subspace. Squeezed rows keep their mean square norm; nothing is
    squeezed if rank = d.
    """
    count, m, d = cases.X_test.shape
    pool = cases.X_test.reshape(count, len(RETAIN), -1, d).swapaxes(1, 2).reshape(count, m, d)
    if rank == d:
        return cases.X[:, -1], pool
    drawn = np.stack(
        [np.random.default_rng([1, seed]).standard_normal((d, rank)) for seed in seeds]
    )
    frames = np.linalg.qr(drawn)[0]
    onto = np.sqrt(d / rank) * frames
    return tuple((rows @ onto) @ frames.swapaxes(1, 2) for rows in (cases.X[:, -1], pool))


def _pairs(settings: Settings, rank: int) -> Iterator[Pair]:
    """Batches of instances."""
    for seeds in batches(range(settings.instances), BATCH):
        cases = draw_many(settings.problem, 0, seeds)
        with float64():
            delta = np.asarray(_differences(cases, settings.problem.mu))
        yield Pair(delta, *_rows(cases, seeds, rank))


@jax.jit
def _measure(
    pairs: Pair,
    rows: Float[jax.Array, ""],
    weights: Float[jax.Array, " weights"],
    sides: Float[jax.Array, " sides"],
    times: Float[jax.Array, " times"],
) -> Cells:
    """Every weight of the grid, then every side of λ*, on the first `rows` of the pool."""

    def of_instance(pair: Pair) -> Cells:
        # rows of zeros stand for the rest of the pool: one program serves every n_R
        R = jnp.where(jnp.arange(pair.pool.shape[0])[:, None] < rows, pair.pool, 0.0)
        sample = retain.retained_sample(R)
        critical = retain.critical_weight(pair.X, sample, rows)
        V, C = retain.basis(pair.X, R)
        start = jnp.log(jnp.linalg.norm(pair.delta))

        def at(weight: retain.Scalar) -> tuple[Any, Any, Any]:
            modes = retain.difference_modes(
                pair.delta, V, *retain.spectrum(C, pair.X.shape[0], rows, weight)
            )
            eta = 1 / (2 * jnp.max(jnp.abs(modes.eigenvalues)))
            curve = jax.vmap(lambda time: retain.log_norm(modes, eta, time))(times)
            half = retain.log_norm(modes, eta, LONG)
            whole = retain.log_norm(modes, eta, 2 * LONG)
            return whole - half, whole - start, curve - start

        finite = jnp.where(jnp.isinf(critical), 1.0, critical)  # not recorded where λ* = ∞
        by_weight = jax.vmap(at)(jnp.concatenate([weights, sides * finite]))
        on_kernel = jnp.linalg.norm(retain.on_kernel(pair.delta, sample))
        return Cells(critical, on_kernel / jnp.linalg.norm(pair.delta), *by_weight)

    return jax.vmap(of_instance)(pairs)


def measure(settings: Settings, pairs: list[Pair], samples: int) -> Cells:
    """All instances at one number of retained rows."""
    axes = (settings.weights, settings.sides, settings.curve_steps)
    with float64():
        grid = [jnp.asarray(values, jnp.float64) for values in axes]
        parts = jax.device_get([_measure(pair, float(samples), *grid) for pair in pairs])
    return Cells(*map(np.concatenate, zip(*parts, strict=True)))


def _record(recorder: Recorder, settings: Settings, rank: int, samples: int, cells: Cells) -> None:
    """Add the runs of one number of retained rows."""
    spans = np.isfinite(cells.critical)
    head = {"setting/rank": rank, "setting/samples": samples}

    def run(cell: str, method: str) -> Run:
        model = "full" if rank == settings.problem.d else "subspace"
        key = (rank, samples, cell)
        return recorder.run(order=pair_name(*ORDERS), method=method, model=model, key=key)

    threshold = {**head, "spans": spans.mean()}
    if spans.all():
        names = ("critical_low", "critical", "critical_high")
        threshold |= zip(names, np.quantile(cells.critical, [0.25, 0.5, 0.75]), strict=True)
    recorder.curves(run("threshold", "threshold"), threshold)
    for i, weight in enumerate(settings.weights):
        cell = {"setting/weight": weight, "grows": np.mean(cells.log_growth[:, i] > 1)}
        recorder.curves(run(f"weight {weight}", "GradDiff"), head | cell)
    if spans.all():
        for i, side in enumerate(settings.sides, start=len(settings.weights)):
            method = f"{side:g} λ*"
            side_run = run(method, method)
            recorder.curves(side_run, {**head, "setting/side": side})
            _record_side(recorder, side_run, cells, i)
            if samples == settings.curve_samples:
                curve = {"log_difference": np.median(cells.curves[:, i], axis=0)}
                recorder.curves(side_run, curve, steps=settings.curve_steps)


def _record_side(recorder: Recorder, run: Run, cells: Cells, i: int) -> None:
    """Add the instances of one side of λ*, the i-th weight."""
    growth = cells.log_growth[:, i]
    recorder.examples(run, {"log_growth": growth[None], "on_kernel": cells.on_kernel[None]})
    stopped = np.flatnonzero(growth <= 1)
    if stopped.size:
        lasting = np.exp(cells.log_left[stopped, i])
        recorder.examples(run, {"lasting": lasting[None]}, numbers=stopped)


def run(settings: Settings, progress: Progress) -> Result:
    """Every number of retained rows and every weight, for both kinds of features.

    Experiment "retain". progress(label, done, total) counts features × numbers of rows. Source:
    arXiv 2510.16629, Section 3, and beyond.
    """
    recorder = Recorder("retain", "linear", settings, reference=RETAIN)
    ranks = (settings.problem.d, settings.rank)
    done, total = 0, len(ranks) * len(settings.samples)
    for rank in ranks:
        pairs = list(_pairs(settings, rank))
        for samples in settings.samples:
            _record(recorder, settings, rank, samples, measure(settings, pairs, samples))
            done += 1
            progress("retained sample", done, total)
    return recorder.result("theory: retained sample")
