"""What trajectories of outputs tell about two paths parting: the part of experiment "rates" every
model shares.

Trajectories of all paths of one seed, (paths, T + 1, m, *c) NumPy; pairs p < q in lexicographic
order. What is measured is a `Measured`: by metric the steps it stands at and its values, a row per
run (metrics: theory/experiments/rates.py).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.errors import InputError
from protocol.orders import Order
from protocol.records import Run, gathered, order_name
from protocol.spec import digest

ALL_PATHS = "all paths"
Measured = dict[str, tuple[Sequence[int], Any]]  # metric -> steps (points,), values (runs, points)


@dataclass(frozen=True)
class Reading:
    """What is read off the trajectories."""

    window: int = 20
    """First steps over which the growth is measured."""
    every: int = 5
    """Curves of pairs are recorded every so many steps."""
    starts: tuple[int, ...] = (0, 10, 20, 40)
    """Steps from which the divergence is extrapolated."""

    def __post_init__(self) -> None:
        if self.window < 2 or self.every < 1 or 0 not in self.starts or min(self.starts) < 0:
            raise InputError(
                f"reading: expected a window of at least 2 steps, curves every 1 or more and "
                f"starts ≥ 0, 0 among them; "
                f"got window {self.window}, every {self.every}, starts {self.starts}"
            )

    @property
    def last(self) -> int:
        """The last step that is needed, but one: runs must be longer."""
        return max((self.window, *self.starts))


def pairs(paths: int) -> list[tuple[int, int]]:
    """Indices (a, b), a < b, of every pair of paths."""
    return list(itertools.combinations(range(paths), 2))


def grown(outputs: Float[np.ndarray, "paths points m *c"]) -> list[metrics.OutputGrowth]:
    """Divergence and rate of every pair."""
    return [metrics.output_growth(outputs[a], outputs[b]) for a, b in pairs(outputs.shape[0])]


def _horizons(
    growth: metrics.OutputGrowth, log_d: Float[np.ndarray, " points"], start: int
) -> list[int]:
    """Steps for which (1 + r)^{2t}, (d_1/d_0)^t and d_t = d_0 hold, each taken at `start`."""
    ahead = log_d[start:]
    slopes = (
        float(metrics.growth_by_rate(growth.rate[start])),
        metrics.growth_by_ratio(ahead),
        0.0,
    )
    return [
        metrics.horizon(ahead, metrics.extrapolate(ahead[0], slope, ahead.size - 1))
        for slope in slopes
    ]


def _identity_error(growth: metrics.OutputGrowth) -> float:
    """Worst relative error of d_{t+1} = d_t(1 + 2r_t) + ‖e_{t+1} − e_t‖²/m."""
    promised = growth.divergence[:-1] * (1 + 2 * growth.rate) + growth.movement
    return float(np.max(np.abs(growth.divergence[1:] - promised) / growth.divergence[1:]))


def pair_metrics(growths: Sequence[metrics.OutputGrowth], where: Reading) -> Measured:
    """Curves, growth and horizons, a row per pair; the divergence is above 0."""
    log_d = np.log([growth.divergence for growth in growths])
    rate = np.array([growth.rate for growth in growths])
    steps, points = range(0, rate.shape[1], where.every), range(0, log_d.shape[1], where.every)
    horizons = np.array(
        [
            [_horizons(g, log, s) for s in where.starts]
            for g, log in zip(growths, log_d, strict=True)
        ]
    )
    first = [metrics.growth_rate(growth.divergence[: where.window + 1]).rate for growth in growths]
    at_start = {
        "growth/measured": np.array(first),
        "growth/rate": np.asarray(metrics.growth_by_rate(rate[:, 0])),
        "growth/ratio": log_d[:, 1] - log_d[:, 0],
        "identity_error/outputs": np.array([_identity_error(growth) for growth in growths]),
    }
    named = zip(
        ("rate", "ratio", "constant"), np.moveaxis(horizons.astype(np.float64), -1, 0), strict=True
    )
    return {
        "output_rate": (steps, rate[:, :: where.every]),
        "log_divergence": (points, log_d[:, :: where.every]),
        **{name: ((0,), values[:, None]) for name, values in at_start.items()},
        **{f"horizon/{name}": (where.starts, values) for name, values in named},
    }


def secant_rates(
    parameters: Float[np.ndarray, "paths points d"],
) -> Float[np.ndarray, "pairs steps"]:
    """ρ_t of every pair of paths, in float64."""
    rates = []
    for a, b in pairs(len(parameters)):
        delta = np.subtract(parameters[a], parameters[b], dtype=np.float64)
        rates.append(metrics.secant_rate(delta[:-1], np.diff(delta, axis=0)))
    return np.array(rates)


def in_parameters(rates: Float[np.ndarray, "pairs steps"], every: int) -> Measured:
    """What the secant rates of pairs tell: the curve, every so many steps, and the growth ρ_0
    promises.
    """
    return {
        "secant_rate": (range(0, rates.shape[1], every), rates[:, ::every]),
        "growth/secant": ((0,), metrics.growth_by_rate(rates[:, :1])),
    }


def half_diameters(growths: Sequence[metrics.OutputGrowth]) -> Float[np.ndarray, " points"]:
    """½ max √d over all pairs at every step, from their growth."""
    return np.array(
        [metrics.half_diameter(d) for d in np.array([growth.divergence for growth in growths]).T]
    )


def farthest(
    outputs: Float[np.ndarray, "paths points m *c"], retrained: Float[np.ndarray, " m *c"]
) -> Float[np.ndarray, " points"]:
    """max_p √d(u_p, θ_r) at every step."""
    return np.sqrt(np.max([metrics.distance_curve(path, retrained) for path in outputs], axis=0))


def read_off(
    outputs: Float[np.ndarray, "runs paths points m *c"],
    reading: Reading,
    retrained: Float[np.ndarray, "runs m *c"] | None = None,
) -> tuple[Measured, Measured]:
    """What outputs tell: the pairs' metrics, a row per run and pair, and those of all paths, a row
    per run.
    """
    of_pairs: list[Measured] = []
    of_paths: list[Measured] = []
    for i, one in enumerate(outputs):
        growths = grown(one)
        of_pairs.append(pair_metrics(growths, reading))
        together = {"half_diameter": half_diameters(growths)}
        if retrained is not None:
            together["retrained_distance"] = farthest(one, retrained[i])
        of_paths.append(
            {name: (range(values.size), values[None]) for name, values in together.items()}
        )
    return _stacked(of_pairs), _stacked(of_paths)


def _stacked(measured: Sequence[Measured]) -> Measured:
    """The rows of several as one."""
    return {
        name: (steps, np.concatenate([one[name][1] for one in measured]))
        for name, (steps, _) in measured[0].items()
    }


class Source(NamedTuple):
    """Where trajectories come from; orders are those of their paths."""

    spec: str
    world: str
    model: str
    method: str
    orders: tuple[Order, ...]
    reference: Order


def runs(source: Source, seeds: Sequence[int]) -> tuple[list[Run], list[Run]]:
    """A run per seed and pair of paths, and one per seed for all of its paths, as `read_off` has
    its rows.
    """
    names = [order_name(order) for order in source.orders]

    def run(seed: int, order: str, position: int) -> Run:
        return Run(
            run=digest([source.spec, source.model, source.method, seed, order]),
            spec=source.spec,
            experiment="rates",
            world=source.world,
            model=source.model,
            order=order,
            position=position,
            reference=order_name(source.reference),
            method=source.method,
            seed=seed,
        )

    of_pairs = [
        run(seed, f"{names[a]}|{names[b]}", a + 1) for seed in seeds for a, b in pairs(len(names))
    ]
    return of_pairs, [run(seed, ALL_PATHS, 0) for seed in seeds]


def frames(runs: Sequence[Run], measured: Measured) -> list[pl.DataFrame]:
    """Records of everything measured; row i belongs to runs[i]."""
    found = []
    for name, (steps, values) in measured.items():
        which, column = np.divmod(np.arange(values.size), values.shape[1])
        found.append(
            gathered(runs, which, step=np.asarray(steps)[column], metric=name, value=values.ravel())
        )
    return found
