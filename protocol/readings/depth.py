"""Experiment "depth": log π of the three answers C, U and R by order and step.

theory/experiments/depth.py explains the metrics.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.records import Tables
from protocol.spec import PAPER_METHODS

START = 5.0  # nats: C, U, R farther apart than this at step 0 are not on an equal footing
# θ3, θ4 of arXiv 2510.16629, Figure 4; the other four orders are superficial
PUBLISHED_DEEP = ("U>C>R", "U>R>C")


class Depth(NamedTuple):
    """One model under one method; log π of the answers by seed, order and step."""

    world: str
    model: str
    method: str
    orders: tuple[str, ...]  # by name
    C: Float[np.ndarray, "seeds orders points"]
    U: Float[np.ndarray, "seeds orders points"]
    R: Float[np.ndarray, "seeds orders points"]

    @property
    def scores(self) -> Float[np.ndarray, "seeds orders"]:
        """Depth scores at the last step."""
        return metrics.depth_score(self.C, self.U)

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return self.C.shape[0]

    @property
    def unequal(self) -> list[str]:
        """Orders whose answers start farther apart than `START` under some seed."""
        start = np.stack([self.C[..., 0], self.U[..., 0], self.R[..., 0]])
        far = np.any(np.ptp(start, axis=0) > START, axis=0)
        return [order for order, unequal in zip(self.orders, far, strict=True) if unequal]

    def classes(self) -> list[str]:
        """deep, superficial or undecided, by order: the 95% t interval over seeds against 0.75."""
        return [_class(*metrics.t_interval(scores)) for scores in self.scores.T]


def _class(low: float, high: float) -> str:
    if low >= metrics.DEEP:
        return "deep"
    return "superficial" if high < metrics.DEEP else "undecided"


def _rank(method: str) -> int:
    return PAPER_METHODS.index(method) if method in PAPER_METHODS else len(PAPER_METHODS)


def _depth(records: pl.DataFrame, world: str, model: str, method: str) -> Depth:
    own = records.filter(world=world, model=model, method=method).sort("seed", "order", "step")
    orders = tuple(own["order"].unique().sort())
    shape = (own["seed"].n_unique(), len(orders), -1)
    answers = {
        answer: own.filter(metric=f"answer_loglik/{answer}")["value"].to_numpy().reshape(shape)
        for answer in "CUR"
    }
    return Depth(world, model, method, orders, **answers)


def depths(tables: Tables) -> list[Depth]:
    """Every model and method there are records of, methods in the paper's order."""
    records = tables.records.filter((pl.col("experiment") == "depth") & (pl.col("position") > 0))
    keys = records.select("world", "model", "method").unique().iter_rows()
    in_order = sorted(keys, key=lambda key: (key[:2], _rank(key[2])))
    return [_depth(records, *key) for key in in_order]
