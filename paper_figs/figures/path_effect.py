"""How much of the forgetting is due to the order: variance of the forget score between paths.

A row a model and design, a column a method: the positions on one base, then experiments bases/BASE.
Areas are shares of variance components by unlearning step (metrics.variance_components): between
paths; what a base does to one path alone; between bases and between shuffle seeds, the same for
every path; and the rest. Dots with bars: the share of paths once the seed (or, of several bases,
the base) is fixed, with its exact 95% interval, at every fifth step.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from protocol import metrics
from protocol.readings.bases import common_share, crossed
from protocol.readings.curves import curves, positions
from protocol.records import Tables
from protocol.spec import PAPER_METHODS

WORLDS = ("linear", "network", "llm")
PARTS = {  # colour, hatch, name
    "path": ("#4c78a8", "", "between paths"),
    "path_base": ("#a3c1de", "xx", "between paths, different on each base"),
    "base": ("#c9a66b", "\\\\", "between bases, alike for all paths"),
    "shuffle": ("#e9d8a6", "//", "between seeds, alike for all paths"),
    "rest": ("#e6e6e6", "..", "the rest"),
}
DOT: dict[str, Any] = {"color": "black", "marker": "o", "markersize": 3.5}

Row = tuple[str, str, str]  # world, model, design
Scores = dict[int, np.ndarray]  # forget scores (bases, seeds, paths) by step


def _draw_shares(axes: Axes, scores: Scores) -> None:
    """Stacked areas; a component that this design cannot estimate is NaN and drawn as 0."""
    steps = list(scores)
    shares = [metrics.variance_components(scores[step]).shares for step in steps]
    bottom = np.zeros(len(steps))
    for part, (colour, hatch, _) in PARTS.items():
        top = bottom + np.nan_to_num([getattr(share, part) for share in shares])
        look: dict[str, Any] = {"facecolor": colour, "hatch": hatch, "edgecolor": "white"}
        axes.fill_between(steps, bottom, top, linewidth=0, **look)
        bottom = top


def _draw(axes: Axes, scores: Scores) -> None:
    _draw_shares(axes, scores)
    for step in (step for step in scores if step % 5 == 0):
        effect = common_share(scores[step])
        bar = [[effect.share - effect.low], [effect.high - effect.share]]
        axes.errorbar(step, effect.share, yerr=bar, linewidth=1.0, **DOT)
    axes.set_ylim(0, 1)
    style.step_axis(axes, last_row=False)


def _single_base(tables: Tables) -> Iterator[tuple[tuple[Row, str], Scores]]:
    """Forget scores of the positions experiment, by row and method."""
    records = positions(tables)
    for world, method in itertools.product(WORLDS, PAPER_METHODS):
        unit = "instances" if world == "linear" else "seeds"
        for label in curves(records, world=world, method=method, metric="label_loglik"):
            row = (world, label.model, f"{label.values.shape[0]} {unit}")
            yield (row, method), {step: label.forgotten(step)[None] for step in label.steps if step}


def _several_bases(tables: Tables) -> Iterator[tuple[tuple[Row, str], Scores]]:
    """Forget scores of the experiments bases/BASE, by row and method."""
    for design in crossed(tables):
        bases, seeds, _ = next(iter(design.scores.values())).shape
        row = (design.world, design.model, f"{bases} bases × {seeds} seeds")
        yield (row, design.method), design.scores


def _measured(tables: Tables) -> dict[tuple[Row, str], Scores]:
    """Forget scores of every row and method with at least two seeds."""
    scores = dict(itertools.chain(_single_base(tables), _several_bases(tables)))
    return {key: by_step for key, by_step in scores.items() if _seeds(by_step) > 1}


def _seeds(scores: Scores) -> int:
    return next(iter(scores.values())).shape[1]


def _place(row: Row) -> tuple[int, str, bool]:
    world, model, design = row
    return WORLDS.index(world), model, "bases" in design


def _legend(figure: Figure) -> None:
    patches = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=name)
        for colour, hatch, name in PARTS.values()
    ]
    dot = style.legend_entry("paths, if the seed or base is fixed: exact 95%", **DOT)
    figure.legend(handles=[*patches, dot], loc="outside lower center", ncols=3)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if nothing was run with at least two seeds."""
    measured = _measured(tables)
    if not measured:
        return None
    rows = sorted({row for row, _ in measured}, key=_place)
    columns = [method for method in PAPER_METHODS if any(key[1] == method for key in measured)]
    figure = Figure(figsize=(10, 1.2 + 1.75 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), sharex=True, sharey=True, squeeze=False)
    for cells, row in zip(grid, rows, strict=True):
        for axes, method in zip(cells, columns, strict=True):
            axes.set_visible((row, method) in measured)
            if (row, method) in measured:
                _draw(axes, measured[row, method])
        cells[0].set_ylabel("\n".join(row[1:]))
    for axes, method in zip(grid[0], columns, strict=True):
        axes.set_title(method)
    for axes in grid[-1]:
        axes.set_xlabel("unlearning step")
    style.heading(figure, "Shares of the variance of the forget score")
    _legend(figure)
    return figure


FIGURE = FigureEntry(
    name="path-effect",
    title="How much of the forgetting is due to the order",
    caption=(
        "Variance of the forget score (fall of the label log-likelihood) in the positions "
        "experiment, by unlearning step. It is split into a part between paths, a part between "
        "seeds that is the same for every path, and the rest. All paths of a seed share their "
        "base, shuffles and unlearning rows. In rows of one base the part between paths includes "
        "what the order does to that base alone. Rows of several bases separate the two: language "
        "models are pretrained again, networks get other data and initial parameters. In the "
        "linear model a seed is a random instance, so the part between seeds includes the "
        "difference between problems. Dots: share of the paths in the variance that is left once "
        "the seed is fixed; with several bases, once the base is fixed and seeds are averaged. "
        "Bars: its exact 95% interval for normal values. With 2 or 3 seeds or bases the interval "
        "is wide and says little."
    ),
    alt=(
        "Stacked areas of the shares of variance over unlearning steps, a row per model and "
        "design and a column per method, with the path share and its interval as dots with bars."
    ),
    worlds=WORLDS,
    claims=("L1", "L1b"),
    commands=(
        "retrace theory positions",
        "retrace theory networks --bases 4",
        "retrace llm positions",
        "retrace llm bases",
    ),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
