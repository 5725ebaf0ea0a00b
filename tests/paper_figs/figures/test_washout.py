"""The figure of the wash-out: seeds, means and intervals against the updates after the forget
stage.
"""

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figs.figures import washout
from protocol import metrics, records

ORDERS = {
    "inst>safety": 0,
    "inst>safety>math@5": 1,
    "inst>safety>math@20": 2,
    "inst>safety>math": 3,
}


def run(model: str, seed: int, order: str, method: str) -> records.Tables:
    """Starts at −1 − its place, forgets as much as its place, the seed and the method say."""
    place = ORDERS[order]
    forgotten = place * (seed + 1) * (2.0 if method == "NPO" else 1.0)
    head = records.Run(
        f"{model}{seed}{order}{method}", "s", "wash-out", "llm", model, order, 2, "r", method, seed
    )
    return records.tables(
        head, [(t, "label_loglik", -1.0 - place - forgotten * t / 10) for t in (0, 5, 10)]
    )


@pytest.fixture(scope="module")
def figure() -> Figure:
    parts = [
        run(m, s, order, method)
        for m in ("m1", "m2")
        for s in (0, 1, 2)
        for order in ORDERS
        for method in ("GA", "NPO")
    ]
    drawn = washout.draw(records.Tables.concat(parts))
    assert drawn is not None
    drawn.draw_without_rendering()
    return drawn


def test_the_axis_has_the_updates_the_whole_stage_last(figure: Figure) -> None:
    for axes in figure.axes[:3]:
        assert [label.get_text() for label in axes.get_xticklabels()] == [
            "0",
            "5",
            "20",
            "whole stage",
        ]


def test_the_first_panel_shows_the_start(figure: Figure) -> None:
    lines = figure.axes[0].get_lines()
    assert len(lines) == 2 * (3 + 1)  # three seeds and their mean of each model
    assert all(list(line.get_ydata()) == [-1, -2, -3, -4] for line in lines)


def test_seeds_and_mean_of_the_forget_score(figure: Figure) -> None:
    npo = figure.axes[2]
    *seeds, mean = npo.get_lines()[:4]
    assert [list(line.get_ydata()) for line in seeds] == [
        pytest.approx(np.arange(4) * 2.0 * s) for s in (1, 2, 3)
    ]
    assert list(mean.get_ydata()) == pytest.approx([0, 4, 8, 12])
    band = npo.collections[0].get_paths()[0].vertices
    last = band[band[:, 0] == 3, 1]
    assert (last.min(), last.max()) == pytest.approx(
        metrics.t_interval(np.array([6.0, 12.0, 18.0]))
    )
    assert npo.get_title() == "NPO; L6w: 1 [0.607, 1], holds"
    assert not figure.axes[3].get_visible()


def test_no_records_no_figure() -> None:
    assert washout.draw(records.Tables.concat([])) is None
