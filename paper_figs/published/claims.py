"""Claims L1–L5 and L6e on the published numbers, judged by the same functions and thresholds as
ours.

Where the paper publishes no spread over seeds, L1, L3 and L4 are not testable; their numbers stand
in the detail.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from paper_figs.published import numbers
from paper_figs.published.records import tables
from protocol import claims, metrics
from protocol.claims.claim import Claim
from protocol.claims.paper import paths
from protocol.claims.verdicts import agreed


def printed_scores(method: str) -> dict[str, Float[np.ndarray, " paths"]]:
    """Model -> Table 1's forget scores; where the curve says otherwise (1.893, Qwen1B under
    SimNPO), the curve's.
    """
    models = numbers.table1()["model"].unique(maintain_order=True)
    scores = {model: numbers.table1_row(model, method, "forget_score") for model in models}
    if method == "SimNPO":
        scores["Qwen1B"] = numbers.panel(8, algorithm=method, scheduler="WSD").drops
    return scores


def _by_table(claim: Claim) -> Claim:
    """L2 with the count of Table 1, which has models without curves, beside that of the curves."""
    ranks = {
        model: int(metrics.recency(scores))
        for model, scores in printed_scores(claim.method).items()
    }
    slowest = list(ranks.values()).count(1)
    low, high = metrics.exact_interval(slowest, len(ranks))
    told = ", ".join(f"{model} {rank}" for model, rank in ranks.items())
    told += f" (slowest in {slowest} of {len(ranks)}, 95% bounds {low:.2f}–{high:.2f})"
    return replace(claim, detail=f"{claim.detail}; rank of p = last in Table 1: {told}")


def _read_twice(claim: Claim, other: Claim) -> Claim:
    """L1 of curves with a band, which may be a t interval of the mean or ±1.96 standard errors: an
    assumption.
    """
    if claim.value is None:
        return claim
    told = (
        "their variance from the published band, taken for a 95% t interval of the mean (an "
        "assumption)"
    )
    told += f"; taken for ±1.96 standard errors: F {other.value:.3g}, {other.verdict}"
    return replace(
        claim, verdict=agreed([claim.verdict, other.verdict]), detail=f"{claim.detail}, {told}"
    )


def judge_published() -> list[Claim]:
    """By method, in the order of `claims.judge`; a unit of L2 and L6e is a model, each counted
    once.
    """
    second = {
        (claim.id, claim.method, claim.model): claim for claim in paths.judge(tables(normal=True))
    }
    return [
        _read_twice(claim, second[claim.id, claim.method, claim.model])
        if claim.id == "L1"
        else (_by_table(claim) if claim.id == "L2" else claim)
        for claim in claims.judge(tables())
    ]
