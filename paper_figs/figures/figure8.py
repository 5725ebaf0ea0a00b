"""Figure 8: label log-likelihood under several learning-rate schedules, by method and path.

A row per method, a column per model and schedule: Qwen1B under WSD and cosine as published above,
ours under the values of experiment "schedules" below.
"""

from matplotlib.figure import Figure

from paper_figs.drawing import published_panels, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.published_panels import Measured
from paper_figs.published import numbers
from protocol.readings.curves import Curves, settings
from protocol.records import Tables
from protocol.spec import PAPER_METHODS

NAMES = {"wsd": "WSD"}  # as the paper writes it
FIRST = ("WSD", "cosine")  # the paper's schedules, in its order


def _place(schedule: str, panel: Measured) -> tuple[int, str, int, str]:
    rank = FIRST.index(schedule) if schedule in FIRST else len(FIRST)
    return PAPER_METHODS.index(panel.method), panel.model, rank, schedule


def _measured(tables: Tables) -> dict[tuple[str, str], Curves]:
    """By method, and by model and schedule; the paper's schedules first."""
    panels = [
        (NAMES.get(schedule, schedule), panel)
        for schedule, records in settings(tables, "schedules").items()
        for panel in published_panels.measured(records, ["label_loglik"], PAPER_METHODS)
    ]
    panels.sort(key=lambda pair: _place(*pair))
    return {
        (panel.method, f"{panel.model},\n{schedule}"): panel.curves for schedule, panel in panels
    }


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "schedules" was not run."""
    theirs = {
        (panel.algorithm, f"{panel.model},\n{panel.scheduler}"): panel
        for panel in numbers.panels(8)
    }
    return published_panels.compare(8, theirs, _measured(tables))


FIGURE = FigureEntry(
    name="figure8",
    title="Figure 8: label log-likelihood under several learning-rate schedules, by path",
    caption=(
        "Log-likelihood of the unlearn label under three methods and several schedules of the "
        "learning rate. Above: Qwen1B as published. Its panel of NPO under WSD repeats the panel "
        "of SimNPO under WSD point for point and does not fit the NPO row of Table 1, so the panel "
        "is no evidence on NPO. Below: our models. In both groups the schedules of a row start "
        "from the same trained models; only the unlearning differs. Each panel has its own scale."
    ),
    alt=(
        "Line charts of the label log-likelihood over unlearning steps, one line per position of "
        "the forget set, a row per method and a column per model and schedule: the published "
        "Qwen1B above, our models below."
    ),
    worlds=("llm",),
    claims=("L5",),
    commands=("retrace llm schedules",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
