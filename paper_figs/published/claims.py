"""Claims L1–L5 and L6e on the published numbers, by the same functions and thresholds as ours.

If the paper publishes no spread over seeds, L1, L3 and L4 are not testable; the detail has their
numbers.
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
    """Model -> Table 1's forget scores, one replaced by its curve's (1.893, Qwen1B, SimNPO)."""
    models = numbers.table1()["model"].unique(maintain_order=True)
    scores = {model: numbers.table1_row(model, method, "forget_score") for model in models}
    if method == "SimNPO":
        scores["Qwen1B"] = numbers.panel(8, algorithm=method, scheduler="WSD").drops
    return scores


def _by_table(claim: Claim) -> Claim:
    """L2 of the curves; the detail also has the count of Table 1, which has more models."""
    scores = printed_scores(claim.method)
    ranks = {model: int(metrics.recency(score)) for model, score in scores.items()}
    slowest = list(ranks.values()).count(1)
    low, high = metrics.exact_interval(slowest, len(ranks))
    by_model = ", ".join(f"{model} {rank}" for model, rank in ranks.items())
    count = f"slowest in {slowest} of {len(ranks)}, 95% bounds {low:.2f}–{high:.2f}"
    detail = f"{claim.detail}; rank of p = last in Table 1: {by_model} ({count})"
    return replace(claim, detail=detail)


def _read_twice(claim: Claim, other: Claim) -> Claim:
    """L1 of curves with a band, read as a t interval of the mean and as ±1.96 standard errors."""
    if claim.value is None:
        return claim
    detail = (
        f"{claim.detail}, their variance from the published band, taken for a 95% t interval of "
        f"the mean (an assumption); taken for ±1.96 standard errors: F {other.value:.3g}, "
        f"{other.verdict}"
    )
    return replace(claim, verdict=agreed([claim.verdict, other.verdict]), detail=detail)


def judge_published() -> list[Claim]:
    """By method, in the order of `claims.judge`; a unit of L2 and L6e is a model, counted once."""
    normal = paths.judge(tables(normal=True))
    second = {(claim.id, claim.method, claim.model): claim for claim in normal}
    judged = []
    for claim in claims.judge(tables()):
        if claim.id == "L1":
            judged.append(_read_twice(claim, second[claim.id, claim.method, claim.model]))
        else:
            judged.append(_by_table(claim) if claim.id == "L2" else claim)
    return judged
