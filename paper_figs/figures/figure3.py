"""Figure 3: label and TOFU log-likelihood under NPO (first row) and SimNPO (second row).

Two columns per model: Llama8B and Qwen14B as published above, our models below. Both quantities are
mean token log-probabilities in nats: the label's should fall, the TOFU answers' should stay.
"""

from matplotlib.figure import Figure

from paper_figs.drawing import published_panels, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.published_panels import PUBLISHED, QUANTITIES
from paper_figs.published import numbers
from protocol.readings.curves import Curves, positions
from protocol.records import Tables

METHODS = ("NPO", "SimNPO")


def _measured(tables: Tables) -> dict[tuple[str, str], Curves]:
    """By method, and by model and quantity; the columns of a model are neighbours."""
    panels = published_panels.measured(positions(tables), QUANTITIES, METHODS)
    panels.sort(key=lambda panel: (METHODS.index(panel.method), panel.model))
    return {(panel.method, f"{panel.model}: {panel.quantity}"): panel.curves for panel in panels}


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if no language model was unlearned by NPO or SimNPO."""
    theirs = {
        (panel.algorithm, f"{panel.model}: {PUBLISHED[panel.quantity]}"): panel
        for panel in numbers.panels(3)
    }
    return published_panels.compare(3, theirs, _measured(tables))


FIGURE = FigureEntry(
    name="figure3",
    title="Figure 3: label and TOFU log-likelihood under NPO and SimNPO, by path",
    caption=(
        "Unlearning should lower the log-likelihood of the unlearn label. It should keep that of "
        "the TOFU answers, which belong to a retained stage. Above: Llama8B and Qwen14B as "
        "published. Below: the same quantities on our models; curves are means over seeds, and the "
        "heading names the band. SimNPO has the β of the run's settings: 0.2 in the embedded "
        "preset, 1 in the presets paper and authors-code."
    ),
    alt=(
        "Line charts over unlearning steps for NPO and SimNPO, with label and TOFU log-likelihood "
        "in neighbouring columns: published models above, ours below."
    ),
    worlds=("llm",),
    claims=("L3",),
    commands=("retrace llm positions",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
