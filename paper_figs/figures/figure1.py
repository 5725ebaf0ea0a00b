"""Figure 1: log-likelihood of the unlearn label along unlearning by gradient ascent, one panel per
model.

Above the paper's four models as published (single runs), below ours. Label log-likelihood is the
mean token log-probability of the refusal after each forget question, in nats; lower = more
forgotten.
"""

from matplotlib.figure import Figure

from paper_figs.drawing import panels, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.published import numbers
from protocol.readings.curves import curves, positions
from protocol.records import Tables


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where no language model was unlearned by gradient ascent."""
    theirs = {("label", panel.model): panel for panel in numbers.panels(1)}
    measured = curves(positions(tables), world="llm", method="GA", metric="label_loglik")
    return panels.compare(1, theirs, {("label", one.model): one for one in measured})


FIGURE = FigureEntry(
    name="figure1",
    title="Figure 1: label log-likelihood under gradient ascent, by path",
    caption=(
        "Mean token log-likelihood of the refusal that was trained on the forget set, after each "
        "forget question, "
        "along unlearning by gradient ascent. Above: the paper's curves, read from its vector "
        "graphics (one run per "
        "model). Below: ours, mean over seeds with the band named above the panels. Each panel "
        "has a scale of its "
        "own."
    ),
    alt=(
        "Line charts of the label log-likelihood over unlearning steps, one line per position of "
        "the forget set: four"
        " published models above, our models below."
    ),
    worlds=("llm",),
    claims=("L1", "L2", "L6e"),
    commands=("retrace llm positions",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
