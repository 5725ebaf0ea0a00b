"""Figures of the small networks from tiny records: positions, mixture control, depth."""

import itertools

import numpy as np
import polars as pl
import pytest

from paper_figs.drawing import depth_by_order
from paper_figs.figures import depth, figure4, mixture, networks
from protocol import metrics, records
from protocol.readings.depth import PUBLISHED_DEEP

EMPTY = records.Tables.concat([])
POINTS = range(5)


def run(experiment, model, method, order, position=0, seed=0):
    name = f"{experiment} {model} {method} {order} {seed}"
    return records.Run(name, "s", experiment, "network", model, order, position, "a", method, seed)


def positions():
    """Label −p·t and distances 0.01·2^t·p; noise floor 0.015."""
    found = []
    for model, method, seed, p in itertools.product(
        ("mlp", "transformer"), ("GA", "NPO"), (0, 1), (1, 2)
    ):
        values = [(t, "label_loglik", -p * t - 0.1 * seed) for t in POINTS]
        values += [
            (t, f"re_distance/{part}", 0.01 * 2.0**t * p)
            for t in POINTS
            for part in ("test", "forget")
        ]
        found.append(records.tables(run("positions", model, method, f"o{p}", p, seed), values))
    for model in ("mlp", "transformer"):
        floor = [(0, "re_distance/test", 0.015), (0, "re_distance/forget", 0.015)]
        found.append(records.tables(run("positions", model, "floor", "0|1"), floor))
    return records.Tables.concat(found)


def test_positions_three_rows_a_model():
    figure = networks.draw(positions())
    figure.draw_without_rendering()
    grid = np.array(figure.axes).reshape(6, 2)
    assert [axes.get_title() for axes in grid[0]] == ["GA", "NPO"]
    assert grid[3, 0].get_ylabel() == "transformer\nlabel log-likelihood"
    lines = grid[1, 0].get_lines()
    assert list(lines[1].get_ydata()) == pytest.approx([0.02 * 2.0**t for t in POINTS])
    heights = [line.get_ydata()[0] for line in lines]
    assert heights.count(0.015) == 1  # the noise floor
    assert grid[1, 0].get_yscale() == "log"
    assert "2 seeds" in figure.get_suptitle()
    assert networks.draw(EMPTY) is None


def test_mixture_beside_the_stages():
    found = []
    for order, size in (("staged", 0.4), ("mixture", 0.01)):
        for seed in range(3):
            values = [
                (t, f"path_distance/{part}", size * (seed + 1))
                for t in POINTS
                for part in ("test", "forget")
            ]
            found.append(records.tables(run("mixture", "mlp", "GA", order, seed=seed), values))
    figure = mixture.draw(records.Tables.concat(found))
    figure.draw_without_rendering()
    retained, forget = figure.axes
    for axes in (retained, forget):
        staged, mixed = axes.get_lines()
        assert list(staged.get_ydata()) == pytest.approx([0.8] * 5)
        assert list(mixed.get_ydata()) == pytest.approx([0.02] * 5)
    assert (retained.get_ylabel(), forget.get_ylabel()) == (
        "mlp\nretained prompts",
        "mlp\nforget prompts",
    )
    assert mixture.draw(EMPTY) is None


def test_the_published_scores_give_the_published_classes():
    """.31 .56 1.23 .94 .61 .56 for θ1..θ6, read off the published curves."""
    scores = depth_by_order.published_scores()
    rounded = [round(scores[order], 2) for order in depth_by_order.PUBLISHED]
    assert rounded == [0.31, 0.56, 1.23, 0.94, 0.61, 0.56]
    deep = {order for order, score in scores.items() if metrics.is_deep(np.array(score))}
    assert deep == set(PUBLISHED_DEEP)


def depth_records() -> list[records.Tables]:
    """C does not fall in the first of the six orders; in each next order by 0.2 U more."""
    found = []
    for number, order in enumerate(depth_by_order.PUBLISHED):
        for seed in (0, 1, 2):
            fall = {"U": 1.0, "C": 0.2 * number + 0.001 * seed, "R": 0.0}
            values = [
                (t, f"answer_loglik/{a}", -1 - by * t) for a, by in fall.items() for t in POINTS
            ]
            found.append(
                records.tables(
                    run("depth", "softmax", "GA", order, order.index("U") // 2 + 1, seed), values
                )
            )
    return found


def test_depth_a_panel_an_order_and_the_scores():
    figure = depth.draw(records.Tables.concat(depth_records()))
    figure.draw_without_rendering()
    assert figure.axes[0].get_title() == "R → C → U: 0.00, superficial"
    assert figure.axes[5].get_title() == "C → U → R: 1.00, deep"
    _, U, R = figure.axes[5].get_lines()
    assert U.get_ydata()[-1] == pytest.approx(-5) and R.get_ydata()[-1] == -1
    scores = figure.axes[6].containers[0][0].get_ydata()
    assert list(scores) == pytest.approx([0.2 * n + 0.001 for n in range(6)])
    assert list(figure.axes[6].collections[-1].get_offsets()[:, 1]) == pytest.approx(
        list(depth_by_order.published_scores().values())
    )
    assert depth.draw(EMPTY) is None


def test_networks_and_language_models_have_their_own_depth_figure():
    networks_only = records.Tables.concat(depth_records())
    assert figure4.draw(networks_only) is None
    language = records.Tables(
        networks_only.records.with_columns(world=pl.lit("llm")), networks_only.examples
    )
    assert depth.draw(language) is None
    assert figure4.draw(language).axes[5].get_title() == "C → U → R: 1.00, deep"
