"""Figure 5: label and TOFU log-likelihood by path under GA, NPO and SimNPO, over several seeds with
95% bands.

Above Qwen1B as published, four seeds with the printed bands; below ours: experiment "seeds" where
it was run (the one of most seeds), else the seeds of the positions. Both quantities are mean token
log-probabilities in nats.
"""

import polars as pl
from matplotlib.figure import Figure

from paper_figs.drawing import panels, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.panels import PUBLISHED, QUANTITIES
from paper_figs.published import numbers
from protocol.readings.curves import PAPER_METHODS, Curves, curves, positions, settings
from protocol.records import Tables


def _chosen(tables: Tables) -> tuple[str, pl.DataFrame]:
    """The experiment shown, and its records."""
    by_count = settings(tables, "seeds")
    most = list(by_count)[-1:]
    return (
        (f"experiment seeds/{most[0]}", by_count[most[0]])
        if most
        else ("experiment positions", positions(tables))
    )


def _measured(records: pl.DataFrame) -> dict[tuple[str, str], Curves]:
    """By model and quantity, and by method."""
    found = [
        (one.model, metric, method, one)
        for metric in QUANTITIES
        for method in PAPER_METHODS
        for one in curves(records, world="llm", method=method, metric=metric)
    ]
    found.sort(key=lambda one: (one[0], PAPER_METHODS.index(one[2])))
    return {(f"{model}: {QUANTITIES[metric]}", method): one for model, metric, method, one in found}


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where no language model was unlearned."""
    theirs = {
        (f"{panel.model}: {PUBLISHED[panel.quantity]}", panel.algorithm): panel
        for panel in numbers.panels(5)
    }
    experiment, records = _chosen(tables)
    return panels.compare(
        5,
        theirs,
        _measured(records),
        runs="mean of 4 seeds; band: 95% interval",
        experiment=experiment,
    )


FIGURE = FigureEntry(
    name="figure5",
    title="Figure 5: label and TOFU log-likelihood over seeds, by path",
    caption=(
        "Log-likelihood of the unlearn label and of the TOFU answers along unlearning by three "
        "methods. Above: Qwen1B "
        "as published, mean of four seeds and their 95% band; at step 0 its TOFU curves have "
        "(nearly) no spread, so "
        "the seeds seem to share the fine-tuned model. Below: our models, which share the "
        "pretrained base and learn "
        "every stage anew with each seed; mean with the band named above the panels. Each panel "
        "has a scale of its "
        "own."
    ),
    alt=(
        "Line charts over unlearning steps with bands over seeds, a column per method, rows "
        "unlearn label and TOFU: "
        "the published Qwen1B above, our models below."
    ),
    worlds=("llm",),
    claims=("L1",),
    commands=("retrace llm seeds", "retrace llm positions"),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
