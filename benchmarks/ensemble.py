"""10,000 instances of the theory against a loop in NumPy: `python -m benchmarks.ensemble`.

Prints one row with generation (the next chunk is drawn while one is computed) and, chunk by chunk
on the same data drawn beforehand, our time, the loop's and their ratio; and by how much the two
differ. Compilation is counted apart.
"""

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from benchmarks.survey import STEPS, Case, Survey, disagreement, draw, survey, textbook
from benchmarks.table import listed, peak_memory, table
from theory.numerics import float64

SIZES = {"d": 200, "n": 40, "k": 40, "m": 60}


def _compute(cases: Case) -> tuple[Survey, float]:
    """Survey of a chunk by the library, and its seconds."""
    started = time.perf_counter()
    with float64():
        result = jax.block_until_ready(survey(cases))
    arrays = Survey(*map(np.asarray, result))
    return arrays, time.perf_counter() - started


def _loop(cases: Case, threads: int) -> tuple[Survey, float]:
    """Survey of a chunk by the textbook, one instance after another, and its seconds."""
    started = time.perf_counter()
    with threadpool_limits(limits=threads, user_api="blas"):
        rows = [textbook(Case(*arrays)) for arrays in zip(*cases, strict=True)]
    stacked = Survey(*map(np.stack, zip(*rows, strict=True)))
    return stacked, time.perf_counter() - started


def _drawn_ahead(chunks: int, size: int) -> Iterator[Case]:
    """Chunks of instances, the next one drawn in a thread meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(draw, 0, size, **SIZES)
        for number in range(1, chunks + 1):
            cases = ahead.result()
            if number < chunks:
                ahead = pool.submit(draw, number, size, **SIZES)
            yield cases


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("--chunk", type=int, default=50, help="instances at a time: bounds memory")
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="BLAS threads of the loop (1 is faster than 2 at d = 200)",
    )
    options = parser.parse_args()
    size = options.chunk
    chunks = max(1, options.instances // size)
    compilation = _compute(draw(0, size, **SIZES))[1]
    started = time.perf_counter()
    for cases in _drawn_ahead(chunks, size):
        _compute(cases)
    whole = time.perf_counter() - started
    memory = peak_memory()
    ours, loop, worst = [], [], 0.0
    for number in range(chunks):
        cases = draw(number, size, **SIZES)
        result, seconds = _compute(cases)
        expected, loop_seconds = _loop(cases, options.threads)
        ours.append(seconds)
        loop.append(loop_seconds)
        worst = max(worst, disagreement(result, expected))
    ratios = np.array(loop) / np.array(ours)
    count = chunks * size
    table(
        f"{count} instances, {listed(SIZES)}, four orders, {STEPS} steps",
        [
            (
                "with generation",
                f"{whole:.1f} s",
                f"peak {memory:.2f} GiB; compilation {compilation:.1f} s more",
            ),
            (
                "same data, this library",
                f"{sum(ours):.1f} s",
                f"{1e3 * sum(ours) / count:.2f} ms an instance",
            ),
            (
                "same data, loop in NumPy",
                f"{sum(loop):.1f} s",
                f"{1e3 * sum(loop) / count:.2f} ms an instance",
            ),
            (
                "ratio",
                f"{sum(loop) / sum(ours):.1f}",
                f"by chunk {ratios.min():.1f} to {ratios.max():.1f}",
            ),
            ("largest relative difference", f"{worst:.1e}", "to the largest value of its kind"),
        ],
    )


if __name__ == "__main__":
    main()
