"""One instance with a million parameters, through the public entry points: `python -m
benchmarks.large [--d D]`.

Four stages of 100 rows, four orders and the retrained model, 100 ascent steps read out on the test
inputs, span floors and Theorem 3.1's bounds. Prints time and peak memory part by part; a d×d array
would take 8 TB.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.table import peak_memory, table
from protocol.orders import positions
from theory import linear, span, theorem

ETA = 0.3
NAMES = ("A", "B", "C", "U")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--d", type=int, default=1_000_000)
    parser.add_argument(
        "--n", type=int, default=100, help="rows of every stage, the forget set's too"
    )
    options = parser.parse_args()
    d, n, rows, started = (
        options.d,
        options.n,
        [("part", "seconds", "peak memory so far")],
        time.perf_counter(),
    )

    def measured(part: str) -> None:
        nonlocal started
        rows.append((part, f"{time.perf_counter() - started:.1f}", f"{peak_memory():.1f} GiB"))
        started = time.perf_counter()

    rng = np.random.default_rng(5)

    def inputs(seed: int, count: int) -> np.ndarray:
        X = np.random.default_rng(seed).standard_normal((count, d))
        X /= np.sqrt(d)
        return X

    with ThreadPoolExecutor() as pool:
        *drawn, X_test = pool.map(inputs, range(5), (n, n, n, n, n + n // 5))
    stages = {name: (X, rng.standard_normal(n)) for name, X in zip(NAMES, drawn, strict=True)}
    measured("generation")
    orders = positions(NAMES[:-1], NAMES[-1])
    *paths, retrained = linear.train_orders(stages, (*orders, NAMES[:-1]), mu=1.0)
    measured("training, 13 stages")
    X, y = stages["U"]
    outputs = [linear.ascend(theta, X, y, eta=ETA, steps=100, readout=X_test) for theta in paths]
    measured("ascent, 4 paths of 100 steps")
    floors = span.span_floors(np.stack(paths), retrained, X, X_test)
    measured("span floors, 4")
    bounds = theorem.divergence_bounds(np.stack(paths), X, X_test, eta=ETA)
    measured("Theorem 3.1, 6 pairs")
    total = sum(float(row[1]) for row in rows[1:])
    table(
        f"d = {d}, n = k = {n}, four stages",
        [*rows, ("all", f"{total:.1f}", f"{peak_memory():.1f} GiB")],
    )
    target = X_test @ retrained
    best = [np.min(np.mean((output - target) ** 2, axis=1)) for output in outputs]
    print("\nbest distance by ascent:", *(f"{value:.3g}" for value in best))
    print("span floor:             ", *(f"{value:.3g}" for value in floors))
    print("t0 of the six pairs:    ", *(f"{bound.t0:.0f}" for bound in bounds.values()))


if __name__ == "__main__":
    main()
