"""Figure 6: label log-likelihood under NPO at several learning rates of unlearning, by path.

A row per learning rate, the largest first, a column per model: the paper's 1B models at 5e-5, 5e-6
and 1e-6 above, ours at the values of experiment "learning-rates" below.
"""

from matplotlib.figure import Figure

from paper_figs.drawing import published_panels, style
from paper_figs.drawing.curves_by_rate import curves_by_rate
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.published import numbers
from paper_figs.tables.table2 import rate
from protocol.records import Tables


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "learning-rates" was not run."""
    theirs = {
        (f"lr {rate(panel.learning_rate)}", panel.model): panel for panel in numbers.panels(6)
    }
    ours = {
        (f"lr {rate(value)}", label.model): label
        for value, by_model in curves_by_rate(tables, "label_loglik").items()
        for label in by_model
    }
    return published_panels.compare(6, theirs, ours)


FIGURE = FigureEntry(
    name="figure6",
    title="Figure 6: label log-likelihood under NPO at several learning rates, by path",
    caption=(
        "Log-likelihood of the unlearn label under NPO, a row per learning rate of unlearning. "
        "Above: the paper's 1B models; its usual rate is 1e-5. Below: our models at a tenth, half "
        "and five times their usual rate, the same ratios. All rows of a model start from the "
        "same trained models. Each panel has its own scale, because a small rate forgets little."
    ),
    alt=(
        "Line charts of the label log-likelihood over unlearning steps, one line per position of "
        "the forget set, a row per learning rate and a column per model: published models above, "
        "ours below."
    ),
    worlds=("llm",),
    claims=("L5",),
    commands=("retrace llm learning-rates",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
