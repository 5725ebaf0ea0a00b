"""Depth of forgetting: did unlearning one answer take another, related one with it?

C, U, R are three answers to the same prompts: U is unlearned, C is near it in content, R is not.
Log-probabilities are of whole answers, in nats, at step 0 and along unlearning.
"""

import numpy as np
from jaxtyping import Bool, Float

# depth score from which forgetting counts as deep: it separates the published curves by their
# classes
DEEP = 0.75


def depth_score(
    logp_c: Float[np.ndarray, "*runs points"],
    logp_u: Float[np.ndarray, "*runs points"],
    step: int = -1,
) -> Float[np.ndarray, "*runs"]:
    """(C_0 − C_t)/(U_0 − U_t) at `step` (the last one): how much of U's fall C shared, 1 = as much.

    nan if U did not fall: then nothing was unlearned that has a depth.
    Source: read from the curves of arXiv 2510.16629, Figure 4.
    """
    fallen = logp_u[..., 0] - logp_u[..., step]
    return np.asarray((logp_c[..., 0] - logp_c[..., step]) / np.where(fallen > 0, fallen, np.nan))


def is_deep(score: Float[np.ndarray, "*runs"]) -> Bool[np.ndarray, "*runs"]:
    """Deep if the depth score is at least 0.75, else superficial; nan counts as superficial."""
    return np.asarray(score >= DEEP)


def ends_below(
    logp_c: Float[np.ndarray, "*runs points"],
    logp_u: Float[np.ndarray, "*runs points"],
    logp_r: Float[np.ndarray, "*runs points"],
) -> Bool[np.ndarray, "*runs"]:
    """The caption's rule of Figure 4: both U and C end below R.

    (It calls all six published curves deep.)
    """
    return np.asarray((logp_u[..., -1] < logp_r[..., -1]) & (logp_c[..., -1] < logp_r[..., -1]))
