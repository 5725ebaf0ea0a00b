"""The wash-out: forget score against how many updates of another stage followed the forget stage.

First panel: the label log-likelihood that unlearning starts from; then a panel per method. Thin
lines are seeds, thick ones their mean with its interval, a colour, marker and line per model. Claim
L6w counts the seeds that rise.
"""

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figs.drawing import claim_text, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.paths import limit, mean_band
from protocol.claims.paper.washout import judge
from protocol.readings.later_stages import name_of, with_updates
from protocol.readings.scores import scored
from protocol.records import Tables

EXPERIMENT = "wash-out"


def _by_updates(
    runs: pl.DataFrame, column: str
) -> tuple[list[str], Float[np.ndarray, "seeds counts"]]:
    """Numbers of updates as they are named, and the column of one model by seed and number."""
    counts = runs["updates"].unique().sort().to_list()
    values = runs.sort("seed", "updates")[column].to_numpy().reshape(-1, len(counts))
    return [name_of(count) for count in counts], values


def _draw(axes: Axes, runs: pl.DataFrame, column: str) -> None:
    """A column of every model's runs against the updates, which stand at equal distances: the last
    is no number.
    """
    for number, (_, model) in enumerate(
        runs.sort("model").group_by("model", maintain_order=True), start=1
    ):
        names, values = _by_updates(model, column)
        places, look = np.arange(len(names)), style.path_look(number)
        axes.plot(places, values.T, color=look["color"], linewidth=0.7, alpha=0.6)
        band = mean_band(values[:, None])
        axes.plot(places, band.middle[0], linewidth=2.0, markersize=5, **look)
        if band.low is not None and band.high is not None:
            axes.fill_between(
                places, band.low[0], band.high[0], color=look["color"], alpha=0.15, linewidth=0
            )
        axes.set_xticks(places, names)
    limit(axes, runs[column].to_numpy())
    axes.set_xlabel("updates of another stage after U")


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None where experiment "wash-out" was not run on language models."""
    found = [
        (m, with_updates(s.runs), s.steps["last"])
        for world, m, s in scored(tables, EXPERIMENT)
        if world == "llm"
    ]
    if not found:
        return None
    verdicts = {claim.method: claim for claim in judge(tables) if claim.world == "llm"}
    figure = Figure(figsize=(10, 0.8 + 2.7 * (len(found) // 2 + 1)), layout="constrained")
    start, *others = figure.subplots(len(found) // 2 + 1, 2).ravel()
    _draw(start, found[0][1], "start")
    start.set_title("before unlearning")
    start.set_ylabel("label log-likelihood (nats)")
    for axes in others[len(found) :]:
        axes.set_visible(False)
    for axes, (method, runs, last) in zip(others, found, strict=False):
        _draw(axes, runs, "last")
        axes.set_title(f"{method}; {claim_text.short(verdicts[method])}")
        axes.set_ylabel(f"forget score, {last} (nats)")
    models = found[0][1]["model"].unique().sort()
    handles = [
        Line2D([], [], linewidth=2.0, label=m, **style.path_look(i))
        for i, m in enumerate(models, start=1)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, handlelength=3.2)
    return figure


FIGURE = FigureEntry(
    name="washout",
    title="Wash-out: updates of another stage after the forget stage",
    caption=(
        "Language models, experiment wash-out. The order that ends with the forget set U, "
        "followed by so many "
        "updates of another stage, up to the whole of it. First panel: label log-likelihood before "
        "unlearning; the others: forget score by the label at the later judged step (20, or the "
        "last of a "
        "shorter run). Thin lines: seeds; thick: their mean, band: 95% t interval, of two seeds "
        "their range. "
        "In the titles L6w: share of seeds, of all models, in which the forget score rises with "
        "the updates "
        "(Kendall's τ > 0), with its exact interval."
    ),
    alt=(
        "Line charts against the number of updates after the forget stage: starting "
        "log-likelihood at the left, then "
        "the forget score for each method, thin lines for seeds and a thick line for each "
        "model's mean."
    ),
    worlds=("llm",),
    claims=("L6w",),
    commands=("retrace llm wash-out",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
