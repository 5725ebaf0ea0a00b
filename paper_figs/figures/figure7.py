"""Figure 7: forgetting and utility at the highest learning rate of unlearning, under NPO, by path.

Label log-likelihood at the left (should fall), TOFU log-likelihood at the right (should stay):
Qwen1B at 5e-5 as published above, ours at the largest value of experiment "learning-rates" below.
"""

from matplotlib.figure import Figure

from paper_figs.drawing import published_panels, style
from paper_figs.drawing.curves_by_rate import METHOD, curves_by_rate
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.published_panels import PUBLISHED, QUANTITIES
from paper_figs.published import numbers
from paper_figs.tables.table2 import rate
from protocol.readings.curves import Curves
from protocol.records import Tables


def _row(model: str, learning_rate: float) -> str:
    return f"{model}: {METHOD}, lr {rate(learning_rate)}"


def _measured(tables: Tables) -> dict[tuple[str, str], Curves]:
    """By model with its largest rate, and by quantity."""
    panels: dict[tuple[str, str], Curves] = {}
    for metric, quantity in QUANTITIES.items():
        by_rate = curves_by_rate(tables, metric)
        if by_rate:
            largest = max(by_rate)
            panels |= {(_row(c.model, largest), quantity): c for c in by_rate[largest]}
    return panels


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "learning-rates" was not run."""
    theirs = {
        (_row(panel.model, panel.learning_rate), PUBLISHED[panel.quantity]): panel
        for panel in numbers.panels(7)
    }
    return published_panels.compare(7, theirs, _measured(tables))


FIGURE = FigureEntry(
    name="figure7",
    title="Figure 7: forgetting against utility at the highest learning rate, by path",
    caption=(
        "Unlearning by NPO at the highest learning rate that was tried. Left: log-likelihood of "
        "the unlearn label, which should fall. Right: log-likelihood of the TOFU answers, a "
        "retained stage, which should stay. Above: Qwen1B at 5e-5 as published; its left panel is "
        "also a panel of Figure 6. Below: our models at five times their usual rate."
    ),
    alt=(
        "Line charts over unlearning steps, one line per position of the forget set: label "
        "log-likelihood at the left, TOFU log-likelihood at the right; the published Qwen1B above, "
        "our models below."
    ),
    worlds=("llm",),
    claims=(),
    commands=("retrace llm learning-rates",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
