"""Experiment "recency": cells of the linear model, and in which instances p = last is slowest.

theory/experiments/recency.py explains cells, instances and metrics.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool

from protocol.readings.sweeps import sweep
from protocol.records import Tables


def cells(tables: Tables) -> pl.DataFrame:
    """Records of the cells, long form, with a column per setting."""
    return sweep(tables, "recency")


def slowest(tables: Tables, run: str) -> tuple[list[int], Bool[np.ndarray, "instances steps"]]:
    """The steps at which a cell was ranked, and whether p = last was slowest by instance."""
    ranks = tables.examples.filter(run=run, metric="recency_rank").sort("example", "step")
    steps = ranks["step"].unique().sort().to_list()
    return steps, ranks["value"].to_numpy().reshape(-1, len(steps)) == 1
