"""Sweeps: experiments whose runs differ in settings that figures and claims need.

A run of a sweep carries them as metrics setting/NAME at step 0, so that the records speak for
themselves.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol.records import Tables

PREFIX = "setting/"


def sweep(tables: Tables, experiment: str) -> pl.DataFrame:
    """Measured values of an experiment, long form, with a column per setting.

    Columns: those of the records, and NAME for every setting/NAME; null if a run does not carry
    that setting.
    """
    records = tables.records.filter(pl.col("experiment") == experiment)
    is_setting = pl.col("metric").str.starts_with(PREFIX)
    settings = records.filter(is_setting).with_columns(pl.col("metric").str.strip_prefix(PREFIX))
    measured = records.filter(~is_setting)
    if settings.is_empty():
        return measured
    wide = settings.pivot("metric", index="run", values="value", aggregate_function="first")
    return measured.join(wide, on="run", how="left")


def by_example(examples: pl.DataFrame, **own: str) -> Float[np.ndarray, " examples"]:
    """Values of the examples with these entries (metric=..., method=...), by run and example."""
    return examples.filter(**own).sort("run", "example")["value"].to_numpy()
