"""The linear model's paths: label log-likelihood and distance to the retrained model, by unlearning
method.

Above: mean over instances of log π = −(xθ − y)² on the forget rows; the axis is logarithmic where
ascent ran far. Below: d(θ_u, θ_r) on test inputs, geometric mean, log axis; doing nothing is the
dotted line at the height of step 0.
"""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.paths import draw_paths, geometric_band, mean_band, seeds_text
from protocol.readings.curves import PAPER_METHODS, Curves, curves, positions
from protocol.records import Tables

# nats: ascent grows without bound, and below −STEEP the axis is logarithmic (linear within ±1)
STEEP = 100.0
LABEL, DISTANCE = "label_loglik", "re_distance/test"


def draw_label(axes: Axes, one: Curves, method: str) -> None:
    """Label log-likelihood by path under one method."""
    draw_paths(axes, mean_band(one.values), one.steps)
    if one.values.min() < -STEEP:
        axes.set_yscale("symlog", linthresh=1.0)
    axes.set_title(method)
    style.step_axis(axes, last_row=False)


def draw_distance(axes: Axes, one: Curves) -> None:
    """A distance by path on a log axis, the level of doing nothing dotted."""
    band = geometric_band(one.values)
    axes.set_yscale("log")
    draw_paths(axes, band, one.steps)
    for p, start in enumerate(band.middle[:, 0], start=1):
        axes.axhline(start, color=style.colour(p), linestyle=":", linewidth=1.0)
    style.log_axis(axes)
    style.step_axis(axes)


def _model(tables: Tables, metric: str) -> dict[str, Curves]:
    """The metric's curves by method, of the first linear model there is."""
    records = positions(tables)
    found = {
        method: curves(records, world="linear", method=method, metric=metric)
        for method in PAPER_METHODS
    }
    return {method: measured[0] for method, measured in found.items() if measured}


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where the linear positions experiment was not run."""
    label, distance = _model(tables, LABEL), _model(tables, DISTANCE)
    columns = [method for method in PAPER_METHODS if method in label and method in distance]
    if not columns:
        return None
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    grid = figure.subplots(2, len(columns), sharex=True, squeeze=False)
    for j, method in enumerate(columns):
        draw_label(grid[0, j], label[method], method)
        draw_distance(grid[1, j], distance[method])
    grid[0, 0].set_ylabel("label log-likelihood")
    grid[1, 0].set_ylabel("RE distance, test inputs")
    style.heading(figure, f"Linear model ({seeds_text(label.values(), 'instance')})")
    style.path_legend(figure, label[columns[0]].values.shape[1], (style.nothing_line(),))
    return figure


FIGURE = FigureEntry(
    name="linear",
    title="Linear model: label log-likelihood and distance to the retrained model",
    caption=(
        "The positions experiment of the linear model. Above: label log-likelihood −(xθ − y)² on "
        "the forget rows, "
        "mean over instances with the 95% bootstrap interval. Below: RE distance to the "
        "retrained model on test "
        "inputs, geometric mean, log scale; dotted: before unlearning. Where ascent ran beyond "
        "−100 the upper axis is "
        "logarithmic, too."
    ),
    alt=(
        "Line charts of label log-likelihood and of the distance to the retrained model over "
        "unlearning steps, a line"
        " per position of the forget set, a column per method."
    ),
    worlds=("linear",),
    claims=("L1", "L2", "L6e", "L3", "E1"),
    commands=("retrace theory positions",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
