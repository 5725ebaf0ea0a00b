"""The linear model's paths: label log-likelihood and distance to the retrained model, by method.

Above: mean over instances of log π = −(xθ − y)² on the forget rows; the axis is logarithmic if
ascent ran far. Below: d(θ_u, θ_r) on test inputs, geometric mean, log axis; the dotted line is the
distance at step 0.
"""

from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.path_panels import draw_distance, draw_label
from paper_figs.drawing.paths import seeds_text
from protocol.readings.curves import Curves, curves, positions
from protocol.records import Tables
from protocol.spec import PAPER_METHODS

LABEL, DISTANCE = "label_loglik", "re_distance/test"


def _first_model(tables: Tables, metric: str) -> dict[str, Curves]:
    """The metric's curves by method, of the first linear model in the records."""
    records = positions(tables)
    by_method = {
        method: curves(records, world="linear", method=method, metric=metric)
        for method in PAPER_METHODS
    }
    return {method: models[0] for method, models in by_method.items() if models}


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if the linear positions experiment was not run."""
    label, distance = _first_model(tables, LABEL), _first_model(tables, DISTANCE)
    columns = [method for method in PAPER_METHODS if method in label and method in distance]
    if not columns:
        return None
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    grid = figure.subplots(2, len(columns), sharex=True, squeeze=False)
    for (above, below), method in zip(grid.T, columns, strict=True):
        draw_label(above, label[method], method)
        draw_distance(below, distance[method])
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
        "the forget rows, mean over instances with the 95% bootstrap interval. Below: RE distance "
        "to the retrained model on test inputs, geometric mean on a log scale; dotted: the "
        "distance before unlearning. The upper axis is logarithmic, too, if ascent ran beyond −100."
    ),
    alt=(
        "Line charts of label log-likelihood and of the distance to the retrained model over "
        "unlearning steps, a line per position of the forget set, a column per method."
    ),
    worlds=("linear",),
    claims=("L1", "L2", "L6e", "L3", "E1"),
    commands=("retrace theory positions",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
