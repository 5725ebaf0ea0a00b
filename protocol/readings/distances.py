"""Distance from the retrained model, and the noise floor of retraining that it is compared with.

The noise floor is the largest distance between two retrained models of different shuffle seeds on
one base, part by part (forget prompts, each retained stage). A path reaches retrain equivalence if
at one step, 0 included, every part is within its floor. On the linear side retraining is
deterministic; its floor is rounding.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from protocol.readings.curves import Curves, curves, metrics_under
from protocol.records import Tables

LINEAR_FLOOR = 1e-12  # of the do-nothing distance: rounding
ORACLE = "oracle-local"  # experiment and method: the retrained model distilled on forget prompts
TINY = 1e-300  # a distance may be 0
NO_FLOOR = "no noise floor: needs at least 2 seeds of a model"
FORGET_DISTANCE = "re_distance/forget"
LOGIT_DISTANCE = "logit_distance/"


def noise_floor(
    tables: Tables, *, model: str, metric: str, experiment: str = "positions"
) -> float | None:
    """Largest distance between two retrained models of one base; None if only one was trained."""
    distances = tables.records.filter(
        experiment=experiment, method="floor", model=model, metric=metric
    )["value"]
    return None if distances.is_empty() else float(np.max(distances.to_numpy()))


def logit_noise_floor(tables: Tables, world: str, model: str) -> float | None:
    """√d of the two retrained models farthest apart; None if only one was trained.

    Of centred logits, on the retained part on which the distance is largest.
    """
    distances = tables.records.filter(
        pl.col("metric").str.starts_with(LOGIT_DISTANCE),
        pl.col("metric") != f"{LOGIT_DISTANCE}forget",
        experiment="positions",
        method="floor",
        world=world,
        model=model,
    )["value"].to_numpy()
    return float(np.sqrt(distances.max())) if distances.size else None


def by_model(records: pl.DataFrame, world: str, method: str) -> dict[str, dict[str, Curves]]:
    """Model -> metric -> curves of the distance from the retrained model, a metric a part."""
    parts: dict[str, dict[str, Curves]] = {}
    for name in metrics_under(records, world=world, prefix="re_distance"):
        for measured in curves(records, world=world, method=method, metric=name):
            parts.setdefault(measured.model, {})[name] = measured
    return parts


def over_floor(
    tables: Tables, world: str, parts: dict[str, Curves], experiment: str = "positions"
) -> Curves | None:
    """max over parts of distance / floor at the steps they share; None without a floor.

    At most 1 if every part is within its floor.
    """
    common = set.intersection(*(set(measured.steps) for measured in parts.values()))
    multiples = []
    for metric, measured in parts.items():
        floor: float | None = LINEAR_FLOOR * float(measured.values[..., 0].max())
        if world != "linear":
            floor = noise_floor(tables, model=measured.model, metric=metric, experiment=experiment)
        if floor is None:
            return None
        shared = measured.values[..., [step in common for step in measured.steps]]
        multiples.append(shared / max(floor, TINY))
    model = next(iter(parts.values())).model
    return Curves(model, np.max(multiples, axis=0), tuple(sorted(common)))


def within_floor(
    tables: Tables, world: str, parts: dict[str, Curves], experiment: str = "positions"
) -> Bool[np.ndarray, "seeds paths"] | None:
    """Whether a path is within the floor of every part at one common step; None without a floor."""
    over = over_floor(tables, world, parts, experiment)
    return None if over is None else np.any(over.values <= 1, axis=-1)


def best_over_nothing(
    distance: Float[np.ndarray, "seeds paths points"],
) -> Float[np.ndarray, " paths"]:
    """min_t d_t / d_0, the best stopping time over doing nothing, mean over seeds."""
    nothing = np.maximum(distance[..., 0], TINY)
    return np.mean(distance.min(axis=-1) / nothing, axis=0)


def distance_left(parts: list[Curves], *, over_start: bool) -> Float[np.ndarray, "seeds paths"]:
    """Smallest distance over steps, geometric mean over parts.

    over_start: as a share of the distance at step 0.
    """
    logs = []
    for measured in parts:
        best = np.log(np.maximum(measured.values.min(axis=-1), TINY))
        start = np.log(np.maximum(measured.at(0), TINY))
        logs.append(best - start if over_start else best)
    return np.exp(np.mean(logs, axis=0))


def kinds_of(parts: dict[str, Curves]) -> dict[str, list[Curves]]:
    """The distances of a model on forget prompts, and those on retained prompts."""
    forget = [measured for name, measured in parts.items() if name == FORGET_DISTANCE]
    retained = [measured for name, measured in parts.items() if name != FORGET_DISTANCE]
    return {"forget": forget, "retained": retained}
