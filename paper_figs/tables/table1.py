"""Table 1: forget score, TOFU utility and math utility after unlearning, by model, algorithm and
path p = 1..4.

Ours are means over seeds with the half-width of the 95% interval, at the last unlearning step; the
levels before and after stay in the CSV. Beside the paper's three quantities ours has the forget
score of label and paraphrases: the printed forget score follows the label alone, although the
caption speaks of both (published/SOURCE.md).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float

from paper_figs.published import numbers
from protocol import metrics
from protocol.readings.curves import PAPER_METHODS, Curves, curves, positions
from protocol.records import Tables

Levels = Float[np.ndarray, "seeds paths points"]


@dataclass(frozen=True)
class Quantity:
    """One group of columns: its name in the CSV, its heading, the metric it is made from and how."""

    name: str
    title: str
    metric: str
    score: Callable[[Levels], Float[np.ndarray, "seeds paths"]]


def _last(values: Levels) -> int:
    return values.shape[-1] - 1


QUANTITIES = (
    Quantity(
        "forget_score", "Forget score", "label_loglik", lambda v: metrics.forget_score(v, _last(v))
    ),
    Quantity(
        "tofu_utility", "TOFU utility", "tofu_loglik", lambda v: metrics.tofu_utility(v, _last(v))
    ),
    Quantity(
        "math_utility",
        "Math utility",
        "math_accuracy",
        lambda v: metrics.math_utility(v[..., 0], v[..., -1]),
    ),
    Quantity(
        "forget_score_phrases",
        "Forget score, label + paraphrases",
        "phrase_loglik",
        lambda v: metrics.forget_score(v, _last(v)),
    ),
)
SCHEMA = {
    "model": pl.String, "method": pl.String, "quantity": pl.String, "position": pl.Int64, "mean": pl.Float64,
    "half_width": pl.Float64, "seeds": pl.Int64, "before": pl.Float64, "after": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One number; half_width is None for a single seed or a published number; shade from 0 (least)
    to 1 of its four.
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


def _summaries(method: str, quantity: Quantity, one: Curves) -> Iterator[dict[str, object]]:
    scores = quantity.score(one.values)
    for p, column in enumerate(scores.T, start=1):
        low, high = metrics.mean_interval(column)
        yield {
            "model": one.model,
            "method": method,
            "quantity": quantity.name,
            "position": p,
            "mean": float(column.mean()),
            "half_width": (high - low) / 2 if np.isfinite(high) else None,
            "seeds": column.size,
            "before": float(one.values[:, p - 1, 0].mean()),
            "after": float(one.values[:, p - 1, -1].mean()),
        }


def measured(tables: Tables) -> pl.DataFrame:
    """Ours in long form, by model, method, quantity and position; empty where no language model was
    unlearned.

    mean: over seeds, in nats (forget scores), 1 − nats (TOFU utility) or shares (math utility) ·
    half_width: of the 95% interval, null for one seed · before, after: mean levels of the
    underlying metric at the first and last step.
    """
    records = positions(tables)
    rows = [
        row
        for quantity in QUANTITIES
        for method in PAPER_METHODS
        for one in curves(records, world="llm", method=method, metric=quantity.metric)
        for row in _summaries(method, quantity, one)
    ]
    order = pl.col("method").replace_strict(
        {m: i for i, m in enumerate(PAPER_METHODS)}, return_dtype=pl.Int64
    )
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("model", order, maintain_order=True)


def shaded(values: list[float | None], half_widths: list[float | None]) -> tuple[Cell, ...]:
    """Cells of one group; shade = (value − min)/(max − min) over the group, 0 where all are equal
    or missing.
    """
    known = [value for value in values if value is not None]
    low, spread = (min(known), max(known) - min(known)) if known else (0.0, 0.0)
    return tuple(
        Cell(value, half, (value - low) / spread if value is not None and spread > 0 else 0.0)
        for value, half in zip(values, half_widths, strict=True)
    )


def layout(frame: pl.DataFrame) -> Table | None:
    """The paper's arrangement of `measured`: a row per model and method, a group per quantity; None
    without rows.
    """
    if frame.is_empty():
        return None
    quantities = [q for q in QUANTITIES if q.name in set(frame["quantity"])]
    paths = int(frame["position"].to_numpy().max())
    cells = {tuple(row[:4]): (row[4], row[5]) for row in frame.iter_rows()}

    def group(model: str, method: str, quantity: Quantity) -> tuple[Cell, ...]:
        found = [
            cells.get((model, method, quantity.name, p), (None, None)) for p in range(1, paths + 1)
        ]
        return shaded([mean for mean, _ in found], [half for _, half in found])

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
        cells = [
            numbers.table1_row(model, algorithm, name).tolist()
            for name in numbers.TABLE1_QUANTITIES
        ]
        rows.append(
            Row(model, algorithm, tuple(shaded(group, [None] * len(group)) for group in cells))
        )
    return Table(tuple(q.title for q in QUANTITIES[:3]), 4, tuple(rows))
