"""The figure of the span barrier from tiny records: distances by position, displacements, pairs;
none without them.
"""

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figs.figures import span
from protocol import records

FLOORS = {1: 1e-3, 2: 4e-4, 3: 1e-31}  # 0 up to rounding for p = last
OPTIMIZERS = ("sgd", "momentum", "adam", "decay")


def run(method: str, order: str, position: int, seed: int) -> records.Run:
    return records.Run(
        f"{method} {order} {seed}",
        "s",
        "span",
        "linear",
        "linear",
        order,
        position,
        "a",
        method,
        seed,
    )


def instance(seed: int) -> list[records.Tables]:
    """Everything is 4 times as large in instance 1 as in 0, so that geometric means are twice those
    of instance 0.
    """
    size, found = 4.0**seed, []
    for p, floor in FLOORS.items():
        bounds = {"nothing": 0.1 * p * size, "floor": floor * size, "shrunk": floor, "shrink": 0.9}
        found.append(
            records.tables(
                run("oracle", f"o{p}", p, seed), [(0, name, v) for name, v in bounds.items()]
            )
        )
        for method in ("GA", "informed"):
            best = 0.05 * size if method == "GA" else floor * size
            for i, optimizer in enumerate(OPTIMIZERS):
                values = [(3, "best", best), (3, "outside/best", 0.1), (9, "outside", 10.0**-i)]
                found.append(records.tables(run(f"{method} {optimizer}", f"o{p}", p, seed), values))
    found.append(records.tables(run("oracle", "o1|o2", 1, seed), [(0, "pair_floor", 0.1)]))
    for method in ("GA sgd", "informed sgd", "GA adam"):
        closest = 0.1 if method == "informed sgd" else 0.5 * size
        found.append(records.tables(run(method, "o1|o2", 1, seed), [(2, "closest", closest)]))
    return found


def drawn() -> Figure:
    figure = span.draw(records.Tables.concat([*instance(0), *instance(1)]))
    assert figure is not None
    figure.draw_without_rendering()
    return figure


def test_a_panel_per_optimizer_with_what_bounds_it() -> None:
    axes = drawn().axes
    titles = [axes[i].get_title() for i in (0, 1, 3, 4)]
    assert titles == ["SGD (span method)", "momentum (span method)", "Adam", "weight decay"]
    nothing, floor, ga, informed = (container[0] for container in axes[0].containers)
    assert list(nothing.get_ydata()) == pytest.approx([0.2, 0.4, 0.6])
    assert list(floor.get_ydata()) == pytest.approx(
        [2e-3, 8e-4]
    )  # the last position's is not on the axis
    assert list(ga.get_ydata()) == pytest.approx([0.1, 0.1, 0.1])
    assert list(np.asarray(ga.get_xdata()) + 0.1) == pytest.approx(list(informed.get_xdata()))
    bottom, top = axes[0].get_ylim()
    assert (bottom, top) == pytest.approx((8e-4 / 3, 1.2))
    assert [text.get_text() for text in axes[0].texts] == ["floor 0 ↓"]


def test_displacements_outside_the_span_stand_by_optimizer() -> None:
    outside = drawn().axes[2]
    shown = [float(container[0].get_ydata()[0]) for container in outside.containers]
    assert shown == pytest.approx([1.0, 0.1, 0.01, 0.001] * 2)
    assert [label.get_text() for label in outside.get_xticklabels()] == [
        "SGD",
        "momentum",
        "Adam",
        "decay",
    ]


def test_pairs_of_span_methods_alone() -> None:
    """Closest over floor: 5 and 20 under GA, 1 and 1 under the informed gradient; Adam is not
    drawn.
    """
    first, second, level = drawn().axes[5].get_lines()
    assert [x for x in first.get_xdata() if np.isfinite(x)][-2:] == pytest.approx([5.0, 20.0])
    assert max(second.get_xdata()) == level.get_xdata()[0] == 1.0


def test_one_instance_has_no_interval() -> None:
    figure = span.draw(records.Tables.concat(instance(0)))
    assert figure is not None
    assert list(figure.axes[0].containers[0][0].get_ydata()) == pytest.approx([0.1, 0.2, 0.3])


def test_no_records_no_figure() -> None:
    assert span.draw(records.Tables.concat([])) is None
