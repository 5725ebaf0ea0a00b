"""Table 1: forget score, TOFU utility and math utility, by model, algorithm and path p = 1..4.

Ours are means over seeds with the half-width of the 95% interval, at the last unlearning step; the
CSV also has the levels before and after. Ours has one quantity more than the paper, the forget
score of label and paraphrases: the printed forget score follows the label alone, although the
caption names both (published/SOURCE.md).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float

from paper_figs.published import numbers
from protocol import metrics
from protocol.readings.curves import Curves, curves, positions
from protocol.records import Tables
from protocol.spec import PAPER_METHODS

Levels = Float[np.ndarray, "seeds paths points"]


@dataclass(frozen=True)
class Quantity:
    """One group of columns: name in the CSV, heading, metric, and how a score is computed."""

    name: str
    title: str
    metric: str
    score: Callable[[Levels], Float[np.ndarray, "seeds paths"]]


def _forget_score(values: Levels) -> Float[np.ndarray, "seeds paths"]:
    return metrics.forget_score(values, values.shape[-1] - 1)


def _tofu_utility(values: Levels) -> Float[np.ndarray, "seeds paths"]:
    return metrics.tofu_utility(values, values.shape[-1] - 1)


def _math_utility(values: Levels) -> Float[np.ndarray, "seeds paths"]:
    return metrics.math_utility(values[..., 0], values[..., -1])


PHRASES = "Forget score, label + paraphrases"
QUANTITIES = (
    Quantity("forget_score", "Forget score", "label_loglik", _forget_score),
    Quantity("tofu_utility", "TOFU utility", "tofu_loglik", _tofu_utility),
    Quantity("math_utility", "Math utility", "math_accuracy", _math_utility),
    Quantity("forget_score_phrases", PHRASES, "phrase_loglik", _forget_score),
)
SCHEMA = {
    "model": pl.String, "method": pl.String, "quantity": pl.String, "position": pl.Int64,
    "mean": pl.Float64, "half_width": pl.Float64, "seeds": pl.Int64, "before": pl.Float64,
    "after": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One number; half_width is None for a single seed or a published number.

    shade: from 0 (least of its four paths) to 1.
    """

    value: float | None
    half_width: float | None = None
    shade: float = 0.0


@dataclass(frozen=True)
class Row:
    """One model under one algorithm: a group of P cells per quantity."""

    model: str
    method: str
    groups: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Table:
    """Headings of the groups, how many paths each has, and the rows."""

    titles: tuple[str, ...]
    paths: int
    rows: tuple[Row, ...]


def _summaries(method: str, quantity: Quantity, levels: Curves) -> Iterator[dict[str, object]]:
    scores = quantity.score(levels.values)
    for p, column in enumerate(scores.T, start=1):
        low, high = metrics.mean_interval(column)
        yield {
            "model": levels.model,
            "method": method,
            "quantity": quantity.name,
            "position": p,
            "mean": float(column.mean()),
            "half_width": (high - low) / 2 if np.isfinite(high) else None,
            "seeds": column.size,
            "before": float(levels.values[:, p - 1, 0].mean()),
            "after": float(levels.values[:, p - 1, -1].mean()),
        }


def measured(tables: Tables) -> pl.DataFrame:
    """Ours in long form, by model, method, quantity and position; empty without language models.

    mean: over seeds, in nats (forget scores), 1 − nats (TOFU utility) or shares (math utility) ·
    half_width: of the 95% interval, null for one seed · before, after: mean levels of the
    underlying metric at the first and last step.
    """
    records = positions(tables)
    rows = [
        row
        for quantity in QUANTITIES
        for method in PAPER_METHODS
        for levels in curves(records, world="llm", method=method, metric=quantity.metric)
        for row in _summaries(method, quantity, levels)
    ]
    ranks = {method: rank for rank, method in enumerate(PAPER_METHODS)}
    rank = pl.col("method").replace_strict(ranks, return_dtype=pl.Int64)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("model", rank, maintain_order=True)


def shaded(values: list[float | None], half_widths: list[float | None]) -> tuple[Cell, ...]:
    """Cells of one group; shade = (value − min)/(max − min) over the group, 0 if all are equal."""
    known = [value for value in values if value is not None]
    low, spread = (min(known), max(known) - min(known)) if known else (0.0, 0.0)

    def shade(value: float | None) -> float:
        return (value - low) / spread if value is not None and spread > 0 else 0.0

    return tuple(
        Cell(value, half, shade(value)) for value, half in zip(values, half_widths, strict=True)
    )


def layout(frame: pl.DataFrame) -> Table | None:
    """`measured` as the paper arranges it, a row per model and method, a group per quantity.

    None if there is nothing measured.
    """
    if frame.is_empty():
        return None
    quantities = [q for q in QUANTITIES if q.name in set(frame["quantity"])]
    paths = int(frame["position"].to_numpy().max())
    cells = {tuple(row[:4]): (row[4], row[5]) for row in frame.iter_rows()}

    def group(model: str, method: str, quantity: Quantity) -> tuple[Cell, ...]:
        places = [(model, method, quantity.name, p) for p in range(1, paths + 1)]
        means = [cells.get(place, (None, None))[0] for place in places]
        return shaded(means, [cells.get(place, (None, None))[1] for place in places])

    keys = frame.select("model", "method").unique(maintain_order=True).iter_rows()
    rows = tuple(
        Row(model, method, tuple(group(model, method, q) for q in quantities))
        for model, method in keys
    )
    return Table(tuple(q.title for q in quantities), paths, rows)


def printed() -> Table:
    """The paper's Table 1 in the same arrangement, digits as printed."""
    keys = numbers.table1().select("model", "algorithm").unique(maintain_order=True).iter_rows()
    rows = []
    for model, algorithm in keys:
        groups = [
            numbers.table1_row(model, algorithm, name).tolist()
            for name in numbers.TABLE1_QUANTITIES
        ]
        cells = tuple(shaded(group, [None] * len(group)) for group in groups)
        rows.append(Row(model, algorithm, cells))
    return Table(tuple(q.title for q in QUANTITIES[:3]), 4, tuple(rows))
