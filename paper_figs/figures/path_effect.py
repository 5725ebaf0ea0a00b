"""How much of what is forgotten is due to the order: variance of the forget score between paths, by
unlearning step.

A row a model and design, a column a method: the positions on one base, then experiments bases/BASE.
Shares of variance components (metrics.variance_components): between paths; what a base does to one
path alone; between bases and between shuffle seeds, the same for every path; and the rest. Dots
with bars: the share of paths once the seed (or, of several bases, the base) is fixed, with its
exact 95% interval, at every fifth step.
"""

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from protocol import metrics
from protocol.readings.bases import common_share, crossed
from protocol.readings.curves import PAPER_METHODS, curves, positions
from protocol.records import Tables

WORLDS = ("linear", "network", "llm")
PARTS = {  # colour, hatch
    "path": ("#4c78a8", ""),
    "path_base": ("#a3c1de", "xx"),
    "base": ("#c9a66b", "\\\\"),
    "shuffle": ("#e9d8a6", "//"),
    "rest": ("#e6e6e6", ".."),
}
NAMES = {
    "path": "between paths",
    "path_base": "between paths, each base its own",
    "base": "between bases, alike for all paths",
    "shuffle": "between seeds, alike for all paths",
    "rest": "the rest",
}
Row = tuple[str, str, str]  # world, model, design


def _draw(axes: Axes, scores: dict[int, np.ndarray]) -> None:
    steps = list(scores)
    shares = [metrics.variance_components(scores[step]).shares for step in steps]
    bottom = np.zeros(len(steps))
    for part, (colour, hatch) in PARTS.items():
        height = np.nan_to_num(
            [getattr(share, part) for share in shares]
        )  # nan: this design cannot tell it
        axes.fill_between(
            steps,
            bottom,
            bottom + height,
            facecolor=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
        )
        bottom = bottom + height
    for step in (step for step in steps if step % 5 == 0):
        effect = common_share(scores[step])
        bar = [[effect.share - effect.low], [effect.high - effect.share]]
        axes.errorbar(
            step, effect.share, yerr=bar, color="black", marker="o", markersize=3.5, linewidth=1.0
        )
    axes.set_ylim(0, 1)
    style.step_axis(axes, last_row=False)


def _measured(tables: Tables) -> dict[tuple[Row, str], dict[int, np.ndarray]]:
    """Forget scores (bases, seeds, paths) by step, of every row and method."""
    found: dict[tuple[Row, str], dict[int, np.ndarray]] = {}
    records = positions(tables)
    for world, method in itertools.product(WORLDS, PAPER_METHODS):
        for one in curves(records, world=world, method=method, metric="label_loglik"):
            design = f"{one.values.shape[0]} {'instances' if world == 'linear' else 'seeds'}"
            scores = {step: one.forgotten(step)[None] for step in one.steps if step}
            found[(world, one.model, design), method] = scores
    for several in crossed(tables):
        bases, seeds, _ = next(iter(several.scores.values())).shape
        found[(several.world, several.model, f"{bases} bases × {seeds} seeds"), several.method] = (
            several.scores
        )
    return {
        key: scores for key, scores in found.items() if next(iter(scores.values())).shape[1] > 1
    }


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where nothing was run with at least two seeds."""
    measured = _measured(tables)
    if not measured:
        return None
    rows = sorted(
        {row for row, _ in measured},
        key=lambda row: (WORLDS.index(row[0]), row[1], "bases" in row[2]),
    )
    columns = [method for method in PAPER_METHODS if any(of == method for _, of in measured)]
    figure = Figure(figsize=(10, 1.2 + 1.75 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), sharex=True, sharey=True, squeeze=False)
    for cells, row in zip(grid, rows, strict=True):
        for axes, method in zip(cells, columns, strict=True):
            if (row, method) in measured:
                _draw(axes, measured[row, method])
            else:
                axes.set_visible(False)
        cells[0].set_ylabel("\n".join(row[1:]))
    for axes, method in zip(grid[0], columns, strict=True):
        axes.set_title(method)
    for axes in grid[-1]:
        axes.set_xlabel("unlearning step")
    style.heading(figure, "Shares of the variance of the forget score")
    patches = [
        Patch(facecolor=c, hatch=h, edgecolor="white", label=NAMES[part])
        for part, (c, h) in PARTS.items()
    ]
    dot = Line2D(
        [],
        [],
        color="black",
        marker="o",
        markersize=3.5,
        label="paths, the seed or base being fixed: exact 95%",
    )
    figure.legend(handles=[*patches, dot], loc="outside lower center", ncols=4)
    return figure


FIGURE = FigureEntry(
    name="path-effect",
    title="How much of the forgetting is due to the order",
    caption=(
        "Variance of the forget score (fall of the label log-likelihood) in the positions "
        "experiment, by unlearning "
        "step, split into a part between paths, a part between seeds that is the same for every "
        "path, and the rest. "
        "All paths of a seed share their base, shuffles and unlearning rows. In rows of one base "
        "the part of the paths "
        "holds what the order does to that base alone; rows of several bases (pretrained anew; "
        "in the networks: other "
        "data and initial parameters) tell the two apart. In the linear model a seed is a random "
        "instance of its own, "
        "so that its part holds the difference between problems, too. Dots: share of the paths "
        "in what is left once "
        "the seed is fixed, of several bases once the base is fixed and seeds are averaged, with "
        "its exact 95% "
        "interval for normal values; with 2 or 3 seeds or bases it says little."
    ),
    alt=(
        "Stacked areas of the shares of variance over unlearning steps, a row per model and "
        "design and a "
        "column per method, with the path share and its interval as dots with bars."
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
