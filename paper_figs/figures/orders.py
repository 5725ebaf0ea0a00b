"""All orders of the stages: forget score against the number of stages after the forget stage, and
by which comes next.

A row per model, a column per method. Small dots are orders (mean over seeds); a marker per next
stage is the mean over orders and seeds with its interval over seeds; the black line is the mean
over all orders, whose slope claim O1 judges.
"""

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

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


def _looks(runs: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Next stage -> its look; "" where none follows."""
    names = [name for name in runs["next"].unique().sort() if name]
    looks = {
        name: {"color": style.colour(i), "marker": style.marker(i)}
        for i, name in enumerate(names, start=1)
    }
    return {"": NONE, **looks}


def _draw(axes: Axes, runs: pl.DataFrame, looks: dict[str, dict[str, Any]]) -> None:
    """The runs of one model under one method."""
    names = [name for name in looks if name]
    for (distance, name), part in runs.group_by("distance", "next", maintain_order=True):
        shift = WIDTH * (names.index(str(name)) - (len(names) - 1) / 2) if name else 0.0
        place = float(str(distance)) + shift
        single = part.group_by("order").agg(pl.col("last").mean()).sort("order")["last"].to_numpy()
        beside = np.full(single.size, place + ASIDE)
        axes.scatter(beside, single, s=7, color=looks[str(name)]["color"], alpha=0.6, linewidths=0)
        by_seed = part.group_by("seed").agg(pl.col("last").mean()).sort("seed")["last"].to_numpy()
        draw_means(axes, [place], by_seed[:, None], markersize=6, **looks[str(name)])
    middle = means(runs, "distance")
    axes.plot(list(middle), list(middle.values()), color="black", linewidth=1.0, zorder=1)
    limit(axes, runs["last"].to_numpy())
    axes.set_xticks(list(middle))
    axes.set_xlabel("stages after the forget stage")


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where experiment "orders" was not run on language models."""
    found = [
        (m, with_places(s.runs), s) for world, m, s in scored(tables, EXPERIMENT) if world == "llm"
    ]
    if not found:
        return None
    verdicts = {(claim.id, claim.method): claim for claim in judge(tables) if claim.world == "llm"}
    models, looks = found[0][1]["model"].unique().sort().to_list(), _looks(found[0][1])
    figure = Figure(figsize=(10, 1.2 + 2.6 * len(models)), layout="constrained")
    grid = figure.subplots(len(models), len(found), squeeze=False)
    for column, (method, runs, _) in zip(grid.T, found, strict=True):
        for axes, model in zip(column, models, strict=True):
            _draw(axes, runs.filter(model=model), looks)
        told = (claim_text.short(verdicts[id, method]) for id in ("O1", "O2"))
        column[0].set_title("\n".join((method, *told)))
    for axes, model in zip(grid[:, 0], models, strict=True):
        axes.set_ylabel(f"{model}\nforget score, {found[0][2].of(model).steps['last']} (nats)")
    names = {name: f"next: {name}" if name else "none follows" for name in looks}
    handles = [
        Line2D([], [], linestyle="", markersize=6, label=names[name], **look)
        for name, look in looks.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6)
    return figure


FIGURE = FigureEntry(
    name="orders",
    title="All orders: how far from the end, and what comes next",
    caption=(
        "Language models, experiment orders: every order of the stages, unlearned from its own "
        "model. Forget "
        "score by the label at the later judged step (20, or the last of a shorter run) against "
        "the number of "
        "stages after the forget stage. Dots: orders, mean over seeds. Markers: mean over the "
        "orders with "
        "that next stage, with the 95% interval over seeds (of two seeds their range). Line: "
        "mean over all "
        "orders. In the titles, over all models: O1, slope of the score on the number of later "
        "stages with "
        "its interval over seeds; O2, F of which stage comes next beside how many do."
    ),
    alt=(
        "Dot charts of the forget score against the number of stages after the forget stage, a "
        "marker per next stage, "
        "a row per model and a column per method."
    ),
    worlds=("llm",),
    claims=("O1", "O2"),
    commands=("retrace llm orders",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
