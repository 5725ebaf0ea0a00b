"""The span barrier: best stopping time of every method by position, and the floor of span methods.

A panel per optimizer; geometric mean over instances with its 95% bootstrap interval. The last two
panels: the share of the displacement that is outside the span at the end of a run, and the smallest
divergence of two paths as a multiple of their floor.
"""

from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
BAR: dict[str, Any] = {"marker": "_", "markersize": 11}
NOTHING: dict[str, Any] = BAR | {"color": "black", "linestyle": ":", "linewidth": 1.0}
SPAN_FLOOR: dict[str, Any] = BAR | {"color": "#444444", "linestyle": "--"}
ROOM = 3.0  # the distance axis ends this factor below the smallest floor that is not 0


def _geometric(values: Float[np.ndarray, " instances"]) -> tuple[float, float, float]:
    """Geometric mean with its 95% interval; of one instance the value alone."""
    logs = np.log(np.maximum(values, 1e-300))
    mean = float(logs.mean())
    low, high = metrics.mean_interval(logs) if logs.size > 1 else (mean, mean)
    return float(np.exp(mean)), float(np.exp(low)), float(np.exp(high))


def _by_position(
    frame: pl.DataFrame, column: str
) -> tuple[list[int], Float[np.ndarray, "positions 3"]]:
    """Positions, and the geometric mean with its interval at each."""
    positions = frame["position"].unique().sort().to_list()
    values = [frame.filter(position=position)[column].to_numpy() for position in positions]
    return positions, np.array([_geometric(instances) for instances in values])


def _draw_series(
    axes: Axes, frame: pl.DataFrame, column: str, look: dict[str, Any], shift: float
) -> None:
    positions, levels = _by_position(frame, column)
    bars = np.abs(levels[:, 1:] - levels[:, :1]).T
    axes.errorbar(np.array(positions) + shift, levels[:, 0], yerr=bars, elinewidth=1.0, **look)


def _with_shifts(runs: pl.DataFrame, width: float) -> list[tuple[float, str]]:
    """The objectives that were run, in the order of LOOKS, each with its shift from the tick."""
    names = [name for name in LOOKS if name in set(runs["objective"])]
    return [(width * (i - (len(names) - 1) / 2), name) for i, name in enumerate(names)]


def _position_axis(axes: Axes, last: int) -> None:
    words: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 8}
    bottom = axes.get_ylim()[0]
    axes.text(last, bottom, "floor 0 ↓", color=SPAN_FLOOR["color"], **words)
    axes.set_xticks(range(1, last + 1), [*map(str, range(1, last)), f"{last} (last)"])
    axes.set_xlim(0.6, last + 0.4)
    axes.set_xlabel("position of the forget set")


def _draw_optimizer(axes: Axes, tables: Tables, optimizer: str) -> None:
    runs, limits = unlearned(tables).filter(optimizer=optimizer), bounds(tables)
    last = int(limits["position"].to_numpy().max())
    earlier = limits.filter(pl.col("position") < last)
    _draw_series(axes, limits, "nothing", NOTHING, 0.0)
    _draw_series(axes, earlier, "floor", SPAN_FLOOR, 0.0)
    for shift, name in _with_shifts(runs, 0.1):
        look = LOOKS[name] | {"linestyle": "none"}
        _draw_series(axes, runs.filter(objective=name), "best", look, shift)
    axes.set_yscale("log")
    floors, starts = _by_position(earlier, "floor")[1], _by_position(limits, "nothing")[1]
    axes.set_ylim(floors[:, 0].min() / ROOM, starts[:, 0].max() * 2)
    axes.set_title(TITLES[optimizer])
    _position_axis(axes, last)


def _draw_outside(axes: Axes, tables: Tables) -> None:
    runs = unlearned(tables)
    for shift, name in _with_shifts(runs, 0.15):
        for place, optimizer in enumerate(TITLES):
            share = runs.filter(objective=name, optimizer=optimizer)["outside"].to_numpy()
            middle = np.median(share)
            bar = [[middle - share.min()], [share.max() - middle]]
            axes.errorbar(place + shift, middle, yerr=bar, elinewidth=1.0, **LOOKS[name])
    axes.set_yscale("log")
    axes.set_xticks(range(len(TITLES)), ["SGD", "momentum", "Adam", "decay"])
    axes.set_ylabel("share (median and range)")
    axes.set_title("squared displacement outside the span")


def _draw_pairs(axes: Axes, tables: Tables) -> None:
    pairs = paired(tables)
    for name, look in LOOKS.items():
        for optimizer, line in (("sgd", "-"), ("momentum", ":")):
            shown = pairs.filter(objective=name, optimizer=optimizer)
            multiples = (shown["closest"] / shown["pair_floor"]).to_numpy()
            if multiples.size:
                axes.ecdf(multiples, color=look["color"], linestyle=line)
    axes.axvline(1.0, color=SPAN_FLOOR["color"], linestyle=SPAN_FLOOR["linestyle"])
    axes.set_xscale("log")
    axes.set_xlabel("smallest d of two paths / their floor")
    axes.set_ylabel("share of pairs ≤ x")
    axes.set_title("pairs of paths (dotted: momentum)")


def _legend(figure: Figure, shown: list[str]) -> None:
    handles = [style.legend_entry("doing nothing", **NOTHING)]
    handles += [
        style.legend_entry(f"{name}, best stopping time", linestyle="none", **LOOKS[name])
        for name in shown
    ]
    handles.append(style.legend_entry("floor of span methods", **SPAN_FLOOR))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "span" was not run."""
    if bounds(tables).is_empty():
        return None
    figure = Figure(figsize=(10, 6.6), layout="constrained")
    (sgd, momentum, outside), (adam, decay, pairs) = figure.subplots(2, 3)
    for axes, optimizer in zip((sgd, momentum, adam, decay), TITLES, strict=True):
        _draw_optimizer(axes, tables, optimizer)
    for axes in (sgd, adam):
        axes.set_ylabel("RE distance, test inputs")
    _draw_outside(outside, tables)
    _draw_pairs(pairs, tables)
    _legend(figure, [name for _, name in _with_shifts(unlearned(tables), 0.0)])
    return figure


FIGURE = FigureEntry(
    name="span",
    title="The span barrier: how near gradients on the forget set come to the retrained model",
    caption=(
        "Linear model. Four panels, one per optimizer: RE distance on test inputs to the model "
        "retrained without the forget set, by position of the forget set. The panels show the "
        "distance before unlearning, the distance at the best stopping time of each method, and "
        "the floor that no span method can pass; geometric mean over instances with its 95% "
        "bootstrap interval. The informed method follows a gradient on the forget set that knows "
        "the retrained model. For p = last the floor is 0 up to rounding; points below the axis "
        "are not drawn. Top right: share of the squared displacement at the end of a run that is "
        "outside the span of the forget gradients. Bottom right, span methods: smallest "
        "divergence of two paths at equal steps as a multiple of the floor of that pair; the "
        "curves of GA, NPO and SimNPO coincide."
    ),
    alt=(
        "Four panels of distances to the retrained model on a log scale by position, one per "
        "optimizer, with the floor dashed; the share of displacement outside the span by "
        "optimizer; cumulative distributions of the smallest divergence of two paths over its "
        "floor."
    ),
    worlds=("linear",),
    claims=("B1", "B2", "B3", "B4"),
    commands=("retrace theory span",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
