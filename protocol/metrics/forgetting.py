"""Forget score, utilities and recency (one meaning on both sides).

Curves are indexed by step = number of updates done; step 0 is before unlearning. Scores are "after
minus before" with the sign chosen so that more forgetting, or more utility kept, is a larger
number.
"""

import numpy as np
from jaxtyping import Float

from protocol.errors import InputError


def _at(loglik: Float[np.ndarray, "*runs points"], step: int) -> Float[np.ndarray, "*runs"]:
    if not 0 <= step < loglik.shape[-1]:
        raise InputError(
            f"step: expected 0 to {loglik.shape[-1] - 1}, the steps of the curve; got {step}"
        )
    return loglik[..., step]


def forget_score(
    loglik: Float[np.ndarray, "*runs points"], step: int
) -> Float[np.ndarray, "*runs"]:
    """Decrease of the mean token log-likelihood up to `step`: ℓ_0 − ℓ_step, in nats.

    It is positive if something was forgotten. Primary on the label alone (what Table 1 prints);
    second on the mean over the phrase means of label and paraphrases.
    """
    return loglik[..., 0] - _at(loglik, step)


def area_score(loglik: Float[np.ndarray, "*runs points"]) -> Float[np.ndarray, "*runs"]:
    """Mean forget score over steps 1..T, (1/T) Σ_t (ℓ_0 − ℓ_t).

    This is the area under the curve per step, in nats.
    """
    return loglik[..., 0] - np.mean(loglik[..., 1:], axis=-1)


def tofu_utility(
    loglik: Float[np.ndarray, "*runs points"], step: int
) -> Float[np.ndarray, "*runs"]:
    """1 − |Δ mean token log-probability of the TOFU answers| up to `step`; 1 = nothing lost."""
    return 1 - np.abs(_at(loglik, step) - loglik[..., 0])


def math_utility(
    accuracy_before: Float[np.ndarray, "*runs"], accuracy_after: Float[np.ndarray, "*runs"]
) -> Float[np.ndarray, "*runs"]:
    """Change of the share of sampled answers that are correct, after − before, in [−1, 1]."""
    return accuracy_after - accuracy_before


def recency(scores: Float[np.ndarray, "*seeds paths"]) -> Float[np.ndarray, "*seeds"]:
    """Rank of p = last by forget score, 1 = slowest.

    It is 1 + the number of other paths that forgot less or as much. Ties count against recency.
    Under no path effect each rank 1..P has probability 1/P.
    """
    return np.asarray(1.0 + np.sum(scores[..., :-1] <= scores[..., -1:], axis=-1))
