"""How fast the outputs of two paths diverge: what every model shares of experiment "rates".

Trajectories of all paths of one seed are NumPy arrays (paths, T + 1, m, *c); pairs p < q are in
lexicographic order. A `Measured` has by metric its steps and its values, a row per run (metrics:
theory/experiments/rates.py).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from protocol import metrics
from protocol.errors import InputError
from protocol.orders import Order
from protocol.recorder import Recorder, pair_name
from protocol.records import Run

ALL_PATHS = "all paths"
Measured = dict[str, tuple[Sequence[int], Any]]  # metric -> steps (points,), values (runs, points)


@dataclass(frozen=True)
class Reading:
    """What is read from the trajectories."""

    window: int = 20
    """First steps over which the growth is measured."""
    every: int = 5
    """Curves of pairs are recorded every so many steps."""
    starts: tuple[int, ...] = (0, 10, 20, 40)
    """Steps from which the divergence is extrapolated."""

    def __post_init__(self) -> None:
        if self.window < 2 or self.every < 1 or 0 not in self.starts or min(self.starts) < 0:
            raise InputError(
                "reading: expected a window of at least 2 steps, curves every 1 or more and "
                "starts ≥ 0, 0 among them; "
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
    every = where.every
    measured: Measured = {
        "output_rate": (range(0, rate.shape[1], every), rate[:, ::every]),
        "log_divergence": (range(0, log_d.shape[1], every), log_d[:, ::every]),
    }
    window = [metrics.growth_rate(growth.divergence[: where.window + 1]) for growth in growths]
    at_start = {
        "growth/measured": np.array([fit.rate for fit in window]),
        "growth/rate": np.asarray(metrics.growth_by_rate(rate[:, 0])),
        "growth/ratio": log_d[:, 1] - log_d[:, 0],
        "identity_error/outputs": np.array([_identity_error(growth) for growth in growths]),
    }
    measured |= {name: ((0,), values[:, None]) for name, values in at_start.items()}
    horizons = np.zeros((3, len(growths), len(where.starts)))
    for i, growth in enumerate(growths):
        for j, start in enumerate(where.starts):
            horizons[:, i, j] = _horizons(growth, log_d[i], start)
    for name, steps in zip(("rate", "ratio", "constant"), horizons, strict=True):
        measured[f"horizon/{name}"] = (where.starts, steps)
    return measured


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
    """The curve of the secant rates of pairs, every so many steps, and the growth ρ_0 promises."""
    return {
        "secant_rate": (range(0, rates.shape[1], every), rates[:, ::every]),
        "growth/secant": ((0,), metrics.growth_by_rate(rates[:, :1])),
    }


def half_diameters(growths: Sequence[metrics.OutputGrowth]) -> Float[np.ndarray, " points"]:
    """½ max √d over all pairs at every step, from their growth."""
    divergence = np.array([growth.divergence for growth in growths])  # (pairs, points)
    return np.array([metrics.half_diameter(at_step) for at_step in divergence.T])


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
    """Metrics of the pairs, a row per run and pair, and metrics of all paths, a row per run."""
    of_pairs: list[Measured] = []
    of_paths: list[Measured] = []
    for i, paths in enumerate(outputs):
        growths = grown(paths)
        of_pairs.append(pair_metrics(growths, reading))
        curves = {"half_diameter": half_diameters(growths)}
        if retrained is not None:
            curves["retrained_distance"] = farthest(paths, retrained[i])
        of_paths.append({name: (range(curve.size), curve[None]) for name, curve in curves.items()})
    return _stacked(of_pairs), _stacked(of_paths)


def _stacked(parts: Sequence[Measured]) -> Measured:
    """The rows of several as one."""
    return {
        name: (steps, np.concatenate([part[name][1] for part in parts]))
        for name, (steps, _) in parts[0].items()
    }


def record(
    recorder: Recorder,
    orders: Sequence[Order],
    seeds: Sequence[int],
    *,
    method: str,
    of_pairs: Measured,
    of_paths: Measured,
) -> None:
    """Add what `read_off` measured: a run per seed and pair of paths, and a run per seed for all.

    orders: those of the paths · seeds: those of the rows, whose number is that of `read_off`.
    """

    def run(seed: int, order: str, position: int) -> Run:
        key = (recorder.model, method, seed, order)
        return recorder.run(order=order, position=position, method=method, seed=seed, key=key)

    compared = [(pair_name(orders[a], orders[b]), a + 1) for a, b in pairs(len(orders))]
    pair_runs = [run(seed, order, position) for seed in seeds for order, position in compared]
    path_runs = [run(seed, ALL_PATHS, 0) for seed in seeds]
    for runs, measured in ((pair_runs, of_pairs), (path_runs, of_paths)):
        for metric, (steps, values) in measured.items():
            recorder.curves(runs, {metric: values}, steps)
