"""L1b from experiments bases/BASE: has the order an effect that all bases share, or another on
each?

Every BASE is a positions experiment of its own on another pretraining (networks: other data and
initial parameters), with the same shuffle seeds. The forget score is averaged over the S seeds of a
base; bases and paths are then crossed, and σ²_p/(σ²_p + σ²_pb + σ²_e/S) is the share of the
variance between paths that is common to the bases.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.claims.claim import Claim, agreed
from protocol.errors import InputError
from protocol.readings.curves import LATER, curves, judged_steps, settings, worlds_and_methods
from protocol.records import Tables

FAMILY = "bases"


class Crossed(NamedTuple):
    """The forget score of one model under one method at every recorded step after 0."""

    world: str
    model: str
    method: str
    scores: dict[int, Float[np.ndarray, "bases shuffles paths"]]


def _crossed(world: str, method: str, by_base: list[pl.DataFrame]) -> list[Crossed]:
    found = [
        curves(records, world=world, method=method, metric="label_loglik") for records in by_base
    ]
    result = []
    for model in sorted({one.model for each in found for one in each}):
        ones = [one for each in found for one in each if one.model == model]
        shapes = {one.values.shape for one in ones}
        if len(shapes) > 1:
            raise InputError(
                f"records: expected as many seeds, paths and steps of {model}, {method} on every "
                f"base; got "
                f"{', '.join(map(str, sorted(shapes)))}: run the experiment to its end"
            )
        steps = [step for step in ones[0].steps if step]
        scores = {step: np.stack([one.forgotten(step) for one in ones]) for step in steps}
        result.append(Crossed(world, model, method, scores))
    return result


def crossed(tables: Tables) -> list[Crossed]:
    """Every model and method that was run on several bases; worlds and models by name, methods in
    the paper's order.
    """
    by_base = list(settings(tables, FAMILY).values())
    together = pl.concat([tables.records.clear(), *by_base])
    return [
        one
        for world, method in worlds_and_methods(together, "label_loglik")
        for one in _crossed(world, method, by_base)
    ]


def common_share(scores: Float[np.ndarray, "bases shuffles paths"]) -> metrics.PathEffect:
    """The share of the paths that all bases have in common, with its interval; of one base: that of
    its seeds.
    """
    return metrics.path_effect(scores[0] if len(scores) == 1 else scores.mean(axis=1))


def _alike(one: Crossed) -> Claim:
    last, half = judged_steps(tuple(one.scores))
    bases, seeds, _ = one.scores[last].shape
    head = (
        "L1b",
        "Part of the order's effect is common to all bases.",
        "Section 4, beyond one pretraining",
        one.world,
        one.model,
        one.method,
        f"share of the paths in the variance within bases, {LATER}",
    )
    rule = (
        f"lower bound of the exact 95% interval > 0 at steps {half} and {last}; fails where the "
        f"share is 0"
    )
    if bases < 2:
        return Claim(*head, None, None, rule, "not testable", "needs at least 2 bases; 1 was run")
    effects = {step: common_share(one.scores[step]) for step in (last, half)}
    verdicts = [
        "holds" if effect.low > 0 else "fails" if effect.share == 0 else "inconclusive"
        for effect in effects.values()
    ]
    told = [f"step {s}: {e.share:.2f} [{e.low:.2f}, {e.high:.2f}]" for s, e in effects.items()]
    if seeds > 1:
        shares = metrics.variance_components(one.scores[last]).shares._asdict()
        named = ", ".join(
            f"{name.replace('_', ' × ')} {share:.2f}" for name, share in shares.items()
        )
        told.append(f"shares of the whole variance at step {last}: {named}")
    return Claim(
        *head,
        effects[last].share,
        (effects[last].low, effects[last].high),
        rule,
        agreed(verdicts),
        "; ".join([*told, f"{bases} bases of {seeds} seeds"]),
    )


def judge(tables: Tables) -> list[Claim]:
    """L1b for every world, model and method that was run on several bases."""
    return [_alike(one) for one in crossed(tables)]
