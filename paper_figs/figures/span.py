"""The span barrier: best stopping time of every method by position against doing nothing and
against the floor.

A panel per optimizer; geometric mean over instances with its 95% bootstrap interval. Then the share
of the displacement that lies outside the span at the end of a run, and how near two paths come, as
a multiple of their floor.
"""

from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from protocol import metrics
from protocol.readings.span import bounds, paired, unlearned
from protocol.records import Tables

TITLES = {
    "sgd": "SGD (span method)",
    "momentum": "momentum (span method)",
    "adam": "Adam",
    "decay": "weight decay",
}
LOOKS: dict[str, dict[str, Any]] = {
    "GA": {"color": "#0072b2", "marker": "o"},
    "NPO": {"color": "#e69f00", "marker": "s"},
    "SimNPO": {"color": "#009e73", "marker": "^"},
    "informed": {"color": "#cc79a7", "marker": "D"},
}
NOTHING: dict[str, Any] = {
    "color": "black",
    "marker": "_",
    "markersize": 11,
    "linestyle": ":",
    "linewidth": 1.0,
}
FLOOR: dict[str, Any] = {"color": "#444444", "marker": "_", "markersize": 11, "linestyle": "--"}
ROOM = 3.0  # the distance axis ends this factor below the smallest floor that is not 0


def _by_position(
    frame: pl.DataFrame, column: str
) -> tuple[list[int], Float[np.ndarray, "positions 3"]]:
    """Positions, and the geometric mean with its interval at each."""
    found, positions = [], frame["position"].unique().sort().to_list()
    for position in positions:
        logs = np.log(np.maximum(frame.filter(position=position)[column].to_numpy(), 1e-300))
        found.append(
            (logs.mean(), *metrics.mean_interval(logs)) if logs.size > 1 else (logs.mean(),) * 3
        )
    return positions, np.exp(np.array(found))


def _draw_series(
    axes: Axes, frame: pl.DataFrame, column: str, look: dict[str, Any], shift: float
) -> None:
    positions, level = _by_position(frame, column)
    bars = np.abs(level[:, 1:] - level[:, :1]).T
    axes.errorbar(np.array(positions) + shift, level[:, 0], yerr=bars, elinewidth=1.0, **look)


def _side_by_side(runs: pl.DataFrame, width: float) -> list[tuple[float, str]]:
    """What is run, in the order of LOOKS, each with its place around a common one."""
    names = [name for name in LOOKS if name in set(runs["objective"])]
    return [(width * (i - (len(names) - 1) / 2), name) for i, name in enumerate(names)]


def _draw_optimizer(axes: Axes, tables: Tables, optimizer: str) -> None:
    runs, limits = unlearned(tables).filter(optimizer=optimizer), bounds(tables)
    last = int(limits["position"].to_numpy().max())
    earlier = limits.filter(pl.col("position") < last)
    _draw_series(axes, limits, "nothing", NOTHING, 0.0)
    _draw_series(axes, earlier, "floor", FLOOR, 0.0)
    for shift, name in _side_by_side(runs, 0.1):
        _draw_series(
            axes, runs.filter(objective=name), "best", LOOKS[name] | {"linestyle": "none"}, shift
        )
    axes.set_yscale("log")
    lowest, highest = (
        _by_position(*drawn)[1][:, 0] for drawn in ((earlier, "floor"), (limits, "nothing"))
    )
    axes.set_ylim(lowest.min() / ROOM, highest.max() * 2)
    axes.text(
        last,
        axes.get_ylim()[0],
        "floor 0 ↓",
        ha="center",
        va="bottom",
        color=FLOOR["color"],
        fontsize=8,
    )
    axes.set_xticks(range(1, last + 1), [*map(str, range(1, last)), f"{last} (last)"])
    axes.set_xlim(0.6, last + 0.4)
    axes.set_title(TITLES[optimizer])
    axes.set_xlabel("position of the forget set")


def _draw_outside(axes: Axes, tables: Tables) -> None:
    runs = unlearned(tables)
    for shift, name in _side_by_side(runs, 0.15):
        for at, optimizer in enumerate(TITLES):
            share = runs.filter(objective=name, optimizer=optimizer)["outside"].to_numpy()
            low, middle, high = share.min(), np.median(share), share.max()
            axes.errorbar(
                at + shift,
                middle,
                yerr=[[middle - low], [high - middle]],
                elinewidth=1.0,
                **LOOKS[name],
            )
    axes.set_yscale("log")
    axes.set_xticks(range(len(TITLES)), ["SGD", "momentum", "Adam", "decay"])
    axes.set_ylabel("share (median and range)")
    axes.set_title("squared displacement outside the span")


def _draw_pairs(axes: Axes, tables: Tables) -> None:
    pairs = paired(tables)
    for name, look in LOOKS.items():
        for optimizer, line in (("sgd", "-"), ("momentum", ":")):
            chosen = pairs.filter(objective=name, optimizer=optimizer)
            if not chosen.is_empty():
                axes.ecdf(
                    (chosen["closest"] / chosen["pair_floor"]).to_numpy(),
                    color=look["color"],
                    linestyle=line,
                )
    axes.axvline(1.0, color=FLOOR["color"], linestyle=FLOOR["linestyle"])
    axes.set_xscale("log")
    axes.set_xlabel("smallest d of two paths / their floor")
    axes.set_ylabel("share of pairs ≤ x")
    axes.set_title("pairs of paths (dotted: momentum)")


def _legend(figure: Figure, shown: list[str]) -> None:
    handles = [Line2D([], [], label="doing nothing", **NOTHING)]
    handles += [
        Line2D([], [], linestyle="none", label=f"{name}, best stopping time", **LOOKS[name])
        for name in shown
    ]
    handles.append(Line2D([], [], label="floor of span methods", **FLOOR))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where experiment "span" was not run."""
    limits = bounds(tables)
    if limits.is_empty():
        return None
    figure = Figure(figsize=(10, 6.6), layout="constrained")
    grid = figure.subplots(2, 3)
    by_optimizer = (grid[0, 0], grid[0, 1], grid[1, 0], grid[1, 1])
    for axes, optimizer in zip(by_optimizer, TITLES, strict=True):
        _draw_optimizer(axes, tables, optimizer)
    for axes in grid[:, 0]:
        axes.set_ylabel("RE distance, test inputs")
    _draw_outside(grid[0, 2], tables)
    _draw_pairs(grid[1, 2], tables)
    _legend(figure, [name for _, name in _side_by_side(unlearned(tables), 0.0)])
    return figure


FIGURE = FigureEntry(
    name="span",
    title="The span barrier: how near gradients on the forget set come to the retrained model",
    caption=(
        "Linear model. Four panels, one per optimizer: RE distance on test inputs to the model "
        "retrained without the "
        "forget set, by position of the forget set: before unlearning, at the best stopping time "
        "of each method, and "
        "the floor that no span method can pass; geometric mean over instances with its 95% "
        "bootstrap interval. The "
        "informed method follows a gradient on the forget set that knows the retrained model. "
        "For p = last the floor "
        "is 0 up to rounding; points below the axis are not drawn. Top right: share of the "
        "squared displacement at "
        "the end of a run outside the span of the forget gradients. Bottom right, span methods: "
        "smallest divergence "
        "of two paths at equal steps as a multiple of the floor of that pair; GA, NPO and SimNPO "
        "lie on one another."
    ),
    alt=(
        "Four panels of distances to the retrained model on a log scale by position, one per "
        "optimizer, with the "
        "floor dashed; the share of displacement outside the span by optimizer; cumulative "
        "distributions of the "
        "smallest divergence of two paths over its floor."
    ),
    worlds=("linear",),
    claims=("B1", "B2", "B3", "B4"),
    commands=("retrace theory span",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
