"""Curves of experiment "rates" for a figure: a seed counts by the median over its pairs, bands are
quartiles.

Models have one colour and marker in all figures of these records, methods one line style.
"""

from collections.abc import Iterable
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from paper_figs.drawing import style

LINES: dict[str, Any] = {"GA": "-", "NPO": "--", "SimNPO": ":"}


def looks(models: Iterable[str]) -> dict[str, int]:
    """Model -> number of its colour and marker, in the order the models first come."""
    return {model: i for i, model in enumerate(dict.fromkeys(models), start=1)}


def model_handles(numbers: dict[str, int]) -> list[Line2D]:
    """Legend entries of the models."""
    return [
        Line2D([], [], color=style.colour(n), marker=style.marker(n), label=name)
        for name, n in numbers.items()
    ]


def median_of_pairs(records: pl.DataFrame, metric: str) -> pl.DataFrame:
    """A metric by seed and step, the median over pairs of paths; columns seed, step, value."""
    return (
        records.filter(pl.col("metric") == metric)
        .group_by("seed", "step")
        .agg(pl.col("value").median())
    )


def draw_band(axes: Axes, curves: pl.DataFrame, *, colour: str, line: Any, **marks: Any) -> None:
    """Median over seeds by step with its quartiles shaded; curves has columns seed, step, value."""
    quartiles = {"low": 0.25, "middle": 0.5, "high": 0.75}
    found = [
        pl.col("value").quantile(share, "linear").alias(name) for name, share in quartiles.items()
    ]
    by_step = curves.group_by("step").agg(found).sort("step")
    step, low, middle, high = (
        by_step[name].to_numpy() for name in ("step", "low", "middle", "high")
    )
    axes.plot(step, middle, color=colour, linestyle=line, **marks)
    axes.fill_between(step, low, high, color=colour, alpha=0.15, linewidth=0)
