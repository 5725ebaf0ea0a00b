"""Experiment "span": the floor of span methods, their runs, and pairs of their runs.

theory/experiments/span.py explains the metrics. SGD and momentum are span methods, whatever the
gradient; Adam and weight decay are not. "nothing" is the distance of the trained model, before
unlearning.
"""

import polars as pl

from protocol.records import Tables

SPAN_METHODS = ("sgd", "momentum")
RUN = ("run", "method", "seed", "order", "position")


def span_records(tables: Tables) -> pl.DataFrame:
    """Records of experiment "span"."""
    return tables.records.filter(pl.col("experiment") == "span")


def bounds(tables: Tables) -> pl.DataFrame:
    """What bounds each path: seed, order, position, nothing, floor, shrunk, shrink."""
    oracle = span_records(tables).filter(~_is_pair(), method="oracle")
    return _wide(oracle, ("nothing", "floor", "shrunk", "shrink"))


def unlearned(tables: Tables) -> pl.DataFrame:
    """Runs of single paths with their bounds.

    Columns: objective, optimizer, step (of best), best, outside/best, outside and those of bounds.
    """
    records = span_records(tables).filter(pl.col("method") != "oracle")
    runs = _wide(records.filter(~_is_pair()), ("best", "outside/best", "outside"))
    steps = records.filter(metric="best").select("run", "step")
    limits = bounds(tables).drop("run", "method", "order")
    joined = runs.join(steps, on="run").join(limits, on=["seed", "position"])
    return _split(joined).sort("objective", "optimizer", "seed", "position")


def paired(tables: Tables) -> pl.DataFrame:
    """Runs of pairs of paths under span methods: closest, pair_floor and farther.

    farther: the larger best of the two.
    """
    records = span_records(tables)
    pair_records = records.filter(_is_pair())
    floors = _values(pair_records, "pair_floor").drop("method")
    orders = pl.col("order").str.split("|")
    pairs = (
        _values(pair_records, "closest")
        .join(floors, on=["seed", "order"])
        .with_columns(one=orders.list.first(), other=orders.list.last())
    )
    best = _values(records, "best")
    for side in ("one", "other"):
        own = best.rename({"order": side, "best": f"best_{side}"})
        pairs = pairs.join(own, on=["seed", "method", side])
    farther = pl.max_horizontal("best_one", "best_other")
    of_span_methods = pl.col("optimizer").is_in(SPAN_METHODS)
    split = _split(pairs.with_columns(farther=farther))
    return split.filter(of_span_methods).sort("method", "seed", "order")


def _is_pair() -> pl.Expr:
    """Whether a record is of a pair of paths, "a|b"."""
    return pl.col("order").str.contains("|", literal=True)


def _values(records: pl.DataFrame, metric: str) -> pl.DataFrame:
    """seed, order, method and the metric under its own name."""
    return records.filter(metric=metric).select(
        "seed", "order", "method", pl.col("value").alias(metric)
    )


def _wide(records: pl.DataFrame, metrics: tuple[str, ...]) -> pl.DataFrame:
    """A row per run with a column per metric."""
    own = records.filter(pl.col("metric").is_in(metrics))
    wide = own.pivot("metric", on_columns=metrics, index=list(RUN), values="value")
    return wide.sort("seed", "position")


def _split(frame: pl.DataFrame) -> pl.DataFrame:
    """The method's two words as columns objective and optimizer."""
    words = pl.col("method").str.split(" ")
    return frame.with_columns(objective=words.list.first(), optimizer=words.list.last())
