"""The answer in one figure: its curves, how often p = last is slowest, and who reaches the
retrained model.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from paper_figs.figures import overview
from paper_figs.figures.registry import FIGURES
from protocol.readings.distances import NO_FLOOR
from protocol.records import Result, Tables


def drawn(tables: Tables) -> Figure:
    figure = overview.draw(tables)
    assert figure is not None
    figure.draw_without_rendering()
    return figure


def test_the_answer_comes_first() -> None:
    assert FIGURES[0] is overview.FIGURE


def test_theory_at_the_left_the_first_language_model_at_the_right(full: Result) -> None:
    linear, language, *_ = drawn(full.tables).axes
    assert linear.get_title() == (
        "linear model, mean of 6 instances; band: 95% t interval\np = 4 forgotten slowest in 6 of 6"
    )
    assert language.get_title() == (
        "tiny-llama, mean of 3 seeds; band: 95% t interval\np = 4 forgotten slowest in 3 of 3"
    )
    chosen = full.tables.records.filter(
        world="llm", model="tiny-llama", method="GA", metric="label_loglik", position=3, step=20
    )
    assert language.get_lines()[2].get_ydata()[-1] == pytest.approx(
        chosen["value"].to_numpy().mean()
    )


def test_the_distance_is_that_of_the_worst_part_in_units_of_its_floor(full: Result) -> None:
    """At step 0: forget 0.4/0.05 = 8; inst 0.02(1 + p)/0.06, tofu 0.02(2 + p)/0.07, math 0.02(3 +
    p)/0.08 are less.
    """
    *_, linear, language = drawn(full.tables).axes
    assert [line.get_ydata()[0] for line in language.get_lines()[:4]] == pytest.approx([8.0] * 4)
    assert [line.get_ydata()[0] for line in linear.get_lines()[:4]] == pytest.approx(
        [0.3 / p for p in (1, 2, 3, 4)]
    )
    assert language.get_title() == "within the noise floor of retraining: 0 of 12 runs"
    assert linear.get_title() == "equal to the retrained model up to rounding: 0 of 24 runs"
    low, high = language.get_ylim()
    assert low < 1 < high  # the floor is seen


def test_a_run_within_every_floor_is_counted(full: Result) -> None:
    near = (
        (pl.col("metric").str.starts_with("re_distance"))
        & (pl.col("position") == 2)
        & (pl.col("seed") == 1)
    )
    chosen = near & (pl.col("world") == "llm") & (pl.col("step") == 7)
    tables = replace(
        full.tables,
        records=full.tables.records.with_columns(
            value=pl.when(chosen).then(0.05).otherwise("value")
        ),
    )
    assert drawn(tables).axes[3].get_title() == "within the noise floor of retraining: 1 of 12 runs"


def test_one_world_alone_has_one_column(make_result: Callable[..., Result]) -> None:
    one = ("tiny-llama",)
    linear = make_result(seeds=0, theorem=False).tables
    language = make_result(seeds=2, instances=0, models=one, methods=("GA",), theorem=False).tables
    assert [len(drawn(tables).axes) for tables in (linear, language)] == [2, 2]
    assert (
        overview.draw(make_result(seeds=1, models=one, methods=("NPO",), theorem=False).tables)
        is None
    )


def test_without_a_floor_the_panel_says_what_is_missing(make_result: Callable[..., Result]) -> None:
    figure = drawn(make_result(seeds=1, instances=0, floor=False).tables)
    assert [text.get_text() for text in figure.axes[1].texts] == [NO_FLOOR]


def test_curves_differ_in_line_and_marker_not_in_colour_alone(full: Result) -> None:
    lines = drawn(full.tables).axes[0].get_lines()[:4]
    assert len({line.get_marker() for line in lines}) == 4
    assert (
        len({line._unscaled_dash_pattern for line in lines}) == 4
    )  # get_linestyle names all of them "--"
    assert len({np.round(np.sum(line.get_ydata()), 6) for line in lines}) == 4
