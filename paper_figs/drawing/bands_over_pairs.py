"""Bands of experiment "rates": a seed counts by the median over its pairs of paths.

The line is the median over seeds, the band their quartiles. Models have one colour and marker in
all figures of these records, methods one line style.
"""

from collections.abc import Iterable
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from paper_figs.drawing import style

METHOD_LINES: dict[str, Any] = {"GA": "-", "NPO": "--", "SimNPO": ":"}


def looks(models: Iterable[str]) -> dict[str, int]:
    """Model -> number of its colour and marker, in the order the models first come."""
    return {model: number for number, model in enumerate(dict.fromkeys(models), start=1)}


def model_handles(numbers: dict[str, int]) -> list[Line2D]:
    """Legend entries of the models."""
    return [
        style.legend_entry(model, color=style.colour(number), marker=style.marker(number))
        for model, number in numbers.items()
    ]


def median_of_pairs(records: pl.DataFrame, metric: str) -> pl.DataFrame:
    """A metric by seed and step, the median over pairs of paths; columns seed, step, value."""
    values = records.filter(pl.col("metric") == metric)
    return values.group_by("seed", "step").agg(pl.col("value").median())


def quartiles(column: str) -> list[pl.Expr]:
    """Expressions of a column's quartiles and median, named low, middle and high."""
    shares = {"low": 0.25, "middle": 0.5, "high": 0.75}
    return [pl.col(column).quantile(q, "linear").alias(name) for name, q in shares.items()]


def draw_band(axes: Axes, curves: pl.DataFrame, *, colour: str, line: Any, **marks: Any) -> None:
    """Median over seeds by step with its quartiles shaded; curves has columns seed, step, value."""
    bounds = curves.group_by("step").agg(quartiles("value")).sort("step")
    step, low = bounds["step"].to_numpy(), bounds["low"].to_numpy()
    middle, high = bounds["middle"].to_numpy(), bounds["high"].to_numpy()
    axes.plot(step, middle, color=colour, linestyle=line, **marks)
    style.shade(axes, step, low, high, colour)
