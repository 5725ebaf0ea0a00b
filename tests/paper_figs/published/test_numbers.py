"""The published numbers: what is in the files and how it is read; the facts found in them are in
test_audit.
"""

import numpy as np
import pytest

from paper_figs.published import numbers
from protocol.errors import InputError


def test_sizes_of_the_files() -> None:
    assert numbers.curves().height == 2938
    assert numbers.table1().height == 60
    assert numbers.table2().height == 5
    curves = sum(len(panel.paths) for figure in numbers.FIGURES for panel in numbers.panels(figure))
    assert curves == 146


@pytest.mark.parametrize(
    ("figure", "points"), [(1, 20), (3, 20), (4, 21), (5, 20), (6, 20), (7, 20), (8, 20)]
)
def test_every_panel_is_a_full_rectangle(figure: int, points: int) -> None:
    for panel in numbers.panels(figure):
        assert panel.values.shape == (len(panel.paths), points)
        assert np.isfinite(panel.values).all()
        assert (panel.low is None) == (figure != 5)
        if panel.low is not None and panel.high is not None:
            assert (panel.low <= panel.values).all()
            assert (panel.values <= panel.high).all()


def test_paths_stand_in_order() -> None:
    assert all(panel.paths == ("1", "2", "3", "4") for panel in numbers.panels(1))
    names = [
        path for panel in numbers.panels(4) if panel.quantity == "logprob_U" for path in panel.paths
    ]
    assert names == [f"theta{i}" for i in range(1, 7)]


def test_one_panel_by_its_fields() -> None:
    panel = numbers.panel(8, algorithm="SimNPO", scheduler="cosine")
    assert (panel.row, panel.col, panel.quantity) == (3, 2, "unlearn_label_loglik")
    assert panel.drops == pytest.approx(panel.values[:, 0] - panel.values[:, 19], abs=0)
    with pytest.raises(
        InputError, match=r"fields: expected those of one panel of Figure 8; got 2, of .*'GA'"
    ):
        numbers.panel(8, algorithm="GA")


def test_half_of_a_band_is_on_both_sides_of_the_curve() -> None:
    panel = numbers.panel(5, algorithm="GA")
    assert panel.values + panel.half_width == pytest.approx(panel.high, abs=2e-5)
    assert panel.values - panel.half_width == pytest.approx(panel.low, abs=2e-5)
    with pytest.raises(
        InputError, match="panel: expected one with a band, of Figure 5; got Qwen1B, GA"
    ):
        _ = numbers.panel(1, model="Qwen1B").half_width


def test_figure_4s_orders_are_named_by_the_answers() -> None:
    assert list(numbers.ORDERS.values()) == ["R>C>U", "C>R>U", "U>C>R", "U>R>C", "R>U>C", "C>U>R"]


def test_unknown_names_are_told_with_the_choices() -> None:
    with pytest.raises(InputError, match=r"figure: expected one of 1, 3, 4, 5, 6, 7, 8; got 2"):
        numbers.panels(2)
    with pytest.raises(InputError, match=r"model: expected one of Llama1B, .*; got 'GPT'"):
        numbers.table1_row("GPT", "GA", "forget_score")
