"""The paths in small networks: label log-likelihood and distance to the retrained model.

Every model has three rows: mean over seeds of the label log-likelihood; RE distance on held-out
prompts of the forget stage; RE distance on those of the retained stages. The distances are drawn as
in drawing/distance_rows.py, with the noise floor of retraining.
"""

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.distance_rows import draw_legend, draw_row
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.path_panels import draw_label
from paper_figs.drawing.paths import seeds_text
from protocol.readings.curves import Curves, curves, positions
from protocol.readings.distances import noise_floor
from protocol.records import Tables
from protocol.spec import PAPER_METHODS

LABEL = "label_loglik"
DISTANCES = {
    "re_distance/forget": "RE distance, forget",
    "re_distance/test": "RE distance, retained",
}

Row = list[Curves | None]  # by method


def _row(records: pl.DataFrame, model: str, metric: str, methods: list[str]) -> Row:
    of_model = records.filter(model=model)
    by_method = [curves(of_model, world="network", method=m, metric=metric) for m in methods]
    return [measured[0] if measured else None for measured in by_method]


def _draw_model(cells: np.ndarray, tables: Tables, model: str, methods: list[str]) -> list[Curves]:
    """Three rows of panels; returns the curves of the first one."""
    records = positions(tables)
    labels = _row(records, model, LABEL, methods)
    for axes, label, method in zip(cells[0], labels, methods, strict=True):
        if label is not None:
            draw_label(axes, label, method)
    cells[0][0].set_ylabel(f"{model}\nlabel log-likelihood")
    for axes, (metric, name) in zip(cells[1:], DISTANCES.items(), strict=True):
        floor = noise_floor(tables, model=model, metric=metric)
        draw_row(axes, _row(records, model, metric, methods), floor)
        axes[0].set_ylabel(f"{model}\n{name}")
    return [label for label in labels if label is not None]


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if no network was run."""
    records = positions(tables).filter(world="network")
    models = records["model"].unique().sort().to_list()
    methods = [method for method in PAPER_METHODS if method in set(records["method"])]
    if not models or not methods:
        return None
    figure = Figure(figsize=(10, 1.2 + 5.4 * len(models)), layout="constrained")
    grid = figure.subplots(3 * len(models), len(methods), sharex=True, squeeze=False)
    labels = []
    for i, model in enumerate(models):
        labels += _draw_model(grid[3 * i : 3 * i + 3], tables, model, methods)
    for axes in grid[-1]:
        axes.set_xlabel("unlearning step")
    style.heading(figure, f"Small networks ({seeds_text(labels)}; distances: geometric mean)")
    draw_legend(figure, labels[0].values.shape[1], True)
    return figure


FIGURE = FigureEntry(
    name="networks",
    title="Small networks: label log-likelihood and distance to the retrained model",
    caption=(
        "The positions experiment of two small networks, an MLP on clusters and a two-layer "
        "transformer on key-value prompts. Both are trained in stages and unlearned by gradient "
        "steps; seeds shuffle the rows. First row of a model: mean log-likelihood of the forget "
        "set's answers. Second and third row: RE distance of probabilities to the retrained model "
        "on held-out prompts of the forget stage and of the retained stages. Grey: within the "
        "noise floor, the largest distance between two retrained models of different seeds. "
        "Dotted: the distance before unlearning."
    ),
    alt=(
        "Line charts over unlearning steps for each model, a line per position of the forget set "
        "and a column per method: label log-likelihood, and distances on forget and retained "
        "prompts on log scales."
    ),
    worlds=("network",),
    claims=("L1", "L2", "L6e", "L3", "E1"),
    commands=("retrace theory networks",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
