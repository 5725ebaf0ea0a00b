"""The wash-out: forget score by the number of updates of another stage after the forget stage.

First panel: the label log-likelihood before unlearning; then a panel per method. Thin lines are
seeds, thick lines their mean with its interval; each model has a colour, marker and line. Claim L6w
counts the seeds that rise.
"""

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawing import claim_text, style
from paper_figs.drawing.entry import FigureEntry, main
from paper_figs.drawing.paths import draw_band, limit, mean_band
from protocol.claims.paper.washout import judge
from protocol.readings.later_stages import name_of, with_updates
from protocol.readings.scores import scored
from protocol.records import Tables

EXPERIMENT = "wash-out"


def _by_updates(
    runs: pl.DataFrame, column: str
) -> tuple[list[str], Float[np.ndarray, "seeds counts"]]:
    """Names of the numbers of updates, and the column of one model by seed and number."""
    counts = runs["updates"].unique().sort().to_list()
    values = runs.sort("seed", "updates")[column].to_numpy().reshape(-1, len(counts))
    return [name_of(count) for count in counts], values


def _draw(axes: Axes, runs: pl.DataFrame, column: str) -> None:
    """A column of every model's runs by updates, at equal distances as the last is no number."""
    by_model = runs.sort("model").group_by("model", maintain_order=True)
    for number, (_, of_model) in enumerate(by_model, start=1):
        names, values = _by_updates(of_model, column)
        places, look = np.arange(len(names)), style.path_look(number)
        axes.plot(places, values.T, color=look["color"], linewidth=0.7, alpha=0.6)
        draw_band(axes, places, mean_band(values[:, None]), linewidth=2.0, markersize=5, **look)
        axes.set_xticks(places, names)
    limit(axes, runs[column].to_numpy())
    axes.set_xlabel("updates of another stage after U")


def _legend(figure: Figure, models: list[str]) -> None:
    handles = [
        style.legend_entry(model, linewidth=2.0, **style.path_look(number))
        for number, model in enumerate(models, start=1)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, handlelength=3.2)


@style.styled
def draw(tables: Tables) -> Figure | None:
    """The figure, or None if experiment "wash-out" was not run on language models."""
    by_method = {
        method: (with_updates(scores.runs), scores.steps["last"])
        for world, method, scores in scored(tables, EXPERIMENT)
        if world == "llm"
    }
    if not by_method:
        return None
    verdicts = {claim.method: claim for claim in judge(tables) if claim.world == "llm"}
    rows = len(by_method) // 2 + 1
    figure = Figure(figsize=(10, 0.8 + 2.7 * rows), layout="constrained")
    start, *others = figure.subplots(rows, 2).ravel()
    first_runs = next(iter(by_method.values()))[0]
    _draw(start, first_runs, "start")
    start.set_title("before unlearning")
    start.set_ylabel("label log-likelihood (nats)")
    for axes in others[len(by_method) :]:
        axes.set_visible(False)
    for axes, (method, (runs, last)) in zip(others, by_method.items(), strict=False):
        _draw(axes, runs, "last")
        axes.set_title(f"{method}; {claim_text.short(verdicts[method])}")
        axes.set_ylabel(f"forget score, {last} (nats)")
    _legend(figure, first_runs["model"].unique().sort().to_list())
    return figure


FIGURE = FigureEntry(
    name="washout",
    title="Wash-out: updates of another stage after the forget stage",
    caption=(
        "Language models, experiment wash-out. Models learn in the order that ends with the "
        "forget set U, then take a number of updates of another stage, up to the whole stage. "
        "First panel: label log-likelihood before unlearning. Other panels: forget score by the "
        "label at the later judged step (20, or the last step of a shorter run). Thin lines: "
        "seeds. Thick lines: their mean with a 95% t interval (of two seeds their range). The "
        "titles give L6w: the share of seeds, of all models, in which the forget score rises with "
        "the updates (Kendall's τ > 0), with its exact interval."
    ),
    alt=(
        "Line charts against the number of updates after the forget stage: starting "
        "log-likelihood at the left, then the forget score for each method, thin lines for seeds "
        "and a thick line for each model's mean."
    ),
    worlds=("llm",),
    claims=("L6w",),
    commands=("retrace llm wash-out",),
    draw=draw,
)

if __name__ == "__main__":
    main(FIGURE)
