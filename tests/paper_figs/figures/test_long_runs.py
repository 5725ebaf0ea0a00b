"""Figures of runs of more than 20 steps, alone and beside tiny models: captions and labels say what
is drawn.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest
from matplotlib.figure import Figure

from paper_figs.figures import dose, gradient, orders, overview, washout
from paper_figs.figures.registry import FIGURES
from protocol import records

LAST = "inst>tofu>safety"
ORDERS = {
    "dose": [f"{LAST}@4", f"{LAST}@8", LAST, "safety>inst>tofu", "inst>safety>tofu"],
    "orders": list(map(">".join, itertools.permutations(("inst", "tofu", "safety")))),
    "wash-out": [LAST, f"{LAST}>math@5", f"{LAST}>math"],
}
FIGURE = {"dose": dose, "orders": orders, "wash-out": washout}
JUDGED = "at the later judged step (20, or the last step of a shorter run)"


def runs(experiment: str, model: str, last: int) -> list[records.Tables]:
    """The label falls by 1 nat a step under the first order, 2 under the second …; by 1000 more
    after step 20.
    """
    found = []
    for seed, (place, order) in itertools.product((0, 1), enumerate(ORDERS[experiment], start=1)):
        position = order.split("safety")[0].count(">") + 1
        run = records.Run(
            f"{model}{seed}{order}", "s", experiment, "llm", model, order, position, "r", "GA", seed
        )
        values = [
            (t, "label_loglik", -place - place * t - 1000.0 * (t > 20))
            for t in (0, 5, 10, 20, 35)
            if t <= last
        ]
        found.append(records.tables(run, values))
    return found


def drawn(module, *parts: list[records.Tables]) -> Figure:
    figure = module.draw(records.Tables.concat(table for part in parts for table in part))
    assert figure is not None
    figure.draw_without_rendering()
    return figure


@pytest.mark.parametrize("experiment", ["dose", "orders"])
def test_a_row_is_labelled_with_the_judged_step_of_its_model(experiment) -> None:
    figure = drawn(
        FIGURE[experiment], *(runs(experiment, *of) for of in (("a", 35), ("b", 20), ("c", 10)))
    )
    labels = [axes.get_ylabel() for axes in figure.axes if "forget score" in axes.get_ylabel()]
    assert labels == [
        f"{model}\nforget score, step {step} (nats)"
        for model, step in (("a", 20), ("b", 20), ("c", 10))
    ]


def test_a_panel_of_all_models_is_labelled_with_the_steps_they_have() -> None:
    long, tiny, short = (runs("wash-out", *of) for of in (("a", 35), ("b", 20), ("c", 10)))
    assert drawn(washout, long, tiny).axes[1].get_ylabel() == "forget score, step 20 (nats)"
    mixed = drawn(washout, long, short).axes[1]
    assert mixed.get_ylabel() == "forget score, later judged step (10, 20) (nats)"
    highest = [max(line.get_ydata()) for line in mixed.get_lines()]
    assert highest == [60.0] * 3 + [30.0] * 3  # 3 nats × 20 and 10 steps


@pytest.mark.parametrize("module", [dose, orders, washout, gradient])
def test_captions_name_the_step_that_is_drawn(module) -> None:
    caption = module.FIGURE.caption
    assert JUDGED in caption and "at the last step" not in caption


def longer(tables: records.Tables) -> records.Tables:
    """The same with step 35, at which p = 4 has fallen by 1000 and nothing else has moved."""
    last = tables.records.filter(step=20, metric="label_loglik")
    fallen = pl.when(pl.col("position") == 4).then(pl.col("value") - 1000).otherwise("value")
    return replace(
        tables,
        records=pl.concat(
            [tables.records, last.with_columns(value=fallen, step=pl.lit(35, pl.Int64))]
        ),
    )


def test_the_overview_counts_up_to_step_20(make_result: Callable[..., records.Result]) -> None:
    tables = make_result(
        seeds=2, instances=0, models=("tiny-llama",), methods=("GA",), theorem=False
    ).tables
    title = overview.draw(longer(tables)).axes[0].get_title()
    assert title.endswith("p = 4 forgotten slowest in 2 of 2")
    assert "fell least up to step 20 (or the last step of a shorter run)" in overview.FIGURE.caption


def of_the_paper(result: records.Result, drop: str = "") -> records.Result:
    """The language models' runs as under a preset of the paper: SimNPO has β = 1, SimNPO-beta0.2
    the other β.
    """
    names = {"SimNPO-beta1": "SimNPO", "SimNPO": "SimNPO-beta0.2"}
    config = result.specs["spec-llm"]
    for old, new in (("SimNPO-beta1", "ONE"), ('"SimNPO"', '"SimNPO-beta0.2"'), ("ONE", "SimNPO")):
        config = config.replace(old, new)
    renamed = result.tables.records.with_columns(
        method=pl.col("method").replace(names), spec=pl.lit("paper"), model=pl.lit("paper")
    ).filter(pl.col("method") != drop)
    return records.Result(replace(result.tables, records=renamed), {"paper": config})


def norms(figure: Figure, column: int) -> dict[str, float]:
    """Label -> norm of p = 4."""
    handles, labels = figure.axes[column].get_legend_handles_labels()
    return {
        label: float(handle[0].get_ydata()[-1])
        for handle, label in zip(handles, labels, strict=True)
    }


def test_the_gradient_of_a_paper_preset_stands_under_its_own_beta(
    make_result: Callable[..., records.Result],
) -> None:
    """The norms of β = 1 are tripled: they are found at β = 1 whatever the method is called."""
    made = make_result(seeds=2, instances=0, models=("tiny-llama",), theorem=False)
    tripled = (pl.col("method") == "SimNPO-beta1") & (pl.col("metric") == "grad_norm")
    value = pl.when(tripled).then(pl.col("value") * 3).otherwise("value")
    made = replace(
        made, tables=replace(made.tables, records=made.tables.records.with_columns(value=value))
    )
    both = records.Result.concat([made, of_the_paper(made)])
    figure = gradient.draw(both.tables)
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes[:2]] == ["paper\n(llm)", "tiny-llama\n(llm)"]
    for column in (0, 1):
        assert norms(figure, column) == pytest.approx({"β = 1": 300.0, "β = 0.2": 100.0})
    alone = records.Result.concat([made, of_the_paper(made, drop="SimNPO-beta0.2")])
    assert gradient.draw(of_the_paper(made, drop="SimNPO-beta0.2").tables) is None
    assert gradient.draw(alone.tables).axes[0].get_title() == "tiny-llama\n(llm)"


def test_no_caption_names_one_beta_for_every_preset() -> None:
    (third,) = (entry for entry in FIGURES if entry.name == "figure3")
    assert "0.2 in the embedded preset, 1 in the presets paper and authors-code" in third.caption
    assert not [entry.name for entry in FIGURES if "the β that acts" in entry.caption]


def test_every_figure_is_drawn_of_models_of_unlike_length(
    make_result: Callable[..., records.Result],
) -> None:
    tiny = make_result(seeds=2, instances=0, models=("tiny-llama",), theorem=False).tables
    long = replace(longer(tiny), records=longer(tiny).records.with_columns(model=pl.lit("long")))
    both = records.Tables.concat([tiny, long])
    drawn_of = {
        entry.name for entry in FIGURES if "llm" in entry.worlds and entry.draw(both) is not None
    }
    assert drawn_of >= {"overview", "figure1", "figure3", "figure5", "path-effect", "gradient"}
