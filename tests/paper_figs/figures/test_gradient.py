"""The figure of SimNPO's gradient: norms and forget scores by position and β, one column a model of
every world.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from paper_figs.figures import gradient
from protocol.records import Result

MODELS = ("linear", "tiny-llama", "tiny-qwen2")


@pytest.fixture(scope="module")
def figure(full: Result) -> Figure:
    drawn = gradient.draw(full.tables)
    assert drawn is not None
    drawn.draw_without_rendering()
    return drawn


def test_a_column_a_model(figure: Figure) -> None:
    assert [axes.get_title() for axes in figure.axes[:3]] == [
        "linear",
        "tiny-llama\n(llm)",
        "tiny-qwen2\n(llm)",
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["β = 1", "β = 0.2"]


def test_norms_at_step_0(figure: Figure) -> None:
    """In the made-up records p = 4 has 100 at step 0, the others 1; the linear model has 1
    everywhere.
    """
    for axes, last in zip(figure.axes[:3], (1.0, 100.0, 100.0), strict=True):
        for container in axes.containers:
            assert list(container[0].get_ydata()) == pytest.approx([1.0, 1.0, 1.0, last])


def test_forget_scores_at_the_last_step(figure: Figure, full: Result) -> None:
    chosen = full.tables.records.filter(
        model="tiny-qwen2", method="SimNPO-beta1", metric="label_loglik", position=2
    )
    level = {step: chosen.filter(step=step).sort("seed")["value"].to_numpy() for step in (0, 20)}
    silent, _ = figure.axes[5].containers
    assert silent[0].get_ydata()[1] == pytest.approx((level[0] - level[20]).mean())


def test_log_likelihoods_stand_under_the_positions(figure: Figure) -> None:
    labels = [label.get_text() for label in figure.axes[5].get_xticklabels()]
    assert labels == ["1\n−2.1", "2\n−2.2", "3\n−2.3", "4\n−2.4"]


def test_a_silent_gradient_is_drawn_at_its_place(make_result: Callable[..., Result]) -> None:
    tables = make_result(seeds=1, instances=0, models=("tiny-llama",), theorem=False).tables
    silent = (
        (pl.col("metric") == "grad_norm")
        & (pl.col("method") == "SimNPO-beta1")
        & (pl.col("position") == 1)
    )
    zero = tables.records.with_columns(value=pl.when(silent).then(0.0).otherwise("value"))
    drawn = gradient.draw(replace(tables, records=zero))
    assert drawn is not None
    drawn.draw_without_rendering()
    assert drawn.axes[0].containers[0][0].get_ydata()[0] == pytest.approx(1e-38)
    assert drawn.axes[0].get_ylim()[0] <= 1e-38
    assert np.isfinite(drawn.axes[0].get_ylim()).all()


def test_both_beta_are_needed(make_result: Callable[..., Result]) -> None:
    assert gradient.draw(make_result(seeds=1, methods=("GA", "SimNPO")).tables) is None
