"""Growth of the divergence of two paths: linear model, small networks and language models alike.

A column a method. Above: d_t/d_0 on a log axis, so that exponential growth is a straight line;
dashed: (1 + r₀)^{2t}, predicted by the output rate of step 0. Below: the rate itself, Δ log d over
windows of 5 steps, so that exponential growth is flat. d is the mean squared difference of outputs
on test inputs (predictions, or centred logits).
"""

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.bands_over_pairs import draw_band, looks, model_handles
from paper_figs.drawing.entry import FigureEntry, main
from protocol.readings.rates import WINDOW, by_seed, growth_curves, rate_records, series
from protocol.records import Tables
from protocol.spec import PAPER_METHODS

SHOWN = 60  # steps; longer runs are cut
PREDICTED: dict[str, Any] = {"linestyle": "--", "linewidth": 0.9}


def _long(steps: np.ndarray, values: np.ndarray) -> pl.DataFrame:
    """seed, step, value of an array (seeds, points)."""
    seed, point = np.divmod(np.arange(values.size), steps.size)
    return pl.DataFrame({"seed": seed, "step": steps[point], "value": values.ravel()})


def _draw(growth: Axes, rate: Axes, records: pl.DataFrame, number: int) -> None:
    steps, log_d = growth_curves(records.filter(pl.col("step") <= SHOWN))
    colour = style.colour(number)
    look: dict[str, Any] = {"colour": colour, "line": "-", "marker": style.marker(number)}
    grown = np.exp(log_d - log_d[:, :1])
    draw_band(growth, _long(steps, grown), markevery=2, **look)
    predicted = float(np.median(by_seed(records, "growth/rate")))
    growth.plot(steps, np.exp(predicted * steps), color=colour, **PREDICTED)
    slopes = np.diff(log_d, axis=1) / np.diff(steps)
    draw_band(rate, _long(steps[:-1] + WINDOW / 2, slopes), markevery=2, **look)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "rates" was not run."""
    parts = [part for part in series(rate_records(tables)) if growth_curves(part[1])[0].size > 2]
    if not parts:
        return None
    numbers = looks(model for (_, model, _), _ in parts)
    methods = [method for method in PAPER_METHODS if any(key[2] == method for key, _ in parts)]
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    grid = figure.subplots(2, len(methods), sharex=True, sharey="row", squeeze=False)
    for (growth, rate), method in zip(grid.T, methods, strict=True):
        growth.set_yscale("log")
        for (_, model, of), records in parts:
            if of == method:
                _draw(growth, rate, records, numbers[model])
        growth.set_title(method)
        rate.axhline(0, color="black", linewidth=0.8)
        style.step_axis(rate)
    grid[0, 0].set_ylabel("growth dₜ / d₀")
    grid[1, 0].set_ylabel(f"rate: Δ log d per step, over {WINDOW} steps")
    predicted = style.legend_entry("predicted at step 0: (1 + r₀)²ᵗ", color="black", **PREDICTED)
    handles = [*model_handles(numbers), predicted]
    figure.legend(handles=handles, loc="outside lower center", ncols=6)
    return figure


FIGURE = FigureEntry(
    name="rates-between-sides",
    title="Growth of the divergence of two paths, theory side and language-model side",
    caption=(
        "Two runs start from the two orders of a pair and are unlearned alike. d is the mean "
        "squared difference of their outputs on test inputs: predictions of the linear model, "
        "centred logits of the networks and language models. Lines are medians over seeds (each "
        "seed counts by the median over its pairs), bands are quartiles. Above: growth of d on a "
        "log scale, so that exponential growth is a straight line. Dashed: growth predicted by "
        f"the first step. Below: rate of growth over windows of {WINDOW} steps, so that "
        f"exponential growth is flat. Runs are shown up to step {SHOWN}."
    ),
    alt=(
        "Two rows of line charts, a column per unlearning method, a line per model of the theory "
        "and the language-model side: growth of the divergence on a log scale with the predicted "
        "growth dashed, and the rate of growth by step."
    ),
    worlds=("linear", "network", "llm"),
    claims=("G4", "G2"),
    commands=("retrace theory rates", "retrace theory networks", "retrace llm positions"),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
