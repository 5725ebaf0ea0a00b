"""C1 and C2 from experiment "certified": noise hides two orders for a while, and the noise needed
grows exponentially.

Metrics: theory/experiments/certified.py; a cell is an instance, a noise and an ε. Both are
theorems: a cell that breaks them refutes the code or the formula, and one whose violation lies
beyond the steps made decides nothing.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol.claims.claim import Claim
from protocol.readings.sweeps import sweep
from protocol.records import Tables

# Relative, of a growth per step between 10⁶ and 2·10⁶ steps: what the other eigenvalues leave of it
# is gone but for relative gaps to the largest below about 1e-5, and logarithms near 1e5 round to
# 1e-11.
SLOPE = 1e-6

SOURCE = "beyond Theorem 3.1: certified unlearning"


def _values(examples: pl.DataFrame, metric: str) -> Float[np.ndarray, " n"]:
    return examples.filter(metric=metric).sort("run", "example")["value"].to_numpy()


def _violated(examples: pl.DataFrame, cells: pl.DataFrame) -> Claim:
    """C1: finite first step, the same on stepped models, and no relapse."""
    first, stepped, relapses = (
        _values(examples, name) for name in ("first_step", "stepped", "relapses")
    )
    steps, noises = cells["steps"].to_numpy()[0], cells["noise"].to_numpy()
    reached = ~np.isnan(stepped)
    wrong = (
        ~np.isfinite(first) | (relapses > 0) | np.where(reached, first != stepped, first <= steps)
    )
    right = reached & ~wrong
    return Claim(
        "C1",
        "Whatever the noise, a certificate is violated after finitely many steps and stays "
        "violated.",
        SOURCE,
        "linear",
        "linear",
        "GA",
        "share of cells (instance × noise × ε) with a finite first violating step that two "
        "models ascended step by step confirm: no violation before it, none missing after it",
        float(right.mean()),
        None,
        "= 1; inconclusive where some are not reached within the steps made",
        "fails" if wrong.any() else "holds" if right.all() else "inconclusive",
        f"{first.size} cells, noise {noises.min():g}–{noises.max():g} ‖Δ₀‖, {steps:.0f} steps; "
        f"violated from the start "
        f"in {np.sum(first == 0)}; first violating step of the others: median "
        f"{_median(first[first > 0]):.0f}, at most "
        f"{first.max():.0f}; {reached.sum()} reached step by step, {relapses.sum():.0f} later "
        f"steps without violation",
    )


def _median(values: Float[np.ndarray, " n"]) -> float:
    return float(np.median(values)) if values.size else 0.0


def _needed(examples: pl.DataFrame) -> Claim:
    """C2: the late slope of the log of the noise."""
    slope, promised = (_values(examples, name) for name in ("slope", "promised"))
    worst = float(np.max(np.abs(slope / promised - 1)))
    return Claim(
        "C2",
        "The noise needed to hide the order grows like (1 + λ_max(M))^t.",
        SOURCE,
        "linear",
        "linear",
        "GA",
        "worst relative error of the late growth of log s(t) per step against log(1 + λ_max(M))",
        worst,
        None,
        f"< {SLOPE:g}",
        "holds" if worst < SLOPE else "fails",
        f"{examples['example'].n_unique()} instances, the same slope for every ε, from 10⁶ to "
        f"2·10⁶ steps; "
        f"log(1 + λ_max(M)): median {np.median(promised):.3g}, from {promised.min():.3g} to "
        f"{promised.max():.3g}",
    )


def judge(tables: Tables) -> list[Claim]:
    """C1 and C2; none where the experiment was not run."""
    records = sweep(tables, "certified")
    if records.is_empty():
        return []
    examples = tables.examples.filter(pl.col("experiment") == "certified")
    return [_violated(examples, records.drop_nulls("noise")), _needed(examples)]
