"""The published numbers: what is in the files, and the facts about them that the comparison with ours relies on."""

import numpy as np
import pytest

from paper_figs import published
from paper_figs.published import Panel
from protocol.errors import InputError


def find(figure: int, quantity: str = "unlearn_label_loglik", **fields: object) -> Panel:
    """The one panel of a figure with these fields."""
    found = [p for p in published.panels(figure) if p.quantity == quantity]
    (panel,) = [p for p in found if all(getattr(p, name) == value for name, value in fields.items())]
    return panel


def drops(panel: Panel) -> np.ndarray:
    return panel.values[:, 0] - panel.values[:, -1]


def test_sizes_of_the_files() -> None:
    assert published.curves().height == 2938
    assert published.table1().height == 60
    assert published.table2().height == 5
    curves = sum(len(panel.paths) for figure in published.FIGURES for panel in published.panels(figure))
    assert curves == 146


@pytest.mark.parametrize(("figure", "points"), [(1, 20), (3, 20), (4, 21), (5, 20), (6, 20), (7, 20), (8, 20)])
def test_every_panel_is_a_full_rectangle(figure: int, points: int) -> None:
    for panel in published.panels(figure):
        assert panel.values.shape == (len(panel.paths), points)
        assert np.isfinite(panel.values).all()
        assert (panel.low is None) == (figure != 5)
        if panel.low is not None and panel.high is not None:
            assert (panel.low <= panel.values).all()
            assert (panel.values <= panel.high).all()


def test_paths_stand_in_order() -> None:
    assert all(panel.paths == ("1", "2", "3", "4") for panel in published.panels(1))
    names = [path for panel in published.panels(4) if panel.quantity == "logprob_U" for path in panel.paths]
    assert names == [f"theta{i}" for i in range(1, 7)]


def test_table1_forget_score_is_the_drop_of_figure_1s_label_curve_in_16_of_16() -> None:
    rounded = [
        np.round(drops(panel), 3) == published.table1_row(panel.model, "GA", "forget_score")
        for panel in published.panels(1)
    ]
    assert np.sum(rounded) == 16


def test_figure_8s_npo_panel_repeats_its_simnpo_panel_and_misses_table_1() -> None:
    npo = find(8, algorithm="NPO", scheduler="WSD")
    simnpo = find(8, algorithm="SimNPO", scheduler="WSD")
    assert np.abs(npo.values - simnpo.values).max() <= 1e-5
    assert np.abs(drops(npo) - published.table1_row("Qwen1B", "NPO", "forget_score")).max() > 0.4


def test_table1s_1_893_is_3_893_on_the_curve_which_makes_p_4_the_fastest() -> None:
    row = published.table1_row("Qwen1B", "SimNPO", "forget_score")
    curve = drops(find(8, algorithm="SimNPO", scheduler="WSD"))
    assert row[3] == 1.893
    assert curve[3] == pytest.approx(3.893, abs=1e-3)
    assert np.abs(curve - row)[:3].max() < 1e-3
    assert np.argmax(curve) == 3


def test_figure_8s_columns_share_their_fine_tuning() -> None:
    for algorithm in ("GA", "NPO", "SimNPO"):
        wsd, cosine = (find(8, algorithm=algorithm, scheduler=name) for name in ("WSD", "cosine"))
        assert np.abs(wsd.values[:, 0] - cosine.values[:, 0]).max() < 2e-5


def test_figure_5s_seeds_share_the_fine_tuned_model() -> None:
    """At step 0 the TOFU band has no width in 10 of 12 curves and the label's is within 0.1 nats."""
    width: dict[str, list[float]] = {}
    for panel in published.panels(5):
        assert panel.low is not None
        assert panel.high is not None
        width.setdefault(panel.quantity, []).extend((panel.high - panel.low)[:, 0])
    assert np.sum(np.array(width["tofu_loglik"]) < 2e-5) == 10
    assert max(width["unlearn_label_loglik"]) < 0.1


def test_for_ga_and_simnpo_the_single_run_ends_outside_figure_5s_band_on_every_path() -> None:
    single = {"GA": find(1, model="Qwen1B"), "SimNPO": find(8, algorithm="SimNPO", scheduler="WSD")}
    for algorithm, one in single.items():
        band = find(5, algorithm=algorithm)
        assert band.low is not None
        assert band.high is not None
        end = one.values[:, -1]
        assert ((end < band.low[:, -1]) | (end > band.high[:, -1])).all()


def test_only_the_named_panels_have_another_path_than_the_last_as_slowest() -> None:
    slowest_is_another = {
        (figure, panel.model, panel.algorithm, panel.scheduler, panel.learning_rate)
        for figure in (1, 3, 5, 6, 7, 8)
        for panel in published.panels(figure)
        if panel.quantity == "unlearn_label_loglik" and np.argmin(drops(panel)) != 3
    }
    assert slowest_is_another == {
        (3, "Qwen14B", "SimNPO", "WSD", 5e-6),
        (5, "Qwen1B", "SimNPO", "WSD", 1e-5),
        (6, "Llama1B", "NPO", None, 5e-6),
        (6, "Llama1B", "NPO", None, 1e-6),
        (8, "Qwen1B", "SimNPO", "WSD", 1e-5),
        (8, "Qwen1B", "SimNPO", "cosine", 1e-5),
        (8, "Qwen1B", "NPO", "WSD", 1e-5),  # the SimNPO data once more
    }


def test_figure_7_equals_a_panel_of_figure_6() -> None:
    assert np.abs(find(7).values - find(6, model="Qwen1B", learning_rate=5e-5).values).max() < 1e-4


def test_the_last_two_points_are_equal_but_for_one_path_of_llama8b() -> None:
    moved = {
        (panel.model, path)
        for figure in (1, 3, 5, 6, 7, 8)
        for panel in published.panels(figure)
        for path, curve in zip(panel.paths, panel.values, strict=True)
        if abs(curve[-1] - curve[-2]) > 1e-3
    }
    assert moved == {("Llama8B", "4")}


def test_figure_4s_depth_score_reproduces_the_published_classes() -> None:
    """Depth = (C₀ − C_T)/(U₀ − U_T); deep from 0.75 on: θ3 and θ4."""
    scores = {}
    for panel in published.panels(4):
        for path, curve in zip(panel.paths, panel.values, strict=True):
            scores[panel.quantity, path] = curve[0] - curve[-1]
    depth = [scores["logprob_C", f"theta{i}"] / scores["logprob_U", f"theta{i}"] for i in range(1, 7)]
    assert np.round(depth, 2) == pytest.approx([0.31, 0.56, 1.23, 0.94, 0.61, 0.56], abs=0.006)
    assert [value >= 0.75 for value in depth] == [False, False, True, True, False, False]


def test_unknown_names_are_told_with_the_choices() -> None:
    with pytest.raises(InputError, match=r"figure: expected one of 1, 3, 4, 5, 6, 7, 8; got 2"):
        published.panels(2)
    with pytest.raises(InputError, match=r"model: expected one of Llama1B, .*; got 'GPT'"):
        published.table1_row("GPT", "GA", "forget_score")
