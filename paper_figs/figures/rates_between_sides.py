"""The bridge: growth of the divergence of two paths in the linear model, small networks and
language models alike.

A column a method. Above: d_t/d_0 on a log axis, where exponential growth is a straight line, and
dashed what the output rate of step 0 promises, (1 + r₀)^{2t}. Below: the rate itself, Δ log d over
windows of 5 steps; exponential growth is flat. d is the mean squared difference of outputs on test
inputs (predictions; else centred logits).
"""

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.quartiles import draw_band, looks, model_handles
from protocol.readings.curves import PAPER_METHODS
from protocol.readings.rates import WINDOW, by_seed, growth_curves, rate_records, series
from protocol.records import Tables

SHOWN = 60  # steps; longer runs are cut


def _long(steps: np.ndarray, values: np.ndarray) -> pl.DataFrame:
    """seed, step, value of an array (seeds, points)."""
    seed, point = np.divmod(np.arange(values.size), steps.size)
    return pl.DataFrame({"seed": seed, "step": steps[point], "value": values.ravel()})


def _draw(growth: Axes, rate: Axes, records: pl.DataFrame, look: int) -> None:
    steps, log_d = growth_curves(records.filter(pl.col("step") <= SHOWN))
    marks = {"marker": style.marker(look), "markevery": 2}
    grown = np.exp(log_d - log_d[:, :1])
    draw_band(growth, _long(steps, grown), colour=style.colour(look), line="-", **marks)
    promised = float(np.median(by_seed(records, "growth/rate")))
    growth.plot(
        steps, np.exp(promised * steps), color=style.colour(look), linestyle="--", linewidth=0.9
    )
    middle = steps[:-1] + WINDOW / 2
    draw_band(
        rate,
        _long(middle, np.diff(log_d, axis=1) / np.diff(steps)),
        colour=style.colour(look),
        line="-",
        **marks,
    )


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where experiment "rates" was not run."""
    parts = [part for part in series(rate_records(tables)) if growth_curves(part[1])[0].size > 2]
    if not parts:
        return None
    numbers = looks(key[1] for key, _ in parts)
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
    promise = Line2D(
        [], [], color="black", linestyle="--", linewidth=0.9, label="promised at step 0: (1 + r₀)²ᵗ"
    )
    figure.legend(handles=[*model_handles(numbers), promise], loc="outside lower center", ncols=6)
    return figure


FIGURE = FigureEntry(
    name="bridge",
    title="The bridge: how fast two paths part, in every world",
    caption=(
        "Two runs that start from the two orders of a pair and unlearn alike; d is the mean "
        "squared difference of "
        "their outputs on test inputs: predictions of the linear model, centred logits of the "
        "networks and language "
        "models. Median over seeds (each the median over its pairs), bands quartiles. Above: "
        "growth of d, log scale; "
        "exponential growth is a straight line; dashed: what the first step promises. Below: the "
        "rate of growth over "
        f"windows of {WINDOW} steps; exponential growth is flat. Runs are shown up to step {SHOWN}."
    ),
    alt=(
        "Two rows of line charts, a column per unlearning method, a line per model of every "
        "world: growth of the "
        "divergence on a log scale with the promised growth dashed, and the rate of growth by step."
    ),
    worlds=("linear", "network", "llm"),
    claims=("G4", "G2"),
    commands=("retrace theory rates", "retrace theory networks", "retrace llm positions"),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
