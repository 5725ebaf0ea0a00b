"""How fast two paths part and what their spread alone proves: every model of every world on common
axes.

Above: growth of log d per step as measured over the first steps, against what the output rate of
step 0 promises, under gradient ascent; and the rates by step. Below: for how many steps
extrapolations from step 0 hold; and the half-diameter bound as a share of the distance to the
retrained model. A seed counts by the median over its pairs.
"""

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.quartiles import LINES, draw_band, looks, median_of_pairs, model_handles
from protocol.readings.rates import AHEAD, by_seed, rate_records, series, tightness
from protocol.records import Tables

Key = tuple[str, str, str]  # world, model, method
Part = tuple[Key, pl.DataFrame]

EXTRAPOLATIONS = {
    "rate": ("o", "(1 + r₀)²ᵗ d₀"),
    "ratio": ("s", "(d₁/d₀)ᵗ d₀"),
    "constant": ("X", "d₀ (no growth)"),
}
PARAMETERS = "-."  # line of what is measured in parameters; no method of LINES has it


def _look(key: Key, numbers: dict[str, int]) -> dict[str, Any]:
    """Colour and marker by model, line by method."""
    number = numbers[key[1]]
    return {
        "colour": style.colour(number),
        "line": LINES.get(key[2], "-."),
        "marker": style.marker(number),
    }


def _draw_growth(axes: Axes, parts: list[Part], numbers: dict[str, int]) -> None:
    ascents = [(key, records) for key, records in parts if key[2] == "GA"]
    for (_, model, _), records in ascents:
        measured, promised = (by_seed(records, f"growth/{name}") for name in ("measured", "rate"))
        look = numbers[model]
        axes.scatter(
            measured,
            promised,
            s=14,
            alpha=0.6,
            linewidths=0,
            color=style.colour(look),
            marker=style.marker(look),
        )
    low, high = (bound(*axes.get_xlim(), *axes.get_ylim()) for bound in (min, max))
    axes.plot([low, high], [low, high], color="black", linewidth=0.8, zorder=1)
    axes.set(xlim=(low, high), ylim=(low, high), xlabel="measured growth of log d per step")
    axes.set_ylabel("promised at step 0: 2 log(1 + r₀)")
    axes.set_title("gradient ascent: promised and measured growth")


def _draw_rates(axes: Axes, parts: list[Part], numbers: dict[str, int]) -> None:
    for key, records in (part for part in parts if part[0][2] == "GA"):
        draw_band(axes, median_of_pairs(records, "output_rate"), markevery=4, **_look(key, numbers))
        secant = median_of_pairs(records, "secant_rate")
        if not secant.is_empty():
            draw_band(axes, secant, colour=style.colour(numbers[key[1]]), line=PARAMETERS)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_title("gradient ascent: rₜ in outputs; dash-dotted: ρₜ in parameters")
    axes.set_ylabel("rate per step")
    style.step_axis(axes)


def _draw_horizons(axes: Axes, parts: list[Part], numbers: dict[str, int]) -> None:
    for row, ((_, model, _), records) in enumerate(parts):
        for shift, (name, (marker, _)) in zip(
            (-0.22, 0.0, 0.22), EXTRAPOLATIONS.items(), strict=True
        ):
            low, middle, high = np.quantile(by_seed(records, f"horizon/{name}"), [0.25, 0.5, 0.75])
            filled = style.colour(numbers[model]) if name == "rate" else "white"
            axes.errorbar(
                middle,
                row + shift,
                xerr=[[middle - low], [high - middle]],
                color=style.colour(numbers[model]),
                marker=marker,
                markersize=5,
                markerfacecolor=filled,
                linewidth=1.2,
            )
    axes.axvline(AHEAD, color="black", linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(parts)), [f"{model}, {method}" for (_, model, method), _ in parts])
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("steps within a factor 2 of the measured d (quartiles)")
    axes.set_title(f"how far ahead step 0 tells; dashed: {AHEAD} steps")


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
    methods = [method for method in LINES if any(key[2] == method for key, _ in parts)]
    lines = [
        Line2D([], [], color="black", linestyle=LINES[method], label=method) for method in methods
    ]
    horizons = [
        Line2D(
            [],
            [],
            color="black",
            linestyle="",
            marker=marker,
            label=text,
            markersize=5,
            markerfacecolor="black" if name == "rate" else "white",
        )
        for name, (marker, text) in EXTRAPOLATIONS.items()
    ]
    figure.legend(
        handles=[*model_handles(numbers), *lines, *horizons], loc="outside lower center", ncols=5
    )


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where experiment "rates" was not run."""
    parts = list(series(rate_records(tables)))
    if not parts:
        return None
    numbers = looks(key[1] for key, _ in parts)
    figure = Figure(figsize=(10, 7.2), layout="constrained")
    grid = figure.subplots(2, 2).ravel()
    for axes, drawn in zip(
        grid, (_draw_growth, _draw_rates, _draw_horizons, _draw_tightness), strict=True
    ):
        drawn(axes, parts, numbers)
    _legend(figure, parts, numbers)
    return figure


FIGURE = FigureEntry(
    name="rates",
    title="Rates of divergence, how far ahead they tell, and the half-diameter bound",
    caption=(
        "Two runs that start from the two orders of a pair and unlearn alike; e is the "
        "difference of their "
        "outputs on the test inputs, d = ‖e‖²/m, rₜ = ⟨eₜ, eₜ₊₁ − eₜ⟩/‖eₜ‖². Each seed (in the "
        "linear model: each "
        "instance) counts by the median over its pairs of paths; bands and bars are quartiles "
        "over seeds. Top "
        "left: slope of log d over the first steps against 2 log(1 + r₀), a point per seed. Top "
        "right, under GA: "
        "rₜ, and dash-dotted the same quotient ρₜ in parameters, where these were kept. Bottom "
        "left: for how many "
        "steps an extrapolation from step 0 stays within a factor 2 of the measured d, at most "
        "the length of the "
        "run. Bottom right: ½ max √d(u_p, u_q) over pairs of paths, divided by the largest "
        "√d(u_p, θᵣ) to the "
        "retrained model; the bound says at most 1."
    ),
    alt=(
        "Four panels: promised against measured growth of the divergence, its rate over "
        "unlearning steps, horizons of"
        " three extrapolations as dots with bars, and the half-diameter bound as a share of the "
        "distance to the "
        "retrained model over steps."
    ),
    worlds=("linear", "network", "llm"),
    claims=("G1", "G2", "G3", "D1", "D2"),
    commands=("retrace theory rates", "retrace theory networks", "retrace llm positions"),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
