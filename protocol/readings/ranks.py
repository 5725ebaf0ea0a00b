"""Forget scores of the paths of all models at the judged steps, and the rank of p = last in them.

Models are pooled, each at a step of its own in every reading (`curves.pooled_steps`).
"""

import numpy as np
from jaxtyping import Float

from protocol import metrics
from protocol.readings.curves import Curves, judged_steps, pooled_steps


def later_scores(measured: Curves) -> Float[np.ndarray, "seeds paths"]:
    """Forget scores of a model at its later judged step."""
    return measured.forgotten(judged_steps(measured.steps)[0])


def judged_scores(label: list[Curves]) -> dict[str, Float[np.ndarray, "seeds paths"]]:
    """Reading -> forget scores of all models' seeds, the later judged step first, the area last."""
    steps_of = pooled_steps([measured.steps for measured in label])
    scores = {}
    for name, steps in steps_of.items():
        by_model = [curve.forgotten(step) for curve, step in zip(label, steps, strict=True)]
        scores[name] = np.concatenate(by_model)
    scores["area"] = np.concatenate([metrics.area_score(curve.judged.values) for curve in label])
    return scores


def slowest(label: list[Curves]) -> dict[str, tuple[int, int]]:
    """Reading -> (seeds of all models in which p = last has the smallest forget score, seeds)."""
    hits = {name: metrics.recency(scores) == 1 for name, scores in judged_scores(label).items()}
    return {name: (int(np.sum(slow)), len(slow)) for name, slow in hits.items()}


def last_rank(measured: Curves) -> float:
    """Rank of p = last by forget score at the later judged step, 1 = slowest; mean over seeds."""
    return float(np.mean(metrics.recency(later_scores(measured))))
