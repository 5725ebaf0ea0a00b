"""Figure 3: unlearn-label and TOFU log-likelihood along unlearning by NPO (first row) and SimNPO (second row).

Two columns per model, as published for Llama8B and Qwen14B above and as measured on our models below. Both quantities
are mean token log-probabilities in nats: the label's should fall, the TOFU answers' should stay.
"""

import numpy as np
from matplotlib.figure import Figure, SubFigure

from paper_figs import published, style
from paper_figs.entry import FigureEntry, main
from paper_figs.figure1 import draw_measured, draw_published
from paper_figs.paths import seeds_text
from protocol.claims.curves import Curves, curves, positions
from protocol.records import Tables

METHODS = ("NPO", "SimNPO")
QUANTITIES = {"label_loglik": "unlearn label", "tofu_loglik": "TOFU"}
PUBLISHED_NAMES = {"unlearn_label_loglik": "unlearn label", "tofu_loglik": "TOFU"}

Measured = dict[tuple[str, str, str], Curves]  # by (method, model, metric)


def _measured(tables: Tables) -> Measured:
    records = positions(tables)
    return {
        (method, one.model, metric): one
        for method in METHODS
        for metric in QUANTITIES
        for one in curves(records, world="llm", method=method, metric=metric)
    }


def _published(figure: SubFigure) -> None:
    panels = published.panels(3)
    grid = figure.subplots(len(METHODS), max(panel.col for panel in panels), sharex=True)
    for panel in panels:
        axes = grid[panel.row - 1, panel.col - 1]
        draw_published(axes, panel, f"{panel.model}: {PUBLISHED_NAMES[panel.quantity]}")
        if panel.col == 1:
            axes.set_ylabel(f"{panel.algorithm}\nlog-likelihood (nats)")
    _only_outer_labels(grid)
    style.heading(figure, "Published: Figure 3 of arXiv 2510.16629 (single runs)")


def _ours(figure: SubFigure, measured: Measured) -> None:
    rows = [method for method in METHODS if any(key[0] == method for key in measured)]
    columns = sorted(
        {(model, metric) for _, model, metric in measured}, key=lambda c: (c[0], list(QUANTITIES).index(c[1]))
    )
    grid = figure.subplots(len(rows), len(columns), sharex=True, squeeze=False)
    for i, method in enumerate(rows):
        for j, (model, metric) in enumerate(columns):
            one = measured.get((method, model, metric))
            if one is None:
                grid[i, j].set_visible(False)
                continue
            draw_measured(grid[i, j], one, f"{model}: {QUANTITIES[metric]}")
        grid[i, 0].set_ylabel(f"{method}\nlog-likelihood (nats)")
    _only_outer_labels(grid)
    style.heading(figure, f"Ours ({seeds_text(measured.values())})")


def _only_outer_labels(grid: np.ndarray) -> None:
    for axes in grid[1:].flat:
        axes.set_title("")
    for axes in grid[:-1].flat:
        axes.set_xlabel("")


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where no language model was unlearned by NPO or SimNPO."""
    measured = _measured(tables)
    if not measured:
        return None
    figure = Figure(figsize=(10, 8.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.08), hspace=0.03, squeeze=False)[:, 0]
    _published(above)
    _ours(below, measured)
    style.path_legend(below, max(one.values.shape[1] for one in measured.values()))
    return figure


FIGURE = FigureEntry(
    name="figure3",
    title="Figure 3: label and TOFU log-likelihood under NPO and SimNPO, by path",
    caption=(
        "Log-likelihood of the unlearn label (should fall) and of the TOFU answers, a retained stage (should stay). "
        "Above: as published for Llama8B and Qwen14B. Below: the same quantities on our models, mean over seeds with "
        "the band named above the panels. SimNPO here uses the β that acts on our models (see the settings)."
    ),
    alt=(
        "Line charts over unlearning steps for NPO and SimNPO, label and TOFU log-likelihood side by side: published "
        "models above, ours below."
    ),
    worlds=("llm",),
    claims=("L3",),
    commands=("retrace llm positions",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
