"""The overview: a theory model at the left, a language model at the right, under gradient ascent.

Above: label log-likelihood by path p; the title counts how often p = last was forgotten slowest.
Below: RE distance to the retrained model. The language model's is in units of the noise floor of
retraining, for the worst kind of prompt, as in claim E1; the title counts the paths that came
within the floor at some step. The linear model's retraining is exact.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.path_panels import draw_distance, draw_label, shade_noise
from paper_figs.drawing.paths import seeds_text
from protocol.readings.curves import Curves, curves, positions
from protocol.readings.distances import NO_FLOOR, by_model, over_floor
from protocol.readings.ranks import slowest
from protocol.records import Tables

WORLDS = {"linear": "instance", "llm": "seed"}  # and what repeats a run in them
METHOD = "GA"
REACHED = {
    "linear": "equal to the retrained model up to rounding",
    "llm": "within the noise floor of retraining",
}
DISTANCE = {
    "linear": "RE distance to the retrained\nmodel, test inputs",
    "llm": "RE distance / noise floor,\nworst kind of prompt",
}
ROOM = 0.7  # the lower end of an axis in units of the noise floor


class Shown(NamedTuple):
    """The curves of one column: those of the first model of one kind."""

    world: str
    label: Curves
    distances: dict[str, Curves]  # by part


def _first_model(records: pl.DataFrame, world: str) -> Shown | None:
    """The first model with both a label log-likelihood and distances."""
    distances = by_model(records, world, METHOD)
    for label in curves(records, world=world, method=METHOD, metric="label_loglik"):
        if label.model in distances:
            return Shown(world, label, distances[label.model])
    return None


def _draw_label(axes: Axes, shown: Shown) -> None:
    label, name = shown.label, "linear model" if shown.world == "linear" else shown.label.model
    hits, runs = next(iter(slowest([label]).values()))  # at the later judged step
    counted = f"p = {label.values.shape[1]} forgotten slowest in {hits} of {runs}"
    draw_label(axes, label, f"{name}, {seeds_text([label], WORLDS[shown.world])}\n{counted}")
    axes.set_ylabel("label log-likelihood" + (" (nats)" if shown.world == "llm" else ""))


def _shade_below_one(axes: Axes) -> None:
    """Grey up to 1 noise floor, with the grey area in view."""
    low, high = axes.get_ylim()
    bottom = min(low, ROOM)
    shade_noise(axes, bottom, 1)
    axes.set_ylim(bottom, high)
    style.log_axis(axes)


def _draw_distance(axes: Axes, tables: Tables, shown: Shown) -> None:
    over = over_floor(tables, shown.world, shown.distances)
    if over is None:
        axes.set_axis_off()
        axes.text(0.5, 0.5, NO_FLOOR, ha="center", va="center", transform=axes.transAxes)
        return
    if shown.world == "linear":
        draw_distance(axes, shown.distances["re_distance/test"])
    else:
        draw_distance(axes, over)
        _shade_below_one(axes)
    reached = np.any(over.values <= 1, axis=-1)
    axes.set_title(f"{REACHED[shown.world]}: {reached.sum()} of {reached.size} runs")
    axes.set_ylabel(DISTANCE[shown.world])


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if neither kind of model was unlearned by gradient ascent."""
    records = positions(tables)
    models = (_first_model(records, world) for world in WORLDS)
    columns = [shown for shown in models if shown is not None]
    if not columns:
        return None
    figure = Figure(figsize=(5 * len(columns), 6.2), layout="constrained")
    grid = figure.subplots(2, len(columns), squeeze=False)
    for (above, below), shown in zip(grid.T, columns, strict=True):
        _draw_label(above, shown)
        _draw_distance(below, tables, shown)
    paths = max(shown.label.values.shape[1] for shown in columns)
    style.path_legend(figure, paths, (style.nothing_line(),))
    return figure


FIGURE = FigureEntry(
    name="overview",
    title="Overview: does what is forgotten depend on when it was learned?",
    caption=(
        "Gradient ascent on the forget set after training in stages, one line per position p of "
        "the forget set. Left: linear regression. Right: a language model. Above: log-likelihood "
        "of the forget set; the title counts the runs in which p = last fell least up to step 20 "
        "(or the last step of a shorter run). Below: RE distance to the model retrained without "
        "the forget set; dotted: doing nothing. The linear model's retraining is exact, so any "
        "distance is a difference. The language model's distance is divided by the noise floor, "
        "which is the distance of two retrained models of different shuffle seeds; grey: at most "
        "1 on every kind of prompt. The titles name the bands."
    ),
    alt=(
        "Four line charts over unlearning steps, one line per position of the forget set: label "
        "log-likelihood above and distance to the retrained model below, the linear model at the "
        "left and a language model at the right."
    ),
    worlds=("linear", "llm"),
    claims=(),  # they are those of the figures that show every model and method
    commands=("retrace theory positions", "retrace llm positions"),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
