"""Dose-matched pairs: is U, learned last, forgotten more slowly from an equal start, too?

A row per model: forget score by the label log-likelihood at step 0, of the paths and of the doses,
which learned the forget set last but stopped early. Last row: matched dose − path, which claim L6
counts.
"""

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import claim_text, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.paths import draw_dots, limit
from protocol.claims.paper.dose import judge
from protocol.readings.doses import by_seed, matched_pairs
from protocol.readings.scores import scored
from protocol.records import Tables

EXPERIMENT = "dose"
MEAN: dict[str, Any] = {"color": "black", "marker": "X", "markersize": 6}


def _dot_look(position: int) -> dict[str, Any]:
    return style.path_look(position) | {"linestyle": "none", "markersize": 6}


def _draw_levels(axes: Axes, runs: pl.DataFrame) -> None:
    """Runs of one model and method: a line of doses per seed, a marker per path and seed."""
    last = int(runs["position"].to_numpy().max())
    line = style.path_look(last) | {"linewidth": 1.0, "markersize": 2.6}
    for _, seed in runs.group_by("seed", maintain_order=True):
        doses = seed.filter(position=last).sort("start")
        axes.plot(doses["start"], doses["last"], **line)
        for p in range(1, last):
            path = seed.filter(position=p)
            axes.plot(path["start"], path["last"], **_dot_look(p))
    axes.set_xlabel("label log-likelihood at step 0 (nats)")


def _draw_differences(axes: Axes, pairs: pl.DataFrame, last: int) -> None:
    """matched − path by position of the path, and the mean over the pairs of a seed."""
    for p in range(1, last):
        values = pairs.filter(position=p)["last"].to_numpy()
        look: dict[str, Any] = {"color": style.colour(p), "marker": style.marker(p)}
        if values.size:
            draw_dots(axes, [p], values[:, None], markersize=6, **look)
    if not pairs.is_empty():
        draw_dots(axes, [last], by_seed(pairs)["last"].to_numpy()[:, None], **MEAN)
        limit(axes, np.append(pairs["last"].to_numpy(), 0.0))
    axes.axhline(0, color="black", linewidth=0.8)
    names = [f"p = {p}" for p in range(1, last)]
    axes.set_xticks(range(1, last + 1), [*names, "mean of\na seed's pairs"])
    axes.set_xlim(0.5, last + 0.5)


def _legend(figure: Figure, last: int) -> None:
    paths = [style.legend_entry(f"path p = {p}", **_dot_look(p)) for p in range(1, last)]
    words = f"p = {last}: doses, including the whole stage"
    doses = style.legend_entry(words, **style.path_look(last))
    figure.legend(handles=[*paths, doses], loc="outside lower center", ncols=4)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "dose" was not run on language models."""
    by_method = {
        method: scores for world, method, scores in scored(tables, EXPERIMENT) if world == "llm"
    }
    if not by_method:
        return None
    claims = [claim for claim in judge(tables) if claim.world == "llm" and claim.id == "L6"]
    verdicts = {claim.method: claim for claim in claims}
    first = next(iter(by_method.values()))
    models = first.runs["model"].unique().sort().to_list()
    last = int(first.runs["position"].to_numpy().max())
    figure = Figure(figsize=(10, 1.2 + 2.3 * (len(models) + 1)), layout="constrained")
    grid = figure.subplots(len(models) + 1, len(by_method), squeeze=False)
    for column, (method, scores) in zip(grid.T, by_method.items(), strict=True):
        for axes, model in zip(column, models, strict=False):
            _draw_levels(axes, scores.of(model).runs)
        _draw_differences(column[-1], matched_pairs(scores.runs), last)
        column[0].set_title(method)
        column[-1].set_title(claim_text.short(verdicts[method]))
    for axes, model in zip(grid[:, 0], models, strict=False):
        axes.set_ylabel(f"{model}\nforget score, {first.of(model).steps['last']} (nats)")
    grid[-1, 0].set_ylabel("all models\nmatched dose − path (nats)")
    _legend(figure, last)
    return figure


FIGURE = FigureEntry(
    name="dose",
    title="Recency against saturation: dose-matched pairs",
    caption=(
        "Language models, experiment dose. The forget stage is learned last and stopped early at "
        "several doses, so that unlearning starts from a lower label log-likelihood. Rows by "
        "model: forget score by the label at the later judged step (20, or the last step of a "
        "shorter run) against the log-likelihood at step 0. Each seed has a line of doses and a "
        "marker for each path. Last row: the dose, interpolated to the path's starting "
        "log-likelihood, minus the path. Dots: seeds of all models; also the mean and 95% "
        "interval (of two seeds their range). Below 0 the forget set learned last is forgotten "
        "more slowly from an equal start. The titles give L6: the share of seeds whose mean "
        "difference is below 0, with its exact interval."
    ),
    alt=(
        "Scatter charts of the forget score against the starting log-likelihood for paths and "
        "for doses of the last stage, a row per model and a column per method; below them the "
        "differences of matched pairs by position."
    ),
    worlds=("llm",),
    claims=("L6", "L6d"),
    commands=("retrace llm dose",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
