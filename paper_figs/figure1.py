"""Figure 1: log-likelihood of the unlearn label along unlearning by gradient ascent, one panel per model.

Above the paper's four models as published (single runs), below ours. Label log-likelihood is the mean token
log-probability of the refusal after each forget question, in nats; lower = more forgotten.
"""

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from paper_figs import published, style
from paper_figs.entry import FigureEntry, main
from paper_figs.paths import Band, draw_paths, limit, mean_band, seeds_text
from protocol.claims.curves import Curves, curves, positions
from protocol.records import Tables

YLABEL = "label log-likelihood (nats)"


def draw_published(axes: Axes, panel: published.Panel, title: str) -> None:
    """One published panel: its curves over unlearning steps, with the band where one was printed."""
    draw_paths(axes, Band(panel.values, panel.low, panel.high))
    axes.set_title(title)
    style.step_axis(axes)


def draw_measured(axes: Axes, one: Curves, title: str) -> None:
    """One panel of ours: mean over seeds by path, with its interval."""
    draw_paths(axes, mean_band(one.values))
    limit(axes, one.values)
    axes.set_title(title)
    style.step_axis(axes)


def _published(figure: SubFigure) -> None:
    panels = published.panels(1)
    row = figure.subplots(1, len(panels))
    for axes, panel in zip(row, panels, strict=True):
        draw_published(axes, panel, panel.model)
    row[0].set_ylabel(YLABEL)
    style.heading(figure, "Published: Figure 1 of arXiv 2510.16629 (single runs)")


def _ours(figure: SubFigure, measured: list[Curves]) -> None:
    row = figure.subplots(1, len(measured), squeeze=False)[0]
    for axes, one in zip(row, measured, strict=True):
        draw_measured(axes, one, one.model)
    row[0].set_ylabel(YLABEL)
    style.heading(figure, f"Ours ({seeds_text(measured)})")


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where no language model was unlearned by gradient ascent."""
    measured = curves(positions(tables), world="llm", method="GA", metric="label_loglik")
    if not measured:
        return None
    figure = Figure(figsize=(10, 5.8), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.15), hspace=0.04, squeeze=False)[:, 0]
    _published(above)
    _ours(below, measured)
    style.path_legend(below, max(one.values.shape[1] for one in measured))
    return figure


FIGURE = FigureEntry(
    name="figure1",
    title="Figure 1: label log-likelihood under gradient ascent, by path",
    caption=(
        "Mean token log-likelihood of the refusal that was trained on the forget set, after each forget question, "
        "along unlearning by gradient ascent. Above: the paper's curves, read from its vector graphics (one run per "
        "model). Below: ours, mean over seeds with the band named above the panels. Each panel has a scale of its "
        "own."
    ),
    alt=(
        "Line charts of the label log-likelihood over unlearning steps, one line per position of the forget set: four"
        " published models above, our models below."
    ),
    worlds=("llm",),
    claims=("L1", "L2"),
    commands=("retrace llm positions",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
