"""Figures 5 to 8: the published curves above, ours below, each in its row and column, with the
numbers of both.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from paper_figs.figures import figure5, figure6, figure7, figure8
from paper_figs.published import numbers
from protocol import metrics
from protocol.errors import InputError
from protocol.records import Result, Tables


def moved(full: Result, factors: Mapping[str, float]) -> Tables:
    """The positions as experiments of other names, every value times the factor of its name."""
    frames = [
        full.tables.records.filter(experiment="positions").with_columns(
            pl.lit(name).alias("experiment"), pl.col("value") * factor
        )
        for name, factor in factors.items()
    ]
    return Tables.from_frames(frames)


def mean(full: Result, model: str, method: str, metric: str, position: int, step: int) -> float:
    chosen = full.tables.records.filter(
        world="llm", model=model, method=method, metric=metric, position=position, step=step
    )
    return chosen["value"].to_numpy().mean()


def end(figure: Figure, place: int, position: int) -> float:
    """The last value of path p in a panel, by its place among all."""
    return float(np.asarray(figure.axes[place].get_lines()[position - 1].get_ydata())[-1])


def rows(figure: Figure) -> list[str]:
    return [
        axes.get_ylabel().removesuffix("\nlog-likelihood (nats)")
        for axes in figure.axes
        if axes.get_ylabel()
    ]


def titles(figure: Figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def headings(figure: Figure) -> list[str]:
    return [part.get_suptitle() for part in figure.subfigs]


def test_figure5_shows_both_bands(full: Result) -> None:
    figure = figure5.draw(full.tables)
    assert figure is not None
    assert titles(figure) == ["GA", "NPO", "SimNPO"] * 2
    models, quantities = ("Qwen1B", "tiny-llama", "tiny-qwen2"), ("unlearn label", "TOFU")
    assert rows(figure) == [f"{model}\n{quantity}" for model in models for quantity in quantities]
    printed = next(
        p for p in numbers.panels(5) if (p.algorithm, p.quantity) == ("NPO", "tofu_loglik")
    )
    assert end(figure, 4, 2) == printed.values[1, -1]
    band = figure.axes[4].collections[1].get_paths()[0].vertices
    assert printed.low is not None
    assert band[:, 1].min() == printed.low[1].min()
    assert end(figure, 6 + 7, 3) == pytest.approx(
        mean(full, "tiny-qwen2", "NPO", "label_loglik", 3, 20)
    )
    assert (
        headings(figure)[1] == "Ours, experiment positions (mean of 3 seeds; band: 95% t interval)"
    )


def test_figure5_band_of_ours_is_the_student_interval(full: Result) -> None:
    figure = figure5.draw(full.tables)
    assert figure is not None
    values = full.tables.records.filter(
        world="llm", model="tiny-llama", method="GA", metric="label_loglik", position=2, step=20
    )["value"].to_numpy()
    band = figure.axes[6].collections[1].get_paths()[0].vertices
    at_end = band[band[:, 0] == 20, 1]
    assert (at_end.min(), at_end.max()) == pytest.approx(metrics.t_interval(values))


def test_figure5_prefers_the_experiment_of_most_seeds(full: Result) -> None:
    tables = Tables.concat([full.tables, moved(full, {"seeds/4": 2.0, "seeds/12": 3.0})])
    figure = figure5.draw(tables)
    assert figure is not None
    assert headings(figure)[1].startswith("Ours, experiment seeds/12 (")
    assert end(figure, 6, 1) == pytest.approx(
        3 * mean(full, "tiny-llama", "GA", "label_loglik", 1, 20)
    )


RATES = {"learning-rates/2e-05": 0.1, "learning-rates/0.001": 2.0, "learning-rates/0.0001": 1.0}


def test_figure6_has_a_row_a_rate_the_largest_first(full: Result) -> None:
    figure = figure6.draw(moved(full, RATES))
    assert figure is not None
    assert rows(figure) == ["lr 5e-5", "lr 5e-6", "lr 1e-6", "lr 1e-3", "lr 1e-4", "lr 2e-5"]
    assert titles(figure) == ["Llama1B", "Qwen1B", "tiny-llama", "tiny-qwen2"]
    printed = next(p for p in numbers.panels(6) if (p.model, p.learning_rate) == ("Qwen1B", 5e-6))
    assert end(figure, 3, 4) == printed.values[3, -1]
    for row, factor in enumerate((2.0, 1.0, 0.1)):
        expected = factor * mean(full, "tiny-qwen2", "NPO", "label_loglik", 4, 20)
        assert end(figure, 6 + 2 * row + 1, 4) == pytest.approx(expected)


def test_figure7_shows_the_highest_rate_alone(full: Result) -> None:
    figure = figure7.draw(moved(full, RATES))
    assert figure is not None
    assert rows(figure) == [
        f"{model}\nNPO, lr {rate}"
        for model, rate in (("Qwen1B", "5e-5"), ("tiny-llama", "1e-3"), ("tiny-qwen2", "1e-3"))
    ]
    assert titles(figure) == ["unlearn label", "TOFU"] * 2
    label, tofu = numbers.panels(7)
    assert (end(figure, 0, 1), end(figure, 1, 1)) == (label.values[0, -1], tofu.values[0, -1])
    for column, metric in enumerate(("label_loglik", "tofu_loglik")):
        assert end(figure, 4 + column, 2) == pytest.approx(
            2 * mean(full, "tiny-qwen2", "NPO", metric, 2, 20)
        )


def test_figure8_has_the_papers_schedules_first(full: Result) -> None:
    figure = figure8.draw(
        moved(full, {"schedules/constant": 3.0, "schedules/cosine": 2.0, "schedules/wsd": 1.0})
    )
    assert figure is not None
    assert rows(figure) == ["GA", "NPO", "SimNPO"] * 2
    ours = [
        f"{m},\n{schedule}"
        for m in ("tiny-llama", "tiny-qwen2")
        for schedule in ("WSD", "cosine", "constant")
    ]
    assert titles(figure) == ["Qwen1B,\nWSD", "Qwen1B,\ncosine", *ours]
    printed = next(
        p for p in numbers.panels(8) if (p.algorithm, p.scheduler) == ("SimNPO", "cosine")
    )
    assert end(figure, 5, 1) == printed.values[0, -1]
    for column, factor in enumerate((1.0, 2.0, 3.0)):
        expected = factor * mean(full, "tiny-qwen2", "SimNPO", "label_loglik", 1, 20)
        assert end(figure, 6 + 12 + 3 + column, 1) == pytest.approx(expected)


def test_the_published_panel_that_repeats_another_is_named() -> None:
    panels = {(p.algorithm, p.scheduler): p.values for p in numbers.panels(8)}
    assert np.abs(panels["NPO", "WSD"] - panels["SimNPO", "WSD"]).max() < 1e-5
    assert "NPO under WSD repeats the panel of SimNPO under WSD" in figure8.FIGURE.caption


def test_a_panel_that_was_not_run_stays_empty(full: Result) -> None:
    tables = moved(full, {"schedules/wsd": 1.0, "schedules/cosine": 2.0})
    absent = (
        (pl.col("experiment") == "schedules/wsd")
        & (pl.col("method") == "SimNPO")
        & (pl.col("model") == "tiny-llama")
    )
    figure = figure8.draw(Tables(tables.records.filter(~absent), tables.examples))
    assert figure is not None
    above, missing, beside = (figure.axes[place] for place in (6 + 4, 6 + 8, 6 + 9))
    assert not missing.get_visible()
    assert beside.get_ylabel() == "SimNPO\nlog-likelihood (nats)"
    assert (above.get_xlabel(), above.get_title()) == ("unlearning step", "")


def test_without_their_experiments_they_are_not_drawn(full: Result) -> None:
    assert [figure.draw(full.tables) for figure in (figure6, figure7, figure8)] == [None] * 3


def test_records_at_some_steps_only_stand_at_their_steps(full: Result) -> None:
    tables = moved(full, RATES)
    sparse = Tables(tables.records.filter(pl.col("step") % 4 == 0), tables.examples)
    figure = figure6.draw(sparse)
    assert figure is not None
    assert list(figure.axes[6].get_lines()[0].get_xdata()) == [0, 4, 8, 12, 16, 20]
    broken = Tables(
        sparse.records.filter((pl.col("step") < 20) | (pl.col("position") < 4)), tables.examples
    )
    with pytest.raises(InputError, match="run the experiment to its end"):
        figure6.draw(broken)
