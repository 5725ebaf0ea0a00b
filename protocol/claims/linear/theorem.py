"""T1–T3: the linear model's theorem over an ensemble of random instances (experiment "theorem").

Per-instance values, in the examples table: bound_log_slack = log d_t − log bound(t) at t = t₀, t₀ +
1, 2t₀ + 20 (t₀ clipped at 0); violation_log_margin = log(max(d(A_t, θ_r), d(B_t, θ_r))/ε) at
violation_step(ε) and later; lemma_error = worst relative error of Lemma 3.2 over 200 steps;
projected_difference = ‖PΔ₀‖; sigma = σ_U.
"""

import numpy as np
import polars as pl

from protocol.claims.claim import Claim
from protocol.records import Tables

LOG_TOLERANCE = (
    -1e-9
)  # rounding of a logarithm of about 1e5 terms; a violated bound misses by far more
LEMMA_TOLERANCE = 1e-9


def _share_claim(
    values: np.ndarray, instances: int, *, id: str, statement: str, source: str, model: str
) -> Claim:
    share = float(np.mean(values >= LOG_TOLERANCE))
    return Claim(
        id,
        statement,
        source,
        "linear",
        model,
        "GA",
        "share of instances and steps",
        share,
        None,
        "= 1",
        "holds" if share == 1.0 else "fails",
        f"{instances} instances, {values.size} checks; log margin: smallest {values.min():.3g}, "
        f"median {np.median(values):.3g}",
    )


def judge(tables: Tables) -> list[Claim]:
    """T1, T2, T3 from the ensemble's per-instance values; none where the ensemble was not run."""
    examples = tables.examples.filter(pl.col("experiment") == "theorem")
    if examples.is_empty():
        return []
    values = {str(name): part["value"].to_numpy() for (name,), part in examples.group_by("metric")}
    instances = values["lemma_error"].size
    models = f"{examples['model'].n_unique()} shapes"
    worst, projected, sigma = (
        values["lemma_error"].max(),
        values["projected_difference"].min(),
        values["sigma"].min(),
    )
    return [
        _share_claim(
            values["bound_log_slack"],
            instances,
            id="T1",
            model=models,
            source="Theorem 3.1",
            statement="The lower bound on the divergence of the two paths holds from t₀ on.",
        ),
        _share_claim(
            values["violation_log_margin"],
            instances,
            id="T2",
            model=models,
            source="Corollary 1",
            statement="From violation_step(ε) on, at most one of the two paths is within ε of the retrained model.",
        ),
        Claim(
            "T3",
            "Δ_t = (I + M)^t Δ₀, and Δ₀, PΔ₀ and σ_U vanish almost never.",
            "Lemmas 3.2, C.1, C.2, C.4",
            "linear",
            models,
            "GA",
            "worst relative error over 200 steps",
            float(worst),
            None,
            f"< {LEMMA_TOLERANCE:g}, and ‖PΔ₀‖, σ_U > 0",
            "holds" if worst < LEMMA_TOLERANCE and projected > 0 and sigma > 0 else "fails",
            f"{instances} instances; smallest ‖PΔ₀‖ {projected:.3g}, smallest σ_U {sigma:.3g}",
        ),
    ]
