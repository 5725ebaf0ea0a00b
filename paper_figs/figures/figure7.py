"""Figure 7: what is forgotten against what is kept at the highest learning rate of unlearning,
under NPO, by path.

Label log-likelihood at the left (should fall), TOFU log-likelihood at the right (should stay):
above Qwen1B at 5e-5 as published, below ours at the largest value of experiment "learning-rates".
"""

from matplotlib.figure import Figure

from paper_figs.drawing import panels, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.panels import PUBLISHED, QUANTITIES
from paper_figs.figures.figure6 import METHOD, by_rate
from paper_figs.published import numbers
from paper_figs.tables.table2 import rate
from protocol.readings.curves import Curves
from protocol.records import Tables


def _row(model: str, learning_rate: float) -> str:
    return f"{model}: {METHOD}, lr {rate(learning_rate)}"


def _measured(tables: Tables) -> dict[tuple[str, str], Curves]:
    """By model with its rate, and by quantity."""
    found = [
        (_row(one.model, value), QUANTITIES[metric], one)
        for metric in QUANTITIES
        for value, measured in list(by_rate(tables, metric).items())[:1]
        for one in measured
    ]
    return {(row, quantity): one for row, quantity, one in found}


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where experiment "learning-rates" was not run."""
    theirs = {
        (_row(panel.model, panel.learning_rate), PUBLISHED[panel.quantity]): panel
        for panel in numbers.panels(7)
    }
    return panels.compare(7, theirs, _measured(tables))


FIGURE = FigureEntry(
    name="figure7",
    title="Figure 7: forgetting against utility at the highest learning rate, by path",
    caption=(
        "Unlearning by NPO at the highest of the learning rates tried. Left: log-likelihood of "
        "the unlearn label, "
        "which should fall. Right: of the TOFU answers, a retained stage, which should stay. "
        "Above: Qwen1B at 5e-5 as "
        "published (its left panel is also a panel of Figure 6). Below: our models at five times "
        "their usual rate."
    ),
    alt=(
        "Line charts over unlearning steps, one line per position of the forget set: label "
        "log-likelihood at the left,"
        " TOFU log-likelihood at the right; the published Qwen1B above, our models below."
    ),
    worlds=("llm",),
    claims=(),
    commands=("retrace llm learning-rates",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
