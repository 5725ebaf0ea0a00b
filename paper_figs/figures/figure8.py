"""Figure 8: label log-likelihood under two schedules of the learning rate of unlearning, by method
and path.

A row per method, a column per model and schedule: above Qwen1B under WSD and cosine as published,
below ours under the values of experiment "schedules".
"""

from matplotlib.figure import Figure

from paper_figs.drawing import panels, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.published import numbers
from protocol.readings.curves import PAPER_METHODS, Curves, curves, settings
from protocol.records import Tables

NAMES = {"wsd": "WSD"}  # as the paper writes it


def _measured(tables: Tables) -> dict[tuple[str, str], Curves]:
    """By method, and by model and schedule; the paper's first, in its order."""
    found = [
        (method, one.model, NAMES.get(value, value), one)
        for value, records in settings(tables, "schedules").items()
        for method in PAPER_METHODS
        for one in curves(records, world="llm", method=method, metric="label_loglik")
    ]
    found.sort(
        key=lambda one: (
            PAPER_METHODS.index(one[0]),
            one[1],
            one[2] != "WSD",
            one[2] != "cosine",
            one[2],
        )
    )
    return {(method, f"{model},\n{schedule}"): one for method, model, schedule, one in found}


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where experiment "schedules" was not run."""
    theirs = {
        (panel.algorithm, f"{panel.model},\n{panel.scheduler}"): panel
        for panel in numbers.panels(8)
    }
    return panels.compare(8, theirs, _measured(tables))


FIGURE = FigureEntry(
    name="figure8",
    title="Figure 8: label log-likelihood under several learning-rate schedules, by path",
    caption=(
        "Log-likelihood of the unlearn label along unlearning by three methods under several "
        "schedules of the learning"
        " rate. Above: Qwen1B as published; its panel NPO under WSD repeats the panel SimNPO "
        "under WSD point for "
        "point and does not fit Table 1's NPO row, so it is no evidence on NPO. Below: our "
        "models. Published and ours"
        " alike, the schedules of a row start from the same models: only the unlearning differs. "
        "Each panel has a "
        "scale of its own."
    ),
    alt=(
        "Line charts of the label log-likelihood over unlearning steps, one line per position of "
        "the forget set, a row"
        " per method and a column per model and schedule: the published Qwen1B above, our models "
        "below."
    ),
    worlds=("llm",),
    claims=("L5",),
    commands=("retrace llm schedules",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
