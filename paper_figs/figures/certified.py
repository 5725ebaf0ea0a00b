"""Certified unlearning: two orders seen through noise, the noise that hides them, and the first
violating step.

Median over instances with quartiles. Noise and distances in units of ‖Δ₀‖, the difference before
unlearning.
"""

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from protocol.readings.sweeps import sweep
from protocol.records import Tables

LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))


def _band(axes: Axes, records: pl.DataFrame, metric: str, number: int, label: str) -> None:
    low, middle, high = (
        records.filter(metric=metric + ending).sort("step")["value"].to_numpy()
        for ending in ("_low", "", "_high")
    )
    step = records.filter(metric=metric).sort("step")["step"].to_numpy()
    line = LINES[(number - 1) % len(LINES)]
    axes.plot(step, middle, color=style.colour(number), linestyle=line, label=label)
    axes.fill_between(step, low, high, color=style.colour(number), alpha=0.18, linewidth=0)


def _legend(axes: Axes) -> None:
    """Below the panel: inside, curves that rise from corner to corner leave no room."""
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, fontsize=8, handlelength=3
    )


def _draw_divergence(axes: Axes, cells: pl.DataFrame, epsilon: float) -> None:
    chosen = cells.filter(pl.col("epsilon") == epsilon)
    for number, noise in enumerate(sorted(chosen["noise"].unique()), start=1):
        _band(
            axes,
            chosen.filter(pl.col("noise") == noise),
            "hockey_stick",
            number,
            f"s = {noise:,.9g} ‖Δ₀‖",
        )
    delta = chosen["delta"][0]
    allowed = (1 + np.exp(epsilon)) * delta
    axes.axhline(allowed, color="black", linewidth=1, label="(1 + e^ε)δ")
    axes.set_yscale("log")
    axes.set_ylim(allowed / 1e3, 2)
    axes.set_title(f"divergence of the two outcomes at 2ε\nε = {epsilon:g}, δ = {delta:g}")
    axes.set_ylabel("hockey-stick divergence")
    style.step_axis(axes)
    _legend(axes)


def _draw_noise(axes: Axes, curves: pl.DataFrame, promised: float) -> None:
    chosen = curves.with_columns(pl.col("value").exp())
    for number, epsilon in enumerate(sorted(chosen["epsilon"].unique()), start=1):
        _band(
            axes,
            chosen.filter(pl.col("epsilon") == epsilon),
            "log_noise",
            number,
            f"ε = {epsilon:g}",
        )
    last = chosen.filter(metric="log_noise").sort("epsilon", "step").tail(1)
    end, level = last["step"].to_numpy()[0], last["value"].to_numpy()[0]
    late = np.array([0.6 * end, end])
    # below the lowest curve, where nothing else is drawn
    axes.plot(
        late,
        level / 30 * np.exp((late - end) * promised),
        color="black",
        linewidth=1,
        label="slope of (1 + λ_max(M))^t",
    )
    axes.set_yscale("log")
    axes.set_title("least noise without violation\nup to step t")
    axes.set_ylabel("s / ‖Δ₀‖")
    style.step_axis(axes)
    _legend(axes)


def _draw_first(axes: Axes, cells: pl.DataFrame, examples: pl.DataFrame) -> None:
    where = cells.select("run", "noise", "epsilon").unique()
    first = examples.filter(metric="first_step").join(where, on="run")
    ends = {"low": 0.25, "middle": 0.5, "high": 0.75}
    quartiles = [
        pl.col("value").quantile(share, "linear").alias(name) for name, share in ends.items()
    ]
    by_cell = first.group_by("noise", "epsilon").agg(quartiles).sort("noise")
    for number, epsilon in enumerate(sorted(by_cell["epsilon"].unique()), start=1):
        noise, low, middle, high = (
            by_cell.filter(pl.col("epsilon") == epsilon)[name].to_numpy()
            for name in ("noise", *ends)
        )
        axes.errorbar(
            noise * 1.12 ** (number - 2),
            middle,
            yerr=(middle - low, high - middle),
            color=style.colour(number),
            marker=style.marker(number),
            linestyle=LINES[(number - 1) % len(LINES)],
            label=f"ε = {epsilon:g}",
        )
    axes.set_xscale("log")
    axes.set_title("first violating step\n(median, quartiles)")
    axes.set_xlabel("noise s / ‖Δ₀‖")
    axes.set_ylabel("unlearning step")
    _legend(axes)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where experiment "certified" was not run."""
    records = sweep(tables, "certified")
    if records.is_empty():
        return None
    examples = tables.examples.filter(pl.col("experiment") == "certified")
    cells, curves = (records.filter(pl.col("noise").is_null() == alone) for alone in (False, True))
    epsilons = sorted(cells["epsilon"].unique())
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _draw_divergence(left, cells, epsilons[len(epsilons) // 2])
    promised = examples.filter(metric="promised")["value"].to_numpy()
    _draw_noise(middle, curves, float(np.median(promised)))
    _draw_first(right, cells, examples)
    instances = examples["example"].n_unique()
    style.heading(
        figure, f"Linear model, gradient ascent: {instances} instances, median and quartiles"
    )
    return figure


FIGURE = FigureEntry(
    name="certified",
    title="Certified unlearning: two orders seen through noise",
    caption=(
        "Linear model, forget set learned first and last, gradient ascent on both models; N(0, "
        "s²I) added to both "
        "outcomes, s in units of the distance ‖Δ₀‖ of the two models before unlearning. If both "
        "outcomes were (ε, "
        "δ)-close to one distribution, their hockey-stick divergence at 2ε would be at most (1 + "
        "e^ε)δ. Left: that "
        "divergence by step. Middle: the least noise that keeps it below the bound up to step t; "
        "the black line has "
        "the slope log(1 + λ_max(M)) that it comes to in the end, M = (2η/k)X_UᵀX_U, median over "
        "instances. Right: "
        "the first step that violates it."
    ),
    alt=(
        "Three panels: divergence over unlearning steps for several amounts of noise against the "
        "allowed level; the "
        "noise needed over steps on a log scale, a line per ε beside a line of the promised "
        "slope; the first "
        "violating step against the noise."
    ),
    worlds=("linear",),
    claims=("C1", "C2"),
    commands=("retrace theory certified",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
