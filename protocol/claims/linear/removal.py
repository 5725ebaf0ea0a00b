"""H1 and H2 from experiment "removal": which ways of removing a stage reach the retrained model.

What is left of the distance: protocol/readings/removal.py.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import holds_if
from protocol.readings.removal import REACHED, REMOVAL_METHODS, outcomes
from protocol.records import Tables

EXACT_ANYWHERE = ("history-aware removal", "rewind")
EXACT_LAST = ("span optimum", "stage-delta negation")
TOLERANCE = 1e-12  # relative, of parameters: a dozen solves round to about 1e-15
MISSED = 1e-6  # of the distance before; what is reached leaves about 1e-30 of it


def _exact(runs: pl.DataFrame) -> Claim:
    """H1: the error of methods that use the history, at every position."""
    worst = {}
    for method in EXACT_ANYWHERE:
        errors = runs.filter(method=method)["relative_error"].to_numpy()
        worst[method] = float(np.max(errors))
    value = max(worst.values())
    by_method = ", ".join(f"{method} {error:.2g}" for method, error in worst.items())
    return STATEMENTS["H1"].judged(
        world="linear",
        model="linear",
        method=" + ".join(EXACT_ANYWHERE),
        value=value,
        rule=f"< {TOLERANCE:g}",
        verdict=holds_if(value < TOLERANCE),
        details=[
            f"{runs['position'].n_unique()} positions of {runs['seed'].n_unique()} instances",
            by_method,
        ],
    )


def _geometric_mean(values: Float[np.ndarray, " n"]) -> float:
    """Geometric mean; 0 if one of the values is 0."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(values))))


def _missed(runs: pl.DataFrame) -> Claim:
    """H2: the distance that all other methods leave."""
    others = runs.filter(~pl.col("method").is_in(EXACT_ANYWHERE))
    reaching = pl.col("last") & pl.col("method").is_in(EXACT_LAST)
    miss = others.filter(~reaching)["left/all"].to_numpy()
    reach = others.filter(reaching)["left/all"].to_numpy()
    names = [method for method in REMOVAL_METHODS if method in set(others["method"])]
    earlier = others.filter(~pl.col("last"))
    left = {name: earlier.filter(method=name)["left/all"].to_numpy() for name in names}
    means = ", ".join(f"{name} {_geometric_mean(share):.3g}" for name, share in left.items())
    largest = np.max(reach, initial=0)
    return STATEMENTS["H2"].judged(
        world="linear",
        model="linear",
        method=" + ".join(names),
        value=float(np.min(miss)),
        rule=f"> {MISSED:g}, and < {REACHED:g} for the methods that reach it",
        verdict=holds_if(bool(np.all(miss > MISSED) and np.all(reach < REACHED))),
        details=[
            f"{miss.size} misses, {reach.size} reached (largest left {largest:.2g})",
            f"geometric mean left, earlier positions: {means}",
        ],
    )


def judge(tables: Tables) -> list[Claim]:
    """H1 and H2; none if the experiment was not run."""
    runs = outcomes(tables)
    return [] if runs.is_empty() else [_exact(runs), _missed(runs)]
