"""C1 and C2 from experiment "certified": how long noise hides two orders, and how much it takes.

theory/experiments/certified.py explains the metrics; a cell is an instance, a noise and an ε. Both
are theorems: a cell that breaks them refutes the code or the formula. A cell whose violation lies
beyond the steps made decides nothing.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import holds_if
from protocol.readings.sweeps import by_example, sweep
from protocol.records import Tables

# Relative, of a growth per step between 10⁶ and 2·10⁶ steps: what the other eigenvalues leave of it
# is gone but for relative gaps to the largest below about 1e-5, and logarithms near 1e5 round to
# 1e-11.
SLOPE = 1e-6


def _median(values: Float[np.ndarray, " n"]) -> float:
    return float(np.median(values)) if values.size else 0.0


def _violated(examples: pl.DataFrame, cells: pl.DataFrame) -> Claim:
    """C1: finite first step, the same on stepped models, and no relapse."""
    first = by_example(examples, metric="first_step")
    stepped = by_example(examples, metric="stepped")
    relapses = by_example(examples, metric="relapses")
    steps, noises = cells["steps"].to_numpy()[0], cells["noise"].to_numpy()
    reached = ~np.isnan(stepped)
    unlike_stepped = np.where(reached, first != stepped, first <= steps)
    wrong = ~np.isfinite(first) | (relapses > 0) | unlike_stepped
    right = reached & ~wrong
    later = first[first > 0]
    return STATEMENTS["C1"].judged(
        world="linear",
        model="linear",
        method="GA",
        value=float(right.mean()),
        rule="= 1; inconclusive if some violating steps are not reached within the steps made",
        verdict="fails" if wrong.any() else "holds" if right.all() else "inconclusive",
        details=[
            f"{first.size} cells, noise {noises.min():g}–{noises.max():g} ‖Δ₀‖, {steps:.0f} steps",
            f"violated at step 0 in {np.sum(first == 0)}",
            f"first violating step of the other cells: median {_median(later):.0f}, at most "
            f"{first.max():.0f}",
            f"{reached.sum()} reached step by step, {relapses.sum():.0f} later steps without "
            "violation",
        ],
    )


def _needed(examples: pl.DataFrame) -> Claim:
    """C2: the late slope of the log of the noise."""
    slope = by_example(examples, metric="slope")
    promised = by_example(examples, metric="promised")
    worst = float(np.max(np.abs(slope / promised - 1)))
    return STATEMENTS["C2"].judged(
        world="linear",
        model="linear",
        method="GA",
        value=worst,
        rule=f"< {SLOPE:g}",
        verdict=holds_if(worst < SLOPE),
        details=[
            f"{examples['example'].n_unique()} instances, the same slope for every ε, from 10⁶ to "
            "2·10⁶ steps",
            f"log(1 + λ_max(M)): median {np.median(promised):.3g}, from {promised.min():.3g} to "
            f"{promised.max():.3g}",
        ],
    )


def judge(tables: Tables) -> list[Claim]:
    """C1 and C2; none if the experiment was not run."""
    records = sweep(tables, "certified")
    if records.is_empty():
        return []
    examples = tables.examples.filter(pl.col("experiment") == "certified")
    return [_violated(examples, records.drop_nulls("noise")), _needed(examples)]
