"""One instance with a million parameters, by the entry points: `python -m benchmarks.large`.

Four stages of 100 rows, four orders and the retrained model, 100 ascent steps read out on the test
inputs, span floors and Theorem 3.1's bounds. Prints time and peak memory part by part; a d×d array
would take 8 TB.
"""

import argparse
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.table import peak_memory, table
from protocol.orders import positions
from theory import linear, span, theorem

ETA = 0.3
NAMES = ("A", "B", "C", "U")


class Stopwatch:
    """Rows of a table: the seconds of every part since the last one, and the memory so far."""

    def __init__(self) -> None:
        header = ("part", "seconds", "peak memory so far")
        self._rows: list[tuple[str, ...]] = [header]
        self._total = 0.0
        self._started = time.perf_counter()

    def measured(self, part: str) -> None:
        """Note the end of a part."""
        seconds = time.perf_counter() - self._started
        self._add(part, seconds)
        self._total += seconds
        self._started = time.perf_counter()

    def table(self) -> list[tuple[str, ...]]:
        """All rows, and their sum."""
        self._add("all", self._total)
        return self._rows

    def _add(self, part: str, seconds: float) -> None:
        memory = f"{peak_memory():.1f} GiB"
        self._rows.append((part, f"{seconds:.1f}", memory))


def _inputs(d: int, counts: Sequence[int]) -> list[np.ndarray]:
    """Rows of mean square norm 1 of every stage, drawn in threads."""

    def rows(seed: int, count: int) -> np.ndarray:
        X = np.random.default_rng(seed).standard_normal((count, d))
        X /= np.sqrt(d)
        return X

    with ThreadPoolExecutor() as pool:
        return list(pool.map(rows, range(len(counts)), counts))


def _print(title: str, form: str, values: Iterable[float]) -> None:
    """One line: a title and numbers."""
    print(f"{title:24}", *map(form.format, values))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--d", type=int, default=1_000_000, help="parameters")
    rows = "rows of every stage, the forget set's too"
    parser.add_argument("--n", type=int, default=100, help=rows)
    options = parser.parse_args()
    d, n = options.d, options.n
    watch = Stopwatch()
    tests = n + n // 5
    *drawn, X_test = _inputs(d, (n, n, n, n, tests))
    rng = np.random.default_rng(5)
    stages = {}
    for name, X in zip(NAMES, drawn, strict=True):
        stages[name] = (X, rng.standard_normal(n))
    watch.measured("generation")
    retained = NAMES[:-1]
    orders = positions(retained, "U")
    *models, retrained = linear.train_orders(stages, (*orders, retained), mu=1.0)
    paths = np.stack(models)
    watch.measured("training, 13 stages")
    X, y = stages["U"]
    outputs = [linear.ascend(theta, X, y, eta=ETA, steps=100, readout=X_test) for theta in paths]
    watch.measured("ascent, 4 paths of 100 steps")
    floors = span.span_floors(paths, retrained, X, X_test)
    watch.measured("span floors, 4")
    bounds = theorem.divergence_bounds(paths, X, X_test, eta=ETA)
    watch.measured("Theorem 3.1, 6 pairs")
    table(f"d = {d}, n = k = {n}, four stages", watch.table())
    target = X_test @ retrained
    distances = np.mean((np.stack(outputs) - target) ** 2, axis=2)  # (paths, points)
    print()
    _print("best distance by ascent:", "{:.3g}", distances.min(axis=1))
    _print("span floor:", "{:.3g}", floors)
    _print("t0 of the six pairs:", "{:.0f}", [bound.t0 for bound in bounds.values()])


if __name__ == "__main__":
    main()
