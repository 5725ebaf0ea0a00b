"""Figure 3: unlearn-label and TOFU log-likelihood along unlearning by NPO (first row) and SimNPO
(second row).

Two columns per model, as published for Llama8B and Qwen14B above and as measured on our models
below. Both quantities are mean token log-probabilities in nats: the label's should fall, the TOFU
answers' should stay.
"""

from matplotlib.figure import Figure

from paper_figs.drawing import panels, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.panels import PUBLISHED, QUANTITIES
from paper_figs.published import numbers
from protocol.readings.curves import Curves, curves, positions
from protocol.records import Tables

METHODS = ("NPO", "SimNPO")


def _measured(tables: Tables) -> dict[tuple[str, str], Curves]:
    """By method, and by model and quantity; the columns of a model stand side by side."""
    records = positions(tables)
    found = [
        (one.model, metric, method, one)
        for metric in QUANTITIES
        for method in METHODS
        for one in curves(records, world="llm", method=method, metric=metric)
    ]
    found.sort(key=lambda one: (METHODS.index(one[2]), one[0]))
    return {(method, f"{model}: {QUANTITIES[metric]}"): one for model, metric, method, one in found}


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where no language model was unlearned by NPO or SimNPO."""
    theirs = {
        (panel.algorithm, f"{panel.model}: {PUBLISHED[panel.quantity]}"): panel
        for panel in numbers.panels(3)
    }
    return panels.compare(3, theirs, _measured(tables))


FIGURE = FigureEntry(
    name="figure3",
    title="Figure 3: label and TOFU log-likelihood under NPO and SimNPO, by path",
    caption=(
        "Log-likelihood of the unlearn label (should fall) and of the TOFU answers, a retained "
        "stage (should stay). "
        "Above: as published for Llama8B and Qwen14B. Below: the same quantities on our models, "
        "mean over seeds with "
        "the band named above the panels. SimNPO has the β of the run's settings: 0.2 in the "
        "embedded preset, 1 in the "
        "presets paper and authors-code."
    ),
    alt=(
        "Line charts over unlearning steps for NPO and SimNPO, label and TOFU log-likelihood "
        "side by side: published "
        "models above, ours below."
    ),
    worlds=("llm",),
    claims=("L3",),
    commands=("retrace llm positions",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
