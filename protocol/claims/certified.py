"""C1 and C2 from experiment "certified": noise hides two orders for a while, and the noise needed grows exponentially.

Metrics: theory/experiments/certified.py; a cell is a noise and an ε, an instance a random problem.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol.claims.claim import Claim
from protocol.records import Tables

SLOPE = 1e-6  # relative; a second eigenvalue nearer than about 1e-5 to the largest would show up here

SOURCE = "beyond Theorem 3.1: certified unlearning"


def _values(examples: pl.DataFrame, metric: str) -> Float[np.ndarray, " n"]:
    return examples.filter(metric=metric).sort("run", "example")["value"].to_numpy()


def _violated(examples: pl.DataFrame) -> Claim:
    """C1: finite first step, the same on stepped models, and no relapse."""
    first, stepped, relapses = (_values(examples, name) for name in ("first_step", "stepped", "relapses"))
    reached = ~np.isnan(stepped)
    right = np.isfinite(first) & (relapses == 0) & (~reached | (first == stepped))
    share = float(right.mean())
    return Claim(
        "C1", "Whatever the noise, a certificate is violated from some step on, and for ever.", SOURCE, "linear",
        "linear", "GA", "share of instances × noises × ε with a finite first violating step that models ascended step "
        "by step confirm, and no later step without violation", share, None, "= 1",
        "holds" if share == 1.0 and reached.any() else "fails",
        f"{first.size} cells; first violating step: median {np.median(first):.0f}, from {first.min():.0f} to "
        f"{first.max():.0f}; {reached.sum()} reached step by step, {relapses.sum():.0f} steps without violation after "
        "the first",
    )  # fmt: skip


def _needed(examples: pl.DataFrame) -> Claim:
    """C2: the late slope of the log of the noise."""
    error = _values(examples, "slope_error")
    worst = float(error.max())
    return Claim(
        "C2", "The noise needed to hide the order grows like (1 + λ_max(M))^t.", SOURCE, "linear", "linear", "GA",
        "worst relative error of the late growth of log s(t) per step against log(1 + λ_max(M))", worst, None,
        f"< {SLOPE:g}", "holds" if worst < SLOPE else "fails", f"{error.size} instances × ε; from 10⁶ to 2·10⁶ steps",
    )  # fmt: skip


def judge(tables: Tables) -> list[Claim]:
    """C1 and C2; none where the experiment was not run."""
    examples = tables.examples.filter(pl.col("experiment") == "certified")
    return [] if examples.is_empty() else [_violated(examples), _needed(examples)]
