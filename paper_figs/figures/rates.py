"""How fast two paths diverge, and what their divergence alone proves, for every kind of model.

Above: growth of log d per step under gradient ascent, measured over the first steps and predicted
by the output rate of step 0; and the rates by step. Below: number of steps for which extrapolations
from step 0 hold; and the half-diameter bound as a share of the distance to the retrained model. A
seed counts by the median over its pairs.
"""

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.bands_over_pairs import (
    METHOD_LINES,
    draw_band,
    looks,
    median_of_pairs,
    model_handles,
)
from paper_figs.drawing.entry import FigureEntry, main
from protocol.readings.rates import AHEAD, by_seed, rate_records, series, tightness
from protocol.records import Tables

Key = tuple[str, str, str]  # world, model, method
Part = tuple[Key, pl.DataFrame]

EXTRAPOLATIONS = {  # place, marker, words
    "rate": (-0.22, "o", "(1 + r₀)²ᵗ d₀"),
    "ratio": (0.0, "s", "(d₁/d₀)ᵗ d₀"),
    "constant": (0.22, "X", "d₀ (no growth)"),
}
PARAMETERS = "-."  # line of what is measured in parameters; no method of METHOD_LINES has it


def _look(key: Key, numbers: dict[str, int]) -> dict[str, Any]:
    """Colour and marker by model, line by method."""
    _, model, method = key
    number = numbers[model]
    line = METHOD_LINES[method]
    return {"colour": style.colour(number), "line": line, "marker": style.marker(number)}


def _ascents(parts: list[Part]) -> list[Part]:
    return [(key, records) for key, records in parts if key[2] == "GA"]


def _draw_growth(axes: Axes, parts: list[Part], numbers: dict[str, int]) -> None:
    for (_, model, _), records in _ascents(parts):
        measured, predicted = by_seed(records, "growth/measured"), by_seed(records, "growth/rate")
        number = numbers[model]
        look: dict[str, Any] = {"color": style.colour(number), "marker": style.marker(number)}
        axes.scatter(measured, predicted, s=14, alpha=0.6, linewidths=0, **look)
    low = min(*axes.get_xlim(), *axes.get_ylim())
    high = max(*axes.get_xlim(), *axes.get_ylim())
    axes.plot([low, high], [low, high], color="black", linewidth=0.8, zorder=1)
    axes.set(xlim=(low, high), ylim=(low, high), xlabel="measured growth of log d per step")
    axes.set_ylabel("predicted at step 0: 2 log(1 + r₀)")
    axes.set_title("gradient ascent: predicted and measured growth")


def _draw_rates(axes: Axes, parts: list[Part], numbers: dict[str, int]) -> None:
    for key, records in _ascents(parts):
        look = _look(key, numbers)
        draw_band(axes, median_of_pairs(records, "output_rate"), markevery=4, **look)
        in_parameters = median_of_pairs(records, "secant_rate")
        if not in_parameters.is_empty():
            draw_band(axes, in_parameters, colour=look["colour"], line=PARAMETERS)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_title("gradient ascent: rₜ in outputs; dash-dotted: ρₜ in parameters")
    axes.set_ylabel("rate per step")
    style.step_axis(axes)


def _draw_horizon(axes: Axes, horizons: np.ndarray, place: float, look: dict[str, Any]) -> None:
    """A marker at the median over seeds with its quartiles as a bar."""
    low, middle, high = np.quantile(horizons, [0.25, 0.5, 0.75])
    bar = [[middle - low], [high - middle]]
    axes.errorbar(middle, place, xerr=bar, markersize=5, linewidth=1.2, **look)


def _draw_horizons(axes: Axes, parts: list[Part], numbers: dict[str, int]) -> None:
    for row, ((_, model, _), records) in enumerate(parts):
        colour = style.colour(numbers[model])
        for name, (shift, marker, _) in EXTRAPOLATIONS.items():
            face = colour if name == "rate" else "white"
            look = {"color": colour, "marker": marker, "markerfacecolor": face}
            _draw_horizon(axes, by_seed(records, f"horizon/{name}"), row + shift, look)
    axes.axvline(AHEAD, color="black", linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(parts)), [f"{model}, {method}" for (_, model, method), _ in parts])
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("steps within a factor 2 of the measured d (quartiles)")
    axes.set_title(f"how far step 0 predicts; dashed: {AHEAD} steps")


def _draw_tightness(axes: Axes, parts: list[Part], numbers: dict[str, int]) -> None:
    for key, records in parts:
        measured = tightness(records).rename({"ratio": "value"}).select("seed", "step", "value")
        if not measured.is_empty():
            draw_band(axes, measured, markevery=10, **_look(key, numbers))
    axes.axhline(1, color="black", linewidth=0.8, linestyle="--")
    axes.set_ylim(0, 1.08)
    axes.set_title("bound as a share of the largest distance")
    axes.set_ylabel("bound / distance, both as √d (1 = attained)")
    style.step_axis(axes)


def _legend(figure: Figure, parts: list[Part], numbers: dict[str, int]) -> None:
    shown = {method for (_, _, method), _ in parts}
    lines = [
        style.legend_entry(method, color="black", linestyle=line)
        for method, line in METHOD_LINES.items()
        if method in shown
    ]
    mark: dict[str, Any] = {"color": "black", "linestyle": "", "markersize": 5}
    faces = {name: "black" if name == "rate" else "white" for name in EXTRAPOLATIONS}
    horizons = [
        style.legend_entry(words, marker=marker, markerfacecolor=faces[name], **mark)
        for name, (_, marker, words) in EXTRAPOLATIONS.items()
    ]
    handles = [*model_handles(numbers), *lines, *horizons]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "rates" was not run."""
    parts = list(series(rate_records(tables)))
    if not parts:
        return None
    numbers = looks(model for (_, model, _), _ in parts)
    figure = Figure(figsize=(10, 7.2), layout="constrained")
    (growth, rates), (horizons, bound) = figure.subplots(2, 2)
    _draw_growth(growth, parts, numbers)
    _draw_rates(rates, parts, numbers)
    _draw_horizons(horizons, parts, numbers)
    _draw_tightness(bound, parts, numbers)
    _legend(figure, parts, numbers)
    return figure


FIGURE = FigureEntry(
    name="rates",
    title="Rates of divergence, how far step 0 predicts, and the half-diameter bound",
    caption=(
        "Two runs start from the two orders of a pair and are unlearned alike. e is the difference "
        "of their outputs on the test inputs, d = ‖e‖²/m, rₜ = ⟨eₜ, eₜ₊₁ − eₜ⟩/‖eₜ‖². Each seed "
        "(in the linear model: each instance) counts by the median over its pairs of paths; bands "
        "and bars are quartiles over seeds. Top left: slope of log d over the first steps against "
        "2 log(1 + r₀), a point per seed. Top right, under GA: rₜ, and dash-dotted the same "
        "quotient ρₜ in parameters, if these were kept. Bottom left: number of steps for which an "
        "extrapolation from step 0 stays within a factor 2 of the measured d, at most the length "
        "of the run. Bottom right: ½ max √d(u_p, u_q) over pairs of paths, divided by the largest "
        "√d(u_p, θᵣ) to the retrained model. The bound says that the share is at most 1."
    ),
    alt=(
        "Four panels: predicted and measured growth of the divergence, its rate over unlearning "
        "steps, horizons of three extrapolations as dots with bars, and the half-diameter bound "
        "as a share of the distance to the retrained model over steps."
    ),
    worlds=("linear", "network", "llm"),
    claims=("G1", "G2", "G3", "D1", "D2"),
    commands=("retrace theory rates", "retrace theory networks", "retrace llm positions"),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
