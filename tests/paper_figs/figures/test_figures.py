"""Every figure on whole and on partial records: drawn or None; the numbers shown."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from paper_figs.drawing import style
from paper_figs.drawing.paths import geometric_band, mean_band, seeds_text
from paper_figs.figures import (
    distance_forget,
    distance_retained,
    figure1,
    figure3,
    linear,
    registry,
    theorem,
)
from paper_figs.figures.registry import FIGURES, MODULES
from protocol import metrics
from protocol.readings.curves import Curves
from protocol.records import Result

LLM = {
    "overview",
    "gradient",
    "path-effect",
    "figure1",
    "figure3",
    "figure5",
    "distance-forget",
    "distance-retained",
}
LINEAR = {"overview", "gradient", "path-effect", "linear", "theorem"}
ALWAYS = {"figure2"}  # a diagram, it needs no records

PARTIAL = {
    "all": ({}, LLM | LINEAR),
    "only linear": ({"seeds": 0}, LINEAR),
    "only llm": ({"instances": 0, "theorem": False}, LLM),
    "one seed": (
        {"seeds": 1, "instances": 1, "models": ("tiny-llama",)},
        (LLM | LINEAR) - {"path-effect"},
    ),
    "only GA": (
        {"seeds": 2, "methods": ("GA",), "models": ("tiny-qwen2",)},
        (LLM | LINEAR) - {"figure3", "gradient"},
    ),
    "no GA, no floor": (
        {"seeds": 2, "methods": ("NPO", "SimNPO"), "models": ("tiny-llama",), "floor": False},
        (LLM | LINEAR) - {"figure1", "overview", "gradient"},
    ),
    "nothing": ({"seeds": 0, "instances": 0, "theorem": False}, set()),
}


# the other cases are drawn but not rendered, for time
RENDERED = ("only linear", "one seed", "no GA, no floor")


def test_the_registry_has_every_figure_once() -> None:
    folder = Path(registry.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "registry"}
    assert set(MODULES) == modules
    assert len(MODULES) == len(modules)
    assert len({entry.name for entry in FIGURES}) == len(FIGURES)


@pytest.mark.parametrize("case", PARTIAL)
def test_figures_are_drawn_where_there_are_records(
    make_result: Callable[..., Result], case: str
) -> None:
    options, expected = PARTIAL[case]
    tables = make_result(**options).tables
    drawn = {entry.name: entry.draw(tables) for entry in FIGURES}
    assert {name for name, figure in drawn.items() if figure is not None} == expected | ALWAYS
    for figure in drawn.values():
        if figure is not None and case in RENDERED:
            figure.draw_without_rendering()


def lines(figure: Figure, title: str) -> list[np.ndarray]:
    """The curves of the last panel with this title."""
    panel = [axes for axes in figure.axes if axes.get_title() == title][-1]
    return [np.asarray(line.get_ydata()) for line in panel.get_lines()]


def test_figure1_shows_the_published_curves_and_the_means_over_seeds(full: Result) -> None:
    figure = figure1.draw(full.tables)
    assert figure is not None
    assert len(figure.axes) == 4 + 2
    assert lines(figure, "Llama1B")[0][0] == -5.76466  # the file's first value
    mean = (
        full.tables.records.filter(
            (pl.col("model") == "tiny-llama")
            & (pl.col("method") == "GA")
            & (pl.col("metric") == "label_loglik")
            & (pl.col("position") == 3)
            & (pl.col("step") == 20)
        )["value"]
        .to_numpy()
        .mean()
    )
    assert lines(figure, "tiny-llama")[2][20] == pytest.approx(mean)


def test_figure3_has_the_papers_rows_and_columns(full: Result) -> None:
    figure = figure3.draw(full.tables)
    assert figure is not None
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:4] == [
        "Llama8B: unlearn label",
        "Llama8B: TOFU",
        "Qwen14B: unlearn label",
        "Qwen14B: TOFU",
    ]
    assert titles[8:12] == [
        "tiny-llama: unlearn label",
        "tiny-llama: TOFU",
        "tiny-qwen2: unlearn label",
        "tiny-qwen2: TOFU",
    ]
    assert [figure.axes[i].get_ylabel().split("\n")[0] for i in (0, 4, 8, 12)] == [
        "NPO",
        "SimNPO",
    ] * 2


def test_distance_shows_the_floor_and_doing_nothing(full: Result) -> None:
    figure = distance_forget.draw(full.tables)
    assert figure is not None
    assert len(figure.axes) == 2 * 3
    curves, levels, floor = np.split(np.array(lines(figure, "GA"), dtype=object), [4, 8])
    assert [line[0] for line in levels] == pytest.approx([curve[0] for curve in curves])
    assert floor[0][0] == 0.05
    low, high = figure.axes[0].get_ylim()
    assert low < 0.05 < high


def test_retained_stages_have_rows_of_their_own(full: Result) -> None:
    figure = distance_retained.draw(full.tables)
    assert figure is not None
    rows = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert rows == [
        f"{model}\n{part}"
        for model in ("tiny-llama", "tiny-qwen2")
        for part in ("inst", "math", "tofu")
    ]


def test_theorem_shows_the_bound_from_t0_on(full: Result) -> None:
    found = theorem.instances(full.tables)
    assert [one.t0 for one in found] == [-np.inf, 4.0, 11.0]
    figure = theorem.draw(full.tables)
    assert figure is not None
    measured, claimed, before, onset = figure.axes[2].get_lines()
    assert len(measured.get_xdata()) == 30
    assert np.min(claimed.get_xdata()) == 11
    assert np.max(before.get_xdata()) == 10
    assert list(onset.get_xdata()) == [11, 11]
    assert figure.axes[0].get_title().endswith("t₀ = −∞")
    assert "24 checks" in figure.axes[-1].get_title()


def test_linear_means_over_instances(full: Result) -> None:
    figure = linear.draw(full.tables)
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes[:3]] == ["GA", "NPO", "SimNPO"]
    assert lines(figure, "NPO")[3][0] == pytest.approx(-0.1)


def test_the_mean_band_is_the_student_interval() -> None:
    """Values 0, 1, 2: mean 1, standard error 1/√3, t(0.975; 2) = 4.30265."""
    band = mean_band(np.array([0.0, 1.0, 2.0]).reshape(3, 1, 1))
    assert band.low is not None
    assert band.high is not None
    assert (band.middle.item(), band.high.item() - 1) == pytest.approx(
        (1.0, 4.30265 / 3**0.5), abs=1e-4
    )
    assert band.low.item() == pytest.approx(1 - 4.30265 / 3**0.5, abs=1e-4)
    assert mean_band(np.ones((1, 4, 3))).low is None


def test_the_geometric_band_survives_zeros() -> None:
    band = geometric_band(np.array([[[1.0, 0.0]], [[4.0, 1.0]]]))
    assert band.middle[0] == pytest.approx([2.0, 1.0])
    assert geometric_band(np.zeros((2, 1, 2))).middle[0] == pytest.approx([1.0, 1.0])


def test_seeds_are_told_in_words() -> None:
    one, two, three = (Curves("m", np.zeros((count, 4, 2))) for count in (1, 2, 3))
    assert seeds_text([one]) == "1 seed, no band"
    assert seeds_text([three, three]) == "mean of 3 seeds; band: 95% t interval"
    assert seeds_text([two]) == "mean of 2 seeds; band: their range"
    assert (
        seeds_text([two, three])
        == "mean of 2–3 seeds; band: 95% t interval, of 2 seeds their range"
    )
    many = Curves("m", np.zeros((8, 4, 2)))
    assert seeds_text([many]) == "mean of 8 seeds; band: 95% bootstrap interval"
    assert seeds_text([three, many]) == "mean of 3–8 seeds; band: 95% t or bootstrap interval"


def test_from_eight_seeds_on_the_band_is_a_bootstrap() -> None:
    values = np.random.default_rng(0).standard_normal((8, 2, 3))
    assert np.array_equal(mean_band(values).low, metrics.mean_intervals(values)[0])


def test_of_two_seeds_the_range_is_shaded() -> None:
    band = mean_band(np.array([[[0.0]], [[4.0]]]))
    assert band.low is not None
    assert band.high is not None
    assert (band.middle.item(), band.low.item(), band.high.item()) == (2.0, 0.0, 4.0)


def test_drawing_leaves_the_readers_settings_alone(full: Result, tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    figure = theorem.draw(full.tables)
    assert figure is not None
    style.save(Figure(), tmp_path, "empty")
    assert dict(matplotlib.rcParams) == before


def test_a_saved_layout_does_not_keep_the_solvers_last_digits(full: Result, tmp_path: Path) -> None:
    """They depend on addresses in memory; unrounded, single pixels of figure 3 differed between
    runs.
    """
    figure = figure1.draw(full.tables)
    assert figure is not None
    style.save(figure, tmp_path, "figure1")
    settled = [axes.get_position().bounds for axes in figure.axes] + [
        part.bbox_relative.extents for part in figure.subfigs
    ]
    assert np.abs(np.round(settled, 6) - settled).max() < 1e-12
