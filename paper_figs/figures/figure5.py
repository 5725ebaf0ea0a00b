"""Figure 5: label and TOFU log-likelihood by path under GA, NPO and SimNPO, over several seeds.

Above Qwen1B as published, four seeds with the printed 95% bands. Below ours: the setting of
experiment "seeds" with the most seeds if the experiment was run, else the positions. Both
quantities are mean token log-probabilities in nats.
"""

import polars as pl
from matplotlib.figure import Figure

from paper_figs.drawing import published_panels, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.published_panels import PUBLISHED, QUANTITIES
from paper_figs.published import numbers
from protocol.readings.curves import Curves, positions, settings
from protocol.records import Tables
from protocol.spec import PAPER_METHODS


def _most_seeds(tables: Tables) -> tuple[str, pl.DataFrame]:
    """The experiment shown, and its records."""
    by_count = settings(tables, "seeds")
    if not by_count:
        return "experiment positions", positions(tables)
    most = list(by_count)[-1]
    return f"experiment seeds/{most}", by_count[most]


def _measured(records: pl.DataFrame) -> dict[tuple[str, str], Curves]:
    """By model and quantity, and by method."""
    panels = published_panels.measured(records, QUANTITIES, PAPER_METHODS)
    panels.sort(key=lambda panel: (panel.model, PAPER_METHODS.index(panel.method)))
    return {(f"{panel.model}: {panel.quantity}", panel.method): panel.curves for panel in panels}


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if no language model was unlearned."""
    theirs = {
        (f"{panel.model}: {PUBLISHED[panel.quantity]}", panel.algorithm): panel
        for panel in numbers.panels(5)
    }
    experiment, records = _most_seeds(tables)
    runs = "mean of 4 seeds; band: 95% interval"
    ours = _measured(records)
    return published_panels.compare(5, theirs, ours, runs=runs, experiment=experiment)


FIGURE = FigureEntry(
    name="figure5",
    title="Figure 5: label and TOFU log-likelihood over seeds, by path",
    caption=(
        "Log-likelihood of the unlearn label and of the TOFU answers while models are unlearned "
        "by three methods. Above: Qwen1B as published, mean of four seeds with their 95% band. At "
        "step 0 its TOFU curves have nearly no spread, so the seeds seem to share the fine-tuned "
        "model. Below: our models. Their seeds share the pretrained base and repeat every stage; "
        "the heading names the band. Each panel has its own scale."
    ),
    alt=(
        "Line charts over unlearning steps with bands over seeds, a column per method, rows "
        "unlearn label and TOFU: the published Qwen1B above, our models below."
    ),
    worlds=("llm",),
    claims=("L1",),
    commands=("retrace llm seeds", "retrace llm positions"),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
