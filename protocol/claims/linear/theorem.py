"""T1–T3: the linear model's theorem over an ensemble of random instances (experiment "theorem").

Per-instance values, in the examples table: bound_log_slack = log d_t − log bound(t) at t = t₀, t₀ +
1, 2t₀ + 20 (t₀ clipped at 0); violation_log_margin = log(max(d(A_t, θ_r), d(B_t, θ_r))/ε) at
violation_step(ε) and later; lemma_error = worst relative error of Lemma 3.2 over 200 steps;
projected_difference = ‖PΔ₀‖; sigma = σ_U.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import holds_if
from protocol.records import Tables

# rounding of a logarithm of about 1e5 terms; a violated bound misses by far more
LOG_TOLERANCE = -1e-9
LEMMA_TOLERANCE = 1e-9


def _bound(id: str, margins: Float[np.ndarray, " checks"], instances: int, shapes: str) -> Claim:
    """T1, T2: the share of instances and steps at which a bound's log margin is not negative."""
    share = float(np.mean(margins >= LOG_TOLERANCE))
    smallest, median = margins.min(), np.median(margins)
    return STATEMENTS[id].judged(
        world="linear",
        model=shapes,
        method="GA",
        value=share,
        rule="= 1",
        verdict=holds_if(share == 1.0),
        details=[
            f"{instances} instances, {margins.size} checks",
            f"log margin: smallest {smallest:.3g}, median {median:.3g}",
        ],
    )


def _lemmas(values: dict[str, np.ndarray], instances: int, shapes: str) -> Claim:
    """T3: the closed form, and what must not vanish."""
    worst = float(values["lemma_error"].max())
    projected, sigma = values["projected_difference"].min(), values["sigma"].min()
    return STATEMENTS["T3"].judged(
        world="linear",
        model=shapes,
        method="GA",
        value=worst,
        rule=f"< {LEMMA_TOLERANCE:g}, and ‖PΔ₀‖, σ_U > 0",
        verdict=holds_if(worst < LEMMA_TOLERANCE and projected > 0 and sigma > 0),
        details=[
            f"{instances} instances",
            f"smallest ‖PΔ₀‖ {projected:.3g}, smallest σ_U {sigma:.3g}",
        ],
    )


def judge(tables: Tables) -> list[Claim]:
    """T1, T2, T3 from the ensemble's per-instance values; none if the ensemble was not run."""
    examples = tables.examples.filter(pl.col("experiment") == "theorem")
    if examples.is_empty():
        return []
    values = {str(name): part["value"].to_numpy() for (name,), part in examples.group_by("metric")}
    instances = values["lemma_error"].size
    shapes = f"{examples['model'].n_unique()} shapes"
    return [
        _bound("T1", values["bound_log_slack"], instances, shapes),
        _bound("T2", values["violation_log_margin"], instances, shapes),
        _lemmas(values, instances, shapes),
    ]
