"""Experiment "removal": what each way of removing a stage leaves of the distance.

theory/experiments/removal.py explains the metrics. What is left of the distance is best/all over
nothing/all: RE distance over test and forget inputs together, after over before, at the step
nearest to the retrained model.
"""

import polars as pl

from protocol.records import Tables

REMOVAL_METHODS = (
    "GA", "NPO", "SimNPO", "GradDiff, small sample", "GradDiff, spanning sample", "span optimum",
    "stage-delta negation", "history-aware removal", "rewind",
)  # fmt: skip
# Of the distance before, a square: exact methods leave about 1e-30 of it, the step to a real miss
# is some 20 decades.
REACHED = 1e-20


def outcomes(tables: Tables) -> pl.DataFrame:
    """A row per method, position and seed: a column a metric, left/PART, and last.

    left/PART = best/PART over nothing/PART; last: whether p = last.
    """
    run = ["method", "position", "seed"]
    records = tables.records.filter(pl.col("experiment") == "removal")
    if records.is_empty():
        return pl.DataFrame(schema={"method": pl.String, "position": pl.Int64, "seed": pl.Int64})
    wide = records.pivot("metric", index=run, values="value").sort(run)
    left = [_left(part) for part in ("test", "forget", "all")]
    return wide.with_columns(*left, last=pl.col("position") == pl.col("position").max())


def _left(part: str) -> pl.Expr:
    return (pl.col(f"best/{part}") / pl.col(f"nothing/{part}")).alias(f"left/{part}")
