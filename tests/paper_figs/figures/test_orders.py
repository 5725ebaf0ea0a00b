"""The figure of all orders: means by distance and next stage, orders one by one, the numbers of O1
and O2.
"""

import itertools

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from paper_figs.figures import orders
from protocol import metrics, records

NEXT = {"": 0.0, "a": 1.0, "b": 3.0}


def forgotten(order: tuple[str, ...], seed: int) -> float:
    """10 for every later stage, and what the next one and the seed add, and 0.4 where "a" comes
    first.
    """
    later = len(order) - 1 - order.index("u")
    return (
        10.0 * later
        + NEXT[(*order, "")[order.index("u") + 1]]
        + 0.1 * seed
        + 0.4 * (order[0] == "a")
    )


def run(order: tuple[str, ...], seed: int) -> records.Tables:
    name = ">".join(order)
    head = records.Run(
        f"{name}{seed}", "s", "orders", "llm", "m", name, order.index("u") + 1, "r", "GA", seed
    )
    return records.tables(
        head, [(t, "label_loglik", -1 - forgotten(order, seed) * t / 10) for t in (0, 5, 10)]
    )


@pytest.fixture(scope="module")
def figure() -> Figure:
    parts = [
        run(order, seed) for order in itertools.permutations(("a", "b", "u")) for seed in (0, 1, 2)
    ]
    drawn = orders.draw(records.Tables.concat(parts))
    assert drawn is not None
    drawn.draw_without_rendering()
    return drawn


def test_a_marker_is_the_mean_of_a_distance_and_a_next_stage(figure: Figure) -> None:
    (axes,) = figure.axes
    found = {}
    for container in axes.containers:
        marker, _, (bar,) = container
        found[marker.get_marker(), round(marker.get_xdata()[0])] = (
            marker.get_ydata()[0],
            bar.get_segments()[0][:, 1],
        )
    assert set(found) == {("*", 0), ("o", 1), ("s", 1), ("o", 2), ("s", 2)}
    first = {("*", 0): 0.2, ("s", 1): 0.4}  # one of two orders, the only order
    for (marker, distance), (middle, bar) in found.items():
        level = (
            10.0 * distance
            + {"*": 0.0, "o": 1.0, "s": 3.0}[marker]
            + first.get((marker, distance), 0.0)
        )
        assert middle == pytest.approx(level + 0.1)
        assert bar == pytest.approx(metrics.t_interval(level + np.array([0.0, 0.1, 0.2])))


def test_the_line_is_the_mean_over_all_orders(figure: Figure) -> None:
    line = figure.axes[0].get_lines()[-1]
    assert list(line.get_xdata()) == [0, 1, 2]
    assert list(line.get_ydata()) == pytest.approx([0.3, 12.3, 22.1])


def test_every_order_is_a_dot(figure: Figure) -> None:
    dots = [each for each in figure.axes[0].collections if isinstance(each, PathCollection)]
    heights = np.concatenate([each.get_offsets()[:, 1] for each in dots])
    assert sorted(heights) == pytest.approx([0.1, 0.5, 11.1, 13.5, 21.1, 23.1])


def test_the_title_has_the_claims(figure: Figure) -> None:
    method, slope, successor = figure.axes[0].get_title().split("\n")
    assert (method, slope) == ("GA", "O1: 10.9 [10.9, 10.9], holds")
    assert successor.startswith("O2: ")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "no stage follows",
        "next: a",
        "next: b",
    ]


def test_no_records_no_figure() -> None:
    assert orders.draw(records.Tables.concat([])) is None
