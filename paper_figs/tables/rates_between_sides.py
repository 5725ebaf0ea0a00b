"""The bridge as a table: rate of divergence promised at step 0, rate measured, how far ahead it
tells; every world.

A row a model and method. Rates are of log d per step, in parameters of log ‖θ_a − θ_b‖², "–" where
these were not kept; medians over seeds with their quartiles, steps as whole numbers.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol.readings.rates import AHEAD, ModelRates, model_rates
from protocol.records import Tables

HEAD = (
    "World",
    "Model",
    "Method",
    "Seeds",
    "Rate promised at step 0",
    "The same in parameters",
    f"Rate measured, {AHEAD} steps",
    "Horizon (steps)",
    "Horizon of no growth",
    f"Growth of d in {AHEAD} steps",
    "Exponential for (steps)",
)
QUANTITIES = (
    "promised",
    "secant",
    "measured",
    "horizon",
    "nothing",
    "grown",
    "span",
)  # of protocol.readings.rates.ModelRates
WORDS = 3  # columns of text before those of numbers


def _quartiles(values: Float[np.ndarray, " seeds"], digits: str) -> str:
    if values.size == 0:
        return "–"
    low, middle, high = (format(value, digits) for value in np.quantile(values, [0.25, 0.5, 0.75]))
    return f"{middle} ({low}–{high})"


def _row(row: ModelRates) -> tuple[str, ...]:
    rates = (_quartiles(values, ".3f") for values in (row.promised, row.secant, row.measured))
    horizon, nothing, span = (
        _quartiles(values, ".0f") for values in (row.horizon, row.nothing, row.span)
    )
    grown = _quartiles(row.grown, ".2f")
    return (
        row.world,
        row.model,
        row.method,
        str(row.span.size),
        *rates,
        horizon,
        nothing,
        grown,
        span,
    )


def frame(tables: Tables) -> pl.DataFrame:
    """The same as numbers: of each quantity the median over seeds and its quartiles, low and high."""
    lines = []
    for row in model_rates(tables):
        line: dict[str, object] = {
            "world": row.world,
            "model": row.model,
            "method": row.method,
            "seeds": row.span.size,
        }
        for name in QUANTITIES:
            values = getattr(row, name)
            low, middle, high = (
                np.quantile(values, [0.25, 0.5, 0.75]) if values.size else (None, None, None)
            )
            line |= {name: middle, f"{name}_low": low, f"{name}_high": high}
        lines.append(line)
    return pl.DataFrame(lines)


def rows(tables: Tables) -> list[tuple[str, ...]]:
    """The table's lines; none where experiment "rates" was not run."""
    return [_row(row) for row in model_rates(tables)]
