"""Time against d, n, k and the number of instances: `python -m benchmarks.scaling [--figure FILE]`.

One of the four grows at a time, the others stay at their base; each point is the median of several
runs of the compiled `survey`. The exponent is the slope of log time on log size over the upper half
of the points, where overheads are gone. The exponents of the counted operations and bytes are
fitted on the same points: a time whose exponent is at most theirs scales as the formulas do.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.survey import STEPS, draw, survey
from benchmarks.table import listed, table
from theory.numerics import float64

BASE = {"d": 400, "n": 40, "k": 40, "instances": 16}
SWEEPS = {
    "d": (400, 800, 1600, 3200, 6400, 12800),
    "n": (20, 40, 80, 160, 320, 640),
    "k": (10, 20, 40, 80, 160, 320),
    "instances": (8, 16, 32, 64, 128, 256),
}
RUNS = 5


class Point(NamedTuple):
    """One size, its median time in seconds, its floating-point operations and bytes of arrays."""

    size: int
    seconds: float
    operations: float
    bytes: float


def operations(*, d: int, n: int, k: int, m: int, instances: int) -> float:
    """Leading terms of the survey's floating-point operations.

    Training: 4 + 3·3 stages, each a Gram matrix 2n²d, a Cholesky solve n³/3 and 4nd; the forget
    set: QR 4k²d and an SVD of k×k, about 20k³; the test inputs: readout 2mkd, its SVD 4mk², Gram
    matrix 2m²d and its SVD 2m³; curves: 4 paths × STEPS times 2mk.
    """

    def stages(count: int, rows: int) -> float:
        gram = 2 * rows**2 * d
        solve = rows**3 / 3
        products = 4 * rows * d
        return count * (gram + solve + products)

    forget_modes = 4 * k**2 * d + 20 * k**3
    readout = 2 * m * k * d + 4 * m * k**2
    tests = 2 * m**2 * d + 2 * m**3
    curves = 4 * STEPS * 2 * m * k
    training = stages(9, n) + stages(4, k)
    return instances * (training + forget_modes + readout + tests + curves)


def array_bytes(*, d: int, n: int, k: int, m: int, instances: int) -> float:
    """Bytes read and written at least once: inputs, basis of the forget set, models and curves."""
    inputs = (3 * n + k + m) * d
    basis = k * d
    models = 14 * d
    curves = 4 * STEPS * k
    return 8.0 * instances * (inputs + basis + models + curves)


def measure(name: str, size: int) -> Point:
    """Median time of the survey with `name` set to `size`; m is 3k/2."""
    sizes = {**BASE, name: size}
    instances = sizes.pop("instances")
    sizes["m"] = sizes["k"] * 3 // 2
    cases = draw(0, instances, **sizes)
    seconds = []
    with float64():
        jax.block_until_ready(survey(cases))
        for _ in range(RUNS):
            started = time.perf_counter()
            jax.block_until_ready(survey(cases))
            seconds.append(time.perf_counter() - started)
    count = {**sizes, "instances": instances}
    return Point(
        size=size,
        seconds=float(np.median(seconds)),
        operations=operations(**count),
        bytes=array_bytes(**count),
    )


def exponent(sizes: Float[np.ndarray, " points"], values: Float[np.ndarray, " points"]) -> float:
    """Slope of log value on log size over the upper half of the points."""
    upper = slice(len(sizes) // 2, None)
    log_size = np.log(sizes[upper])
    log_value = np.log(values[upper])
    slope, _ = np.polyfit(log_size, log_value, 1)
    return float(slope)


class Columns(NamedTuple):
    """The points of one sweep, by size."""

    size: Float[np.ndarray, " points"]
    seconds: Float[np.ndarray, " points"]
    operations: Float[np.ndarray, " points"]
    bytes: Float[np.ndarray, " points"]


def columns(points: list[Point]) -> Columns:
    """Every field of the points as an array."""
    return Columns(*map(np.array, zip(*points, strict=True)))


def _draw_sweep(axes: Axes, name: str, sweep: Columns) -> None:
    """Time by size, with operations and bytes drawn through the last point."""
    axes.loglog(
        sweep.size,
        sweep.seconds,
        "o-",
        color="#1f77b4",
        label=f"time, exponent {exponent(sweep.size, sweep.seconds):.2f}",
    )
    lines = (
        ("operations", sweep.operations, "--", "#444444"),
        ("bytes", sweep.bytes, ":", "#d62728"),
    )
    for label, counts, style, color in lines:
        axes.loglog(
            sweep.size,
            counts * sweep.seconds[-1] / counts[-1],
            style,
            color=color,
            label=f"{label}, {exponent(sweep.size, counts):.2f}",
        )
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(name)
    axes.set_ylabel("seconds")
    axes.legend(fontsize=8, frameon=False)
    axes.grid(color="#dddddd", linewidth=0.6)


def draw_figure(sweeps: dict[str, list[Point]]) -> Figure:
    """Time on log axes, one panel a size."""
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    panels = figure.subplots(1, len(sweeps))
    for axes, (name, points) in zip(panels, sweeps.items(), strict=True):
        _draw_sweep(axes, name, columns(points))
    base = f"the others stay at {listed(BASE)}, m = 3k/2"
    title = f"Survey of instances: one size grows, {base}"
    figure.suptitle(title, fontsize=10)
    return figure


HEADER = (
    "size",
    "from",
    "to",
    "seconds from",
    "to",
    "exponent of time",
    "of operations",
    "of bytes",
)


def _row(name: str, sweep: Columns) -> tuple[str, ...]:
    """The table's row of one sweep."""
    measured = (sweep.seconds, sweep.operations, sweep.bytes)
    exponents = [f"{exponent(sweep.size, values):.2f}" for values in measured]
    return (
        name,
        str(sweep.size[0]),
        str(sweep.size[-1]),
        f"{sweep.seconds[0]:.4f}",
        f"{sweep.seconds[-1]:.3f}",
        *exponents,
    )


def main() -> None:
    """Measure, print and, with --figure, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", type=Path, help="file to draw into (PNG, PDF or SVG)")
    options = parser.parse_args()
    sweeps: dict[str, list[Point]] = {}
    for name, sizes in SWEEPS.items():
        sweeps[name] = [measure(name, size) for size in sizes]
    rows = [_row(name, columns(points)) for name, points in sweeps.items()]
    title = "Survey of instances: one size grows, the others stay at their base"
    table(title, [HEADER, *rows])
    if options.figure:
        draw_figure(sweeps).savefig(options.figure, dpi=120)


if __name__ == "__main__":
    main()
