"""The mixture control: distance between the paths of one seed, learned in stages or from a mixture.

Distance of probabilities on held-out prompts, mean over pairs of paths, by unlearning step; median
over seeds with quartiles, log axis. A row per model and part, a column per method.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from protocol.readings.mixture import PARTS, Control, controls
from protocol.records import Tables
from protocol.spec import PAPER_METHODS

NAMES = {"test": "retained prompts", "forget": "forget prompts"}
KINDS: dict[str, tuple[int, Any, str]] = {
    "staged": (1, "-", "learned in stages, four orders"),
    "mixture": (2, "--", "four shuffles of the mixture"),
}


def _look(number: int, line: Any) -> dict[str, Any]:
    return {"color": style.colour(number), "linestyle": line, "marker": style.marker(number)}


def _draw_band(
    axes: Axes, values: Float[np.ndarray, "seeds points"], number: int, line: Any
) -> None:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    step = np.arange(values.shape[1])
    axes.plot(step, middle, markevery=5, **_look(number, line))
    style.shade(axes, step, low, high, style.colour(number))


def _draw_cell(axes: Axes, control: Control, part: str) -> None:
    for name, (number, line, _) in KINDS.items():
        _draw_band(axes, getattr(control, name)[part], number, line)
    axes.set_yscale("log")
    style.log_axis(axes)
    style.step_axis(axes, last_row=False)


def _legend(figure: Figure) -> None:
    handles = [
        style.legend_entry(words, **_look(number, line)) for number, line, words in KINDS.values()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if the control was not run."""
    measured = {(control.model, control.method): control for control in controls(tables)}
    if not measured:
        return None
    models = sorted({model for model, _ in measured})
    methods = [method for method in PAPER_METHODS if any(key[1] == method for key in measured)]
    rows = [(model, part) for model in models for part in PARTS]
    figure = Figure(figsize=(10, 1.1 + 1.9 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(methods), sharex=True, sharey="row", squeeze=False)
    for cells, (model, part) in zip(grid, rows, strict=True):
        for axes, method in zip(cells, methods, strict=True):
            if (model, method) in measured:
                _draw_cell(axes, measured[model, method], part)
        cells[0].set_ylabel(f"{model}\n{NAMES[part]}")
    for axes, method in zip(grid[0], methods, strict=True):
        axes.set_title(method)
    for axes in grid[-1]:
        axes.set_xlabel("unlearning step")
    seeds = next(iter(measured.values())).staged[PARTS[0]].shape[0]
    style.heading(figure, f"RE distance between paths (median and quartiles over {seeds} seeds)")
    _legend(figure)
    return figure


FIGURE = FigureEntry(
    name="mixture",
    title="Control: the same rows mixed instead of learned in stages",
    caption=(
        "Small networks. RE distance of probabilities between the models of one seed on held-out "
        "prompts, mean over pairs, by unlearning step on a log scale. Solid: models that learned "
        "the stages in four orders. Dashed: models that learned four shuffles of the i.i.d. "
        "mixture of all rows, for equally many steps. Before unlearning the shuffles of the "
        "mixture are nearly one model. Unlearning separates them, too."
    ),
    alt=(
        "Line charts on log scales of the distance between paths over unlearning steps, learned "
        "in stages and mixed, a row per model and kind of prompts, a column per method."
    ),
    worlds=("network",),
    claims=("K1",),
    commands=("retrace theory networks",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
