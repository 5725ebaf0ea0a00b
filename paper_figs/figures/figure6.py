"""Figure 6: label log-likelihood under NPO at several learning rates of unlearning, by path.

A row per learning rate, the largest first, a column per model: above the paper's 1B models at 5e-5,
5e-6 and 1e-6, below ours at the values of experiment "learning-rates".
"""

from matplotlib.figure import Figure

from paper_figs.drawing import panels, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.published import numbers
from paper_figs.tables.table2 import rate
from protocol.readings.curves import Curves, curves, settings
from protocol.records import Tables

METHOD = "NPO"  # the published one


def by_rate(tables: Tables, metric: str) -> dict[float, list[Curves]]:
    """Learning rate -> the metric's curves of every language model under NPO, the largest rate
    first.
    """
    found = {
        float(value): curves(records, world="llm", method=METHOD, metric=metric)
        for value, records in settings(tables, "learning-rates").items()
    }
    return {value: found[value] for value in sorted(found, reverse=True) if found[value]}


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where experiment "learning-rates" was not run."""
    theirs = {
        (f"lr {rate(panel.learning_rate)}", panel.model): panel for panel in numbers.panels(6)
    }
    ours = {
        (f"lr {rate(value)}", one.model): one
        for value, found in by_rate(tables, "label_loglik").items()
        for one in found
    }
    return panels.compare(6, theirs, ours)


FIGURE = FigureEntry(
    name="figure6",
    title="Figure 6: label log-likelihood under NPO at several learning rates, by path",
    caption=(
        "Log-likelihood of the unlearn label along unlearning by NPO, a row per learning rate of "
        "unlearning. Above: "
        "the paper's 1B models. Below: our models at a tenth, half and five times their usual "
        "rate, as the paper's "
        "stand to its 1e-5. The learning is the same in all rows of a model. Each panel has a "
        "scale of its own: a "
        "small rate forgets little."
    ),
    alt=(
        "Line charts of the label log-likelihood over unlearning steps, one line per position of "
        "the forget set, a row"
        " per learning rate and a column per model: published models above, ours below."
    ),
    worlds=("llm",),
    claims=("L5",),
    commands=("retrace llm learning-rates",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
