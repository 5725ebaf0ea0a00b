"""The answer in one figure: theory at the left, a language model at the right, unlearned by
gradient ascent.

Above: label log-likelihood by path p; in the title how often p = last was forgotten slowest. Below:
RE distance to the retrained model; of the language model in units of the noise floor of retraining,
the worst kind of prompt, as claim E1 asks; in the title how many paths came within the floor at
some step. The linear model's retraining is exact.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.distance import FLOOR
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.paths import seeds_text
from paper_figs.figures.linear import draw_distance, draw_label
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
    """What is shown of a world, of the first of its models."""

    world: str
    label: Curves
    distances: dict[str, Curves]  # by part


def _shown(records: pl.DataFrame) -> list[Shown]:
    found = []
    for world in WORLDS:
        distances = by_model(records, world, METHOD)
        label = curves(records, world=world, method=METHOD, metric="label_loglik")
        found += [
            Shown(world, one, distances[one.model]) for one in label if one.model in distances
        ][:1]
    return found


def _draw_label(axes: Axes, shown: Shown) -> None:
    one, name = shown.label, "linear model" if shown.world == "linear" else shown.label.model
    hits, runs = next(iter(slowest([one]).values()))  # at the later judged step
    counted = f"p = {one.values.shape[1]} forgotten slowest in {hits} of {runs}"
    draw_label(axes, one, f"{name}, {seeds_text([one], WORLDS[shown.world])}\n{counted}")
    axes.set_ylabel("label log-likelihood" + (" (nats)" if shown.world == "llm" else ""))


def _draw_distance(axes: Axes, tables: Tables, shown: Shown) -> None:
    over = over_floor(tables, shown.world, shown.distances)
    if over is None:
        axes.set_axis_off()
        axes.text(0.5, 0.5, NO_FLOOR, ha="center", va="center", transform=axes.transAxes)
        return
    draw_distance(axes, shown.distances["re_distance/test"] if shown.world == "linear" else over)
    if shown.world == "llm":
        low, high = axes.get_ylim()
        axes.axhspan(min(low, ROOM), 1, color=FLOOR, alpha=0.25, linewidth=0, zorder=0)
        axes.set_ylim(min(low, ROOM), high)
        style.log_axis(axes)
    reached = np.any(over.values <= 1, axis=-1)
    axes.set_title(f"{REACHED[shown.world]}: {reached.sum()} of {reached.size} runs")
    axes.set_ylabel(DISTANCE[shown.world])


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where neither the linear model nor a language model was unlearned by
    gradient ascent.
    """
    found = _shown(positions(tables))
    if not found:
        return None
    figure = Figure(figsize=(5 * len(found), 6.2), layout="constrained")
    grid = figure.subplots(2, len(found), squeeze=False)
    for (above, below), shown in zip(grid.T, found, strict=True):
        _draw_label(above, shown)
        _draw_distance(below, tables, shown)
    style.path_legend(
        figure, max(shown.label.values.shape[1] for shown in found), (style.nothing_line(),)
    )
    return figure


FIGURE = FigureEntry(
    name="answer",
    title="The answer in one figure: does what is forgotten depend on when it was learned?",
    caption=(
        "Gradient ascent on the forget set after training in stages, one line per position p of "
        "the forget "
        "set. Left: the linear regression model. Right: a language model. Above: log-likelihood "
        "of what is to "
        "be forgotten; the title counts the runs in which p = last fell least up to step 20, or "
        "to the last "
        "of a shorter run. Below: RE distance to the model retrained without the forget set; "
        "dotted: doing "
        "nothing. The linear model's retraining is exact, so any distance is a difference; the "
        "language "
        "model's is held against the noise floor, the distance of two retrained models of "
        "different shuffle "
        "seeds (grey: at most 1 on every kind of prompt). Bands as the titles say."
    ),
    alt=(
        "Four line charts over unlearning steps, one line per position of the forget set: label "
        "log-likelihood above "
        "and distance to the retrained model below, the linear model at the left and a language "
        "model at the right."
    ),
    worlds=("linear", "llm"),
    claims=(),  # they are those of the figures that show every model and method
    commands=("retrace theory positions", "retrace llm positions"),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
