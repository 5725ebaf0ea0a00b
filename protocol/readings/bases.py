"""Experiments bases/BASE: forget scores of one model on several pretrained bases.

Every BASE is a positions experiment of its own on another pretraining (networks: other data and
initial parameters), with the same shuffle seeds.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.errors import InputError
from protocol.readings.curves import Curves, curves, settings, worlds_and_methods
from protocol.records import Tables

FAMILY = "bases"


class Crossed(NamedTuple):
    """The forget score of one model under one method at every recorded step after 0."""

    world: str
    model: str
    method: str
    scores: dict[int, Float[np.ndarray, "bases shuffles paths"]]


def _of_model(world: str, model: str, method: str, by_base: list[Curves]) -> Crossed:
    shapes = {measured.values.shape for measured in by_base}
    if len(shapes) > 1:
        got = ", ".join(map(str, sorted(shapes)))
        raise InputError(
            f"records: expected as many seeds, paths and steps of {model}, {method} on every base; "
            f"got {got}: run the experiment to its end"
        )
    scores = {}
    for step in by_base[0].steps:
        if step:
            scores[step] = np.stack([measured.forgotten(step) for measured in by_base])
    return Crossed(world, model, method, scores)


def _crossed(world: str, method: str, by_base: list[pl.DataFrame]) -> list[Crossed]:
    by_model: dict[str, list[Curves]] = {}
    for records in by_base:
        for measured in curves(records, world=world, method=method, metric="label_loglik"):
            by_model.setdefault(measured.model, []).append(measured)
    return [_of_model(world, model, method, by_model[model]) for model in sorted(by_model)]


def crossed(tables: Tables) -> list[Crossed]:
    """Every model and method that was run on several bases.

    Sides and models by name, methods in the paper's order. Raises InputError if the bases of a
    model have different seeds, paths or steps.
    """
    by_base = list(settings(tables, FAMILY).values())
    together = pl.concat([tables.records.clear(), *by_base])
    models = []
    for world, method in worlds_and_methods(together, "label_loglik"):
        models += _crossed(world, method, by_base)
    return models


def common_share(scores: Float[np.ndarray, "bases shuffles paths"]) -> metrics.PathEffect:
    """The share of the variance that all bases have in common; of one base, its seeds."""
    return metrics.path_effect(scores[0] if len(scores) == 1 else scores.mean(axis=1))
