"""Experiments "orders" and "wash-out": the stages that follow the forget stage."""

import math

import polars as pl

from protocol.orders import phase


def with_places(runs: pl.DataFrame) -> pl.DataFrame:
    """The runs with distance = number of stages after the forget stage, and next = the first.

    next is "" if no stage follows.
    """
    stages = [order.split(">") for order in runs["order"]]
    later = [order[position:] for order, position in zip(stages, runs["position"], strict=True)]
    return runs.with_columns(
        distance=pl.Series([len(after) for after in later]),
        next=pl.Series([after[0] if after else "" for after in later]),
    )


def updates_after(order: str, position: int) -> float:
    """Updates of the stage after the forget stage; 0 if there is none, ∞ for a whole stage."""
    stages = order.split(">")
    if position == len(stages):
        return 0.0
    stop = phase(stages[position]).stop
    return math.inf if stop is None else float(stop)


def with_updates(runs: pl.DataFrame) -> pl.DataFrame:
    """The runs with updates = how many of another stage followed the forget stage."""
    orders = runs.select("order", "position").rows()
    counted = [updates_after(order, position) for order, position in orders]
    return runs.with_columns(updates=pl.Series(counted, dtype=pl.Float64))


def name_of(updates: float) -> str:
    """A number of updates in words; ∞ is the whole stage."""
    return "whole stage" if math.isinf(updates) else f"{updates:g}"
