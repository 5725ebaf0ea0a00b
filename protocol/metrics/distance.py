"""Distances between models through their predictions (arXiv 2510.16629, Definition 2.1).

Predictions are arrays (m,) or (m, c): m test inputs (for a language model, answer positions), c
outputs each (the next-token probabilities or centred logits). Written over the array API; works
inside a JAX trace.
"""

from typing import Any

import numpy as np
from array_api_compat import array_namespace
from jaxtyping import Float

from protocol.errors import InputError

Array = Any


def re_distance(a: Array, b: Array) -> Array:
    """Retrain-equivalence distance d(a, b) = (1/m) Σ_i ‖a_i − b_i‖².

    a and b are of one shape, (m,) or (m, c). Retrain equivalence at ε means d(θ_u, θ_r) ≤ ε. Raises
    InputError if the shapes differ or m = 0.
    """
    if a.shape != b.shape:
        raise InputError(
            f"b: expected predictions of shape {tuple(a.shape)} like a's; got {tuple(b.shape)}"
        )
    if a.ndim not in (1, 2) or a.shape[0] == 0:
        raise InputError(
            f"a: expected predictions of shape (m,) or (m, c) with m > 0; got {tuple(a.shape)}"
        )
    xp = array_namespace(a, b)
    return xp.sum((a - b) ** 2) / a.shape[0]


def pairwise_divergence(predictions: Float[np.ndarray, "P m *c"]) -> Float[np.ndarray, "P P"]:
    """d(u_p, u_q) for every pair of P outcomes.

    predictions is (P, m) or (P, m, c); the result is symmetric, 0 on its diagonal.
    """
    count = predictions.shape[0]
    result = np.zeros((count, count))
    for p in range(count):
        for q in range(p + 1, count):
            result[p, q] = result[q, p] = re_distance(predictions[p], predictions[q])
    return result


def distance_curve(
    trajectory: Float[np.ndarray, "points m *c"], target: Float[np.ndarray, " m *c"]
) -> Float[np.ndarray, " points"]:
    """d(f_t, target) at every step of a trajectory (T + 1, m) or (T + 1, m, c).

    target: the outputs of a fixed model.
    """
    return np.array(
        [re_distance(np.asarray(outputs, np.float64), target) for outputs in trajectory]
    )


def centred_logits(logits: Array) -> Array:
    """Logits (..., c) minus their mean over the c classes, which no probability depends on.

    Any library of the array API will do.

    Probabilities are bounded: growth of a divergence without bound can be seen in logits alone.
    """
    xp = array_namespace(logits)
    return logits - xp.mean(logits, axis=-1, keepdims=True)


def half_diameter(divergence: Float[np.ndarray, "..."]) -> float:
    """½ max_{p,q} √d(u_p, u_q).

    Whatever the common target r, some outcome keeps √d(u_p, r) at least this large.

    divergence: d of every pair, as of `pairwise_divergence` or each pair once. So the spread of the
    outcomes alone falsifies retrain equivalence at every ε < `falsified_epsilon`. Outcomes must
    share one retained order. Attained by the midpoint of the two outcomes farthest apart, if the
    others are no farther from it. Source: triangle inequality of √d, a Euclidean distance of
    predictions.
    """
    return 0.5 * float(np.sqrt(np.max(divergence)))


def falsified_epsilon(divergence: Float[np.ndarray, "..."]) -> float:
    """half_diameter² = ¼ max_{p,q} d(u_p, u_q).

    At every ε below it some outcome misses retrain equivalence.
    """
    return 0.25 * float(np.max(divergence))
