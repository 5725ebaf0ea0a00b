"""Experiment "mixture": staged paths, and as many shuffles of their i.i.d. mixture.

The same rows, steps and seeds; the distance between the paths of a seed, on the held-out prompts of
each part. theory/experiments/network_records.py explains the metrics.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol.records import Tables
from protocol.spec import PAPER_METHODS

PARTS = ("test", "forget")


class Control(NamedTuple):
    """Distances between paths of one model under one method, by part.

    Seeds in ascending order, steps from 0.
    """

    world: str
    model: str
    method: str
    staged: dict[str, Float[np.ndarray, "seeds points"]]
    mixture: dict[str, Float[np.ndarray, "seeds points"]]

    def ratio(self, part: str, step: int) -> Float[np.ndarray, " seeds"]:
        """Mixed over staged."""
        return self.mixture[part][:, step] / self.staged[part][:, step]


def _by_part(records: pl.DataFrame, order: str) -> dict[str, Float[np.ndarray, "seeds points"]]:
    """Path distances of an order by part; records sorted by seed and step."""
    seeds = records["seed"].n_unique()
    distances = {}
    for part in PARTS:
        own = records.filter(order=order, metric=f"path_distance/{part}")["value"].to_numpy()
        if own.size:
            distances[part] = own.reshape(seeds, -1)
    return distances


def controls(tables: Tables) -> list[Control]:
    """Every model and method of the paper there are records of both kinds of."""
    records = tables.records.filter(pl.col("experiment") == "mixture").sort("seed", "step")
    pairs = []
    for world, model in sorted(records.select("world", "model").unique().iter_rows()):
        for method in PAPER_METHODS:
            own = records.filter(world=world, model=model, method=method)
            staged, mixture = _by_part(own, "staged"), _by_part(own, "mixture")
            if len(staged) == len(mixture) == len(PARTS):
                pairs.append(Control(world, model, method, staged, mixture))
    return pairs
