"""Rates of divergence as a table: predicted at step 0, measured, and how far the prediction holds.

A row a model and method, of the theory and the language-model side. Rates are of log d per step; in
parameters of log ‖θ_a − θ_b‖², "–" if these were not kept. Medians over seeds with their quartiles,
steps as whole numbers.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from paper_figs.tables.text import MISSING
from protocol.readings.rates import AHEAD, ModelRates, model_rates
from protocol.records import Tables

HEAD = (
    "Kind of model", "Model", "Method", "Seeds", "Rate predicted at step 0",
    "The same in parameters",
    f"Rate measured, {AHEAD} steps", "Horizon (steps)", "Horizon of no growth",
    f"Growth of d in {AHEAD} steps", "Exponential for (steps)",
)  # fmt: skip
FORMATS = {  # fields of protocol.readings.rates.ModelRates, in the order of HEAD
    "promised": ".3f",
    "secant": ".3f",
    "measured": ".3f",
    "horizon": ".0f",
    "nothing": ".0f",
    "grown": ".2f",
    "span": ".0f",
}
WORDS = 3  # columns of text before those of numbers


def _quartiles(values: Float[np.ndarray, " seeds"]) -> tuple[float, float, float] | None:
    """Lower quartile, median and upper quartile over seeds; None if nothing was measured."""
    if values.size == 0:
        return None
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def _cell(values: Float[np.ndarray, " seeds"], digits: str) -> str:
    quartiles = _quartiles(values)
    if quartiles is None:
        return MISSING
    low, middle, high = (format(value, digits) for value in quartiles)
    return f"{middle} ({low}–{high})"


def _row(row: ModelRates) -> tuple[str, ...]:
    cells = [_cell(getattr(row, name), digits) for name, digits in FORMATS.items()]
    return (row.world, row.model, row.method, str(row.span.size), *cells)


def _numbers(row: ModelRates) -> dict[str, object]:
    numbers: dict[str, object] = {"world": row.world, "model": row.model, "method": row.method}
    numbers["seeds"] = row.span.size
    for name in FORMATS:
        low, middle, high = _quartiles(getattr(row, name)) or (None, None, None)
        numbers |= {name: middle, f"{name}_low": low, f"{name}_high": high}
    return numbers


def frame(tables: Tables) -> pl.DataFrame:
    """The table as numbers: the median of each quantity over seeds, with its quartiles."""
    return pl.DataFrame([_numbers(row) for row in model_rates(tables)])


def rows(tables: Tables) -> list[tuple[str, ...]]:
    """The table's lines; none if experiment "rates" was not run."""
    return [_row(row) for row in model_rates(tables)]
