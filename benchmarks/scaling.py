"""Time against d, n, k and the number of instances: `python -m benchmarks.scaling [--figure FILE]`.

One of the four grows at a time, the others stay at their base; each point is the median of several
runs of the compiled `survey`. The exponent is the slope of log time on log size over the upper half
of the points, where overheads are gone. Beside it the exponent of the counted operations and bytes,
fitted on the same points: a time whose exponent is at most theirs scales as the formulas do.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.survey import STEPS, draw, survey
from benchmarks.table import table
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
    """One size with its median time in seconds, floating-point operations and bytes of its arrays."""

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
    retained, forget = (
        9 * (2 * n**2 * d + n**3 / 3 + 4 * n * d),
        4 * (2 * k**2 * d + k**3 / 3 + 4 * k * d),
    )
    decomposed = 4 * k**2 * d + 20 * k**3 + 2 * m * k * d + 4 * m * k**2 + 2 * m**2 * d + 2 * m**3
    return instances * (retained + forget + decomposed + 4 * STEPS * 2 * m * k)


def array_bytes(*, d: int, n: int, k: int, m: int, instances: int) -> float:
    """Bytes read and written at least once: inputs, basis of the forget set, models and curves."""
    return 8.0 * instances * ((3 * n + k + m) * d + k * d + 14 * d + 4 * STEPS * k)


def measure(name: str, size: int) -> Point:
    """Median time of the survey with `name` set to `size`; m is 3k/2."""
    sizes = {**BASE, name: size}
    instances = sizes.pop("instances")
    sizes["m"] = sizes["k"] * 3 // 2
    cases, seconds = draw(0, instances, **sizes), []
    with float64():
        jax.block_until_ready(survey(cases))
        for _ in range(RUNS):
            started = time.perf_counter()
            jax.block_until_ready(survey(cases))
            seconds.append(time.perf_counter() - started)
    count = {**sizes, "instances": instances}
    return Point(size, float(np.median(seconds)), operations(**count), array_bytes(**count))


def exponent(sizes: Float[np.ndarray, " points"], values: Float[np.ndarray, " points"]) -> float:
    """Slope of log value on log size over the upper half of the points."""
    upper = slice(len(sizes) // 2, None)
    return float(np.polyfit(np.log(sizes[upper]), np.log(values[upper]), 1)[0])


def draw_figure(sweeps: dict[str, list[Point]]) -> Figure:
    """Time on log axes, one panel a size, with operations and bytes drawn through the last point."""
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    for axes, (name, points) in zip(figure.subplots(1, len(sweeps)), sweeps.items(), strict=True):
        size, seconds, ops, moved = (np.array(column) for column in zip(*points, strict=True))
        axes.loglog(
            size,
            seconds,
            "o-",
            color="#1f77b4",
            label=f"time, exponent {exponent(size, seconds):.2f}",
        )
        axes.loglog(
            size,
            ops * seconds[-1] / ops[-1],
            "--",
            color="#444444",
            label=f"operations, {exponent(size, ops):.2f}",
        )
        axes.loglog(
            size,
            moved * seconds[-1] / moved[-1],
            ":",
            color="#d62728",
            label=f"bytes, {exponent(size, moved):.2f}",
        )
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(name)
        axes.set_ylabel("seconds")
        axes.legend(fontsize=8, frameon=False)
        axes.grid(color="#dddddd", linewidth=0.6)
    base = ", ".join(f"{name} = {value}" for name, value in BASE.items())
    figure.suptitle(
        f"Survey of instances: one size grows, the others stay at {base}, m = 3k/2", fontsize=10
    )
    return figure


def main() -> None:
    """Measure, print and, where asked, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", type=Path, help="file to draw into (PNG, PDF or SVG)")
    options = parser.parse_args()
    sweeps = {name: [measure(name, size) for size in sizes] for name, sizes in SWEEPS.items()}
    rows: list[tuple[str, ...]] = [
        (
            "size",
            "from",
            "to",
            "seconds from",
            "to",
            "exponent of time",
            "of operations",
            "of bytes",
        )
    ]
    for name, points in sweeps.items():
        size, seconds, ops, moved = (np.array(column) for column in zip(*points, strict=True))
        fits = (f"{exponent(size, values):.2f}" for values in (seconds, ops, moved))
        rows.append(
            (name, str(size[0]), str(size[-1]), f"{seconds[0]:.4f}", f"{seconds[-1]:.3f}", *fits)
        )
    table("Survey of instances: one size grows, the others stay at their base", rows)
    if options.figure:
        draw_figure(sweeps).savefig(options.figure, dpi=120)


if __name__ == "__main__":
    main()
