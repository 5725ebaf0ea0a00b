"""All orders of the stages: forget score by the number of later stages and by the next stage.

A row per model, a column per method. Small dots are orders (mean over seeds). A marker per next
stage is the mean over orders and seeds with its interval over seeds. The black line is the mean
over all orders, whose slope claim O1 judges.
"""

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import claim_text, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.paths import ASIDE, draw_means, limit
from protocol.claims.paper.orders import judge
from protocol.readings.later_stages import with_places
from protocol.readings.scores import means, scored
from protocol.records import Tables

EXPERIMENT = "orders"
WIDTH = 0.16  # between the markers of two next stages
NONE: dict[str, Any] = {"color": "black", "marker": "*"}  # of orders that end with the forget stage

Looks = dict[str, dict[str, Any]]


def _looks(runs: pl.DataFrame) -> Looks:
    """Next stage -> its look; "" if no stage follows."""
    stages = [stage for stage in runs["next"].unique().sort() if stage]
    looks = {
        stage: {"color": style.colour(number), "marker": style.marker(number)}
        for number, stage in enumerate(stages, start=1)
    }
    return {"": NONE, **looks}


def _mean_over(runs: pl.DataFrame, column: str) -> np.ndarray:
    """Forget scores averaged within each value of a column."""
    return runs.group_by(column).agg(pl.col("last").mean()).sort(column)["last"].to_numpy()


def _draw_next(axes: Axes, runs: pl.DataFrame, place: float, look: dict[str, Any]) -> None:
    """The orders with one next stage, at one number of later stages."""
    by_order = _mean_over(runs, "order")
    aside = np.full(by_order.size, place + ASIDE)
    axes.scatter(aside, by_order, s=7, color=look["color"], alpha=0.6, linewidths=0)
    draw_means(axes, [place], _mean_over(runs, "seed")[:, None], markersize=6, **look)


def _draw(axes: Axes, runs: pl.DataFrame, looks: Looks) -> None:
    """The runs of one model under one method."""
    stages = [stage for stage in looks if stage]
    for (distance, stage), part in runs.group_by("distance", "next", maintain_order=True):
        shift = WIDTH * (stages.index(str(stage)) - (len(stages) - 1) / 2) if stage else 0.0
        _draw_next(axes, part, float(str(distance)) + shift, looks[str(stage)])
    by_distance = means(runs, "distance")
    line: dict[str, Any] = {"color": "black", "linewidth": 1.0, "zorder": 1}
    axes.plot(list(by_distance), list(by_distance.values()), **line)
    limit(axes, runs["last"].to_numpy())
    axes.set_xticks(list(by_distance))
    axes.set_xlabel("stages after the forget stage")


def _legend(figure: Figure, looks: Looks) -> None:
    handles = [
        style.legend_entry(
            f"next: {stage}" if stage else "no stage follows", linestyle="", markersize=6, **look
        )
        for stage, look in looks.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "orders" was not run on language models."""
    by_method = {
        method: scores for world, method, scores in scored(tables, EXPERIMENT) if world == "llm"
    }
    if not by_method:
        return None
    verdicts = {(claim.id, claim.method): claim for claim in judge(tables) if claim.world == "llm"}
    first = next(iter(by_method.values()))
    models, looks = first.runs["model"].unique().sort().to_list(), _looks(with_places(first.runs))
    figure = Figure(figsize=(10, 1.2 + 2.6 * len(models)), layout="constrained")
    grid = figure.subplots(len(models), len(by_method), squeeze=False)
    for column, (method, scores) in zip(grid.T, by_method.items(), strict=True):
        runs = with_places(scores.runs)
        for axes, model in zip(column, models, strict=True):
            _draw(axes, runs.filter(model=model), looks)
        verdict_lines = [claim_text.short(verdicts[id, method]) for id in ("O1", "O2")]
        column[0].set_title("\n".join((method, *verdict_lines)))
    for axes, model in zip(grid[:, 0], models, strict=True):
        axes.set_ylabel(f"{model}\nforget score, {first.of(model).steps['last']} (nats)")
    _legend(figure, looks)
    return figure


FIGURE = FigureEntry(
    name="orders",
    title="All orders: number of later stages, and the next stage",
    caption=(
        "Language models, experiment orders. Each order of the stages gives a model, which is "
        "then unlearned. The forget score by the label at the later judged step (20, or the last "
        "step of a shorter run) is drawn against the number of stages after the forget stage. "
        "Dots: orders, mean over seeds. Markers: mean over the orders with that next stage, with "
        "the 95% interval over seeds (of two seeds their range). Line: mean over all orders. The "
        "titles give two claims over all models. O1: slope of the score by the number of later "
        "stages, with its interval over seeds. O2: F statistic of the next stage, given the "
        "number of later stages."
    ),
    alt=(
        "Dot charts of the forget score against the number of stages after the forget stage, a "
        "marker per next stage, a row per model and a column per method."
    ),
    worlds=("llm",),
    claims=("O1", "O2"),
    commands=("retrace llm orders",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
