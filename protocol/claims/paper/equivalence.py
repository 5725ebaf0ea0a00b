"""E1: does unlearning reach the retrained model? N1: is SimNPO's paper form silent where log π is
low?

E1 holds a run against the noise floor: the largest distance between two retrained models of
different shuffle seeds on one base, part by part (forget prompts, each retained stage). A run
reaches retrain equivalence if at one step, 0 included, every part is within its floor. In the
linear world retraining is deterministic; its floor is rounding.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from protocol import metrics
from protocol.claims.claim import Claim, share_verdict
from protocol.readings.betas import ACTING, SILENT, by_beta
from protocol.readings.curves import (
    Curves,
    curves,
    judged_steps,
    metrics_under,
    positions,
    worlds_and_methods,
)
from protocol.records import Tables

ROUNDING = 1e-12  # of the do-nothing distance: the linear world's floor
TINY = 1e-300  # a distance may be 0
# N1's premise: at β = 1 a log π above this leaves 2σ(β log π) > 0.5, far from silence (see
# `_silence`)
LOW = -1.0
NO_FLOOR = "no noise floor: needs at least 2 seeds of a model"
SILENCE = (
    10.0  # N1: p = last has a gradient at least this many times the largest of the other paths
)


def noise_floor(
    tables: Tables, *, model: str, metric: str, experiment: str = "positions"
) -> float | None:
    """Largest distance between two retrained models of one base; None where only one was trained."""
    floor = tables.records.filter(
        experiment=experiment, method="floor", model=model, metric=metric
    )["value"]
    return None if floor.is_empty() else float(np.max(floor.to_numpy()))


def by_model(records: pl.DataFrame, world: str, method: str) -> dict[str, dict[str, Curves]]:
    """Model -> metric -> curves of the distance from the retrained model, a metric a part."""
    found: dict[str, dict[str, Curves]] = {}
    for name in metrics_under(records, world=world, prefix="re_distance"):
        for measured in curves(records, world=world, method=method, metric=name):
            found.setdefault(measured.model, {})[name] = measured
    return found


def over_floor(
    tables: Tables, world: str, parts: dict[str, Curves], experiment: str = "positions"
) -> Curves | None:
    """max over parts of distance / floor at the steps they share: at most 1 where every part is
    within its floor.

    None without a floor.
    """
    common = set.intersection(*(set(measured.steps) for measured in parts.values()))
    multiples = []
    for metric, measured in parts.items():
        floor: float | None = ROUNDING * float(measured.values[..., 0].max())
        if world != "linear":
            floor = noise_floor(tables, model=measured.model, metric=metric, experiment=experiment)
        if floor is None:
            return None
        shared = measured.values[..., [step in common for step in measured.steps]]
        multiples.append(shared / max(floor, TINY))
    return Curves(
        next(iter(parts.values())).model, np.max(multiples, axis=0), tuple(sorted(common))
    )


def within_floor(
    tables: Tables, world: str, parts: dict[str, Curves], experiment: str = "positions"
) -> Bool[np.ndarray, "seeds paths"] | None:
    """Whether a run is within the floor of every part at one of the steps they share; None without
    a floor.
    """
    over = over_floor(tables, world, parts, experiment)
    return None if over is None else np.any(over.values <= 1, axis=-1)


def _best(distance: Float[np.ndarray, "seeds paths points"]) -> str:
    """Best stopping time against doing nothing, by path: mean over seeds of min_t d_t / d_0."""
    ratio = np.mean(distance.min(axis=-1) / np.maximum(distance[..., 0], TINY), axis=0)
    return ", ".join(f"p={p}: {value:.2f}" for p, value in enumerate(ratio, start=1))


def _equivalence(tables: Tables, records: pl.DataFrame, world: str, method: str) -> Claim:
    found = by_model(records, world, method)
    head = (
        "E1",
        "Unlearning misses the retrained model on most paths.",
        "Definition 2.1, Section 4",
        world,
        " + ".join(found),
        method,
        "share of paths that at no step are within the noise floor in every part",
    )
    rule = "exact 95% lower bound > 0.5"
    missed: list[np.ndarray] = []
    for parts in found.values():
        within = within_floor(tables, world, parts)
        if within is None:
            return Claim(*head, None, None, rule, "not testable", NO_FLOOR)
        missed.append(~within)
    count = np.concatenate([m.ravel() for m in missed])
    interval = metrics.exact_interval(int(count.sum()), count.size)
    detail = f"{count.sum()} of {count.size} paths; best distance over do-nothing: " + "; ".join(
        f"{model} {name.removeprefix('re_distance/')} {_best(measured.values)}"
        for model, parts in found.items()
        for name, measured in parts.items()
        if name.endswith(("/forget", "/test"))
    )
    return Claim(*head, float(count.mean()), interval, rule, share_verdict(interval, 0.5), detail)


def norms_at_start(
    records: pl.DataFrame, world: str, method: str
) -> dict[str, Float[np.ndarray, "seeds paths"]]:
    """Model -> norm of the gradient that the first update follows."""
    return {
        c.model: c.at(0) for c in curves(records, world=world, method=method, metric="grad_norm")
    }


def answers_at_start(
    records: pl.DataFrame, world: str
) -> dict[str, Float[np.ndarray, "seeds paths"]]:
    """Model -> log π of a forget answer before unlearning; the label's where whole answers were not
    measured.
    """
    silent = [
        curves(records, world=world, method=SILENT, metric=name)
        for name in ("forget_logp", "label_loglik")
    ]
    return {c.model: c.at(0) for c in silent[0] or silent[1]}


def _silence(records: pl.DataFrame, world: str) -> Claim:
    """N1: at β = 1 the gradient at step 0 is large for p = last alone, and p = last is forgotten
    fastest.
    """

    def last_over_rest(method: str) -> Float[np.ndarray, " seeds"]:
        norms = np.concatenate(list(norms_at_start(records, world, method).values()))
        return norms[:, -1] / np.maximum(norms[:, :-1].max(axis=1), TINY)

    label = curves(records, world=world, method=SILENT, metric="label_loglik")
    ratio, acting = last_over_rest(SILENT), last_over_rest(ACTING)
    scores = np.concatenate([c.forgotten(judged_steps(c.steps)[0]) for c in label])
    fastest = np.argmax(scores, axis=1) == scores.shape[1] - 1
    hits = (ratio >= SILENCE) & fastest
    interval = metrics.exact_interval(int(hits.sum()), hits.size)
    start = np.concatenate(list(answers_at_start(records, world).values())).mean(axis=0)
    chance = 1 / start.size
    levels = ", ".join(f"p={p}: {level:.2f}" for p, level in enumerate(start, start=1))
    return Claim(
        "N1",
        "SimNPO's paper form at β = 1 is silent where log π is low, and so favours p = last.",
        "Section 4",
        world,
        " + ".join(c.model for c in label),
        SILENT,
        f"share of seeds where p = last has ≥ {SILENCE:g} times the others' gradient at step 0 "
        f"and forgets fastest",
        float(hits.mean()),
        interval,
        f"exact 95% lower bound > {chance:.3g}; inconclusive where no log π is below −1",
        "inconclusive" if start.min() > LOW else share_verdict(interval, chance),
        f"gradient of p = last over the largest other, median: {np.median(ratio):.3g} at β = 1, "
        f"{np.median(acting):.3g} at β = 0.2; p = last fastest at β = 1 in {fastest.sum()} of "
        f"{hits.size}; "
        f"log π of a forget answer at step 0: {levels}",
    )


def judge(tables: Tables) -> list[Claim]:
    """E1 for every world and method, N1 for every world, where there are records of them."""
    records = positions(tables)
    claims = [
        _equivalence(tables, records, *pair) for pair in worlds_and_methods(records, "re_distance/")
    ]
    records = by_beta(tables)
    both = [set(worlds_and_methods(records, "grad_norm", (method,))) for method in (ACTING, SILENT)]
    worlds = sorted({world for world, _ in both[0]} & {world for world, _ in both[1]})
    claims += [_silence(records, world) for world in worlds]
    return claims
