"""The local oracle: how close learning from forget prompts alone comes to the retrained model.

A column per model. Above: smallest distance over steps as a share of the distance at step 0, on
forget prompts and on retained prompts. Below: smallest over steps of the largest distance in units
of its noise floor; claim S1 requires at most 1.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.paths import draw_dots, limit
from protocol.readings.curves import Curves, unlearned
from protocol.readings.distances import (
    ORACLE,
    by_model,
    distance_left,
    kinds_of,
    over_floor,
)
from protocol.records import Tables

LOOKS: dict[str, dict[str, Any]] = {
    "forget": {"color": style.colour(4), "marker": "o", "label": "forget prompts"},
    "retained": {
        "color": style.colour(1),
        "marker": "s",
        "label": "retained prompts, mean over stages",
    },
}
SHIFT = {"forget": -0.1, "retained": 0.1}
MULTIPLE: dict[str, Any] = {"color": "black", "marker": "D", "markersize": 6}


def _position_axis(axes: Axes, count: int) -> None:
    axes.set_xticks(range(1, count + 1), [*map(str, range(1, count)), f"{count} (last)"])
    axes.set_xlim(0.5, count + 0.5)
    axes.set_xlabel("position p of the forget set")
    style.log_axis(axes)


def _draw_shares(axes: Axes, parts: dict[str, Curves]) -> None:
    axes.set_yscale("log")
    kinds = kinds_of(parts)
    shares = {kind: distance_left(kinds[kind], over_start=True) for kind in SHIFT}
    for kind, share in shares.items():
        places = np.arange(1, share.shape[1] + 1) + SHIFT[kind]
        draw_dots(axes, places, share, geometric=True, markersize=6, **LOOKS[kind])
    axes.axhline(1, color="black", linestyle=":", linewidth=1.0, label="nothing gained")
    limit(axes, np.append(np.concatenate(list(shares.values())), 1.0))
    _position_axis(axes, shares["forget"].shape[1])


def _draw_multiples(axes: Axes, over: Curves | None) -> None:
    if over is None:
        axes.set_visible(False)
        return
    nearest = over.values.min(axis=-1)
    axes.set_yscale("log")
    draw_dots(axes, np.arange(1, nearest.shape[1] + 1), nearest, geometric=True, **MULTIPLE)
    axes.axhline(1, color="#555555", linestyle="--", linewidth=1.2, label="noise floor")
    limit(axes, np.append(nearest, (1.0, 0.8)))
    _position_axis(axes, nearest.shape[1])


def _legend(figure: Figure, above: Axes, below: Axes) -> None:
    handles, labels = above.get_legend_handles_labels()
    more_handles, more_labels = below.get_legend_handles_labels()
    figure.legend(handles + more_handles, labels + more_labels, loc="outside lower center", ncols=4)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "oracle-local" was not run on language models."""
    models = by_model(unlearned(tables, ORACLE), "llm", ORACLE)
    if not models:
        return None
    figure = Figure(figsize=(10, 6.0), layout="constrained")
    grid = figure.subplots(2, len(models), squeeze=False)
    for (above, below), (model, parts) in zip(grid.T, models.items(), strict=True):
        _draw_shares(above, parts)
        _draw_multiples(below, over_floor(tables, "llm", parts, ORACLE))
        seeds = next(iter(parts.values())).values.shape[0]
        above.set_title(f"{model}, {seeds} seed{'s' * (seeds > 1)}")
    grid[0, 0].set_ylabel("smallest distance / distance at step 0")
    grid[1, 0].set_ylabel("distance / noise floor,\nworst kind of prompt")
    _legend(figure, *grid[:, 0])
    return figure


FIGURE = FigureEntry(
    name="oracle",
    title="The local oracle: the retrained model distilled on forget prompts only",
    caption=(
        "Language models, experiment oracle-local. Every path is fitted to the retrained model's "
        "predictions on forget prompts, and on no other prompts. Above: smallest RE distance to "
        "the retrained model over steps as a share of the distance at step 0, on forget prompts "
        "and on prompts of the retained stages (geometric mean over stages). Below: at the best "
        "step, the largest distance over kinds of prompt in units of its noise floor. At most 1 "
        "counts as retrain-equivalent (S1). Markers: geometric mean over seeds with its 95% "
        "interval (of two seeds their range). Dots: seeds."
    ),
    alt=(
        "Dot charts by position of the forget set, a column per model: share of the distance "
        "left on forget and on retained prompts above, distance in units of the noise floor below."
    ),
    worlds=("llm",),
    claims=("S1",),
    commands=("retrace llm oracle-local",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
