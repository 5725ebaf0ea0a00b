"""How much of what is forgotten is due to the order: variance of the forget score between paths, by unlearning step.

A row a model, a column a method. Shares of variance components (metrics.variance_components): between paths, between
shuffle seeds (the same for every path), and the rest, which is what a shuffle does to one path alone. Dots with bars:
the share of paths once the seed is fixed, path/(path + rest), with its exact 95% interval, at every fifth step.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from paper_figs import style
from paper_figs.entry import FigureEntry, main
from protocol import metrics
from protocol.claims.curves import PAPER_METHODS, Curves, curves, positions
from protocol.records import Tables

WORLDS = ("linear", "network", "llm")
PARTS = {"path": ("#4c78a8", ""), "shuffle": ("#e9d8a6", "//"), "rest": ("#e6e6e6", "..")}  # colour, hatch
NAMES = {"path": "between paths", "shuffle": "between seeds, alike for all paths", "rest": "the rest"}


def _draw(axes: Axes, one: Curves) -> None:
    steps = [step for step in one.steps if step > 0]
    scores = {step: one.forgotten(step) for step in steps}
    shares = [metrics.variance_components(scores[step][None]).shares for step in steps]
    bottom = np.zeros(len(steps))
    for part, (colour, hatch) in PARTS.items():
        height = np.array([getattr(share, part) for share in shares])
        axes.fill_between(steps, bottom, bottom + height, facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0)
        bottom = bottom + height
    for step in (step for step in steps if step % 5 == 0):
        effect = metrics.path_effect(scores[step])
        bar = [[effect.share - effect.low], [effect.high - effect.share]]
        axes.errorbar(step, effect.share, yerr=bar, color="black", marker="o", markersize=3.5, linewidth=1.0)
    axes.set_ylim(0, 1)
    style.step_axis(axes, last_row=False)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where no positions were run with at least two seeds."""
    records = positions(tables)
    measured = {
        (world, one.model, method): one
        for world in WORLDS
        for method in PAPER_METHODS
        for one in curves(records, world=world, method=method, metric="label_loglik")
        if one.values.shape[0] > 1
    }
    if not measured:
        return None
    rows = list(dict.fromkeys((world, model) for world, model, _ in measured))
    columns = [method for method in PAPER_METHODS if any(key[2] == method for key in measured)]
    figure = Figure(figsize=(10, 1.2 + 1.75 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), sharex="row", sharey=True, squeeze=False)
    for cells, (world, model) in zip(grid, rows, strict=True):
        for axes, method in zip(cells, columns, strict=True):
            one = measured.get((world, model, method))
            if one is None:
                axes.set_visible(False)
            else:
                _draw(axes, one)
        seeds = max(m.values.shape[0] for (w, name, _), m in measured.items() if (w, name) == (world, model))
        cells[0].set_ylabel(f"{model}\n{seeds} {'instances' if world == 'linear' else 'seeds'}")
    for axes, method in zip(grid[0], columns, strict=True):
        axes.set_title(method)
    for axes in grid[-1]:
        axes.set_xlabel("unlearning step")
    style.heading(figure, "Shares of the variance of the forget score")
    patches = [Patch(facecolor=c, hatch=h, edgecolor="white", label=NAMES[part]) for part, (c, h) in PARTS.items()]
    dot = Line2D([], [], color="black", marker="o", markersize=3.5, label="paths, the seed being fixed: exact 95%")
    figure.legend(handles=[*patches, dot], loc="outside lower center", ncols=4)
    return figure


FIGURE = FigureEntry(
    name="path-effect",
    title="How much of the forgetting is due to the order",
    caption=(
        "Variance of the forget score (fall of the label log-likelihood) in the positions experiment, by unlearning "
        "step, split into a part between paths, a part between seeds that is the same for every path, and the rest. "
        "All paths of a seed share their base, shuffles and unlearning rows; all seeds of a model share one base, so "
        "that the part of the paths holds what the order does to that base. In the linear model a seed is a random "
        "instance of its own, so that its part holds the difference between problems, too. Dots: share of the paths "
        "in what is left once the seed is fixed, with its exact 95% interval for normal values; with 2 or 3 seeds it "
        "says little."
    ),
    alt=(
        "Stacked areas of three shares of variance over unlearning steps, a row per model of every world and a column "
        "per method, with the path share and its interval as dots with bars."
    ),
    worlds=WORLDS,
    claims=("L1",),
    commands=("retrace theory positions", "retrace theory networks", "retrace llm positions"),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
