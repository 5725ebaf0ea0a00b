"""Figure 1: log-likelihood of the unlearn label under gradient ascent, one panel per model.

Above the paper's four models as published (single runs), below ours. Label log-likelihood is the
mean token log-probability of the refusal after each forget question, in nats; lower = more
forgotten.
"""

from matplotlib.figure import Figure

from paper_figs.drawing import published_panels, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.published import numbers
from protocol.readings.curves import curves, positions
from protocol.records import Tables


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if no language model was unlearned by gradient ascent."""
    theirs = {("label", panel.model): panel for panel in numbers.panels(1)}
    measured = curves(positions(tables), world="llm", method="GA", metric="label_loglik")
    ours = {("label", by_path.model): by_path for by_path in measured}
    return published_panels.compare(1, theirs, ours)


FIGURE = FigureEntry(
    name="figure1",
    title="Figure 1: label log-likelihood under gradient ascent, by path",
    caption=(
        "The forget stage teaches a refusal after each forget question. Each curve is the mean "
        "token log-likelihood of that refusal while the model is unlearned by gradient ascent. "
        "Above: the paper's curves, read from its vector graphics; each model was run once. "
        "Below: our models; curves are means over seeds, and the heading names the band. "
        "Each panel has its own scale."
    ),
    alt=(
        "Line charts of the label log-likelihood over unlearning steps, one line per position of "
        "the forget set: four published models above, our models below."
    ),
    worlds=("llm",),
    claims=("L1", "L2", "L6e"),
    commands=("retrace llm positions",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
