"""The figure of dose-matched pairs: its points are the records', its differences and title those of
claim L6.
"""

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figs.figures import dose
from protocol import metrics, records
from protocol.claims.paper.dose import judge

LAST = "inst>tofu>math>safety"
PATHS = {"safety>inst>tofu>math": 1, "inst>safety>tofu>math": 2, "inst>tofu>safety>math": 3}
START = {**{order: -float(p) for order, p in PATHS.items()}, f"{LAST}@4": -4.0, LAST: -0.1}


def run(model: str, seed: int, order: str, forgotten: float) -> records.Tables:
    position = [stage.split("@")[0] for stage in order.split(">")].index("safety") + 1
    head = records.Run(
        f"{model}{seed}{order}", "s", "dose", "llm", model, order, position, "r", "GA", seed
    )
    return records.tables(
        head, [(t, "label_loglik", START[order] - forgotten * t / 20) for t in (0, 10, 20)]
    )


def score(seed: int, order: str) -> float:
    """A dose forgets its −start; a path as much more than its dose as the number of its seed, 1, 2
    or −6.
    """
    return -START[order] + (0.0 if order.startswith(LAST) else (1.0, 2.0, -6.0)[seed])


@pytest.fixture(scope="module")
def tables() -> records.Tables:
    models = {"m1": (0, 1), "m2": (0, 1, 2)}
    parts = [
        run(m, s, order, score(s, order))
        for m, seeds in models.items()
        for s in seeds
        for order in START
    ]
    return records.Tables.concat(parts)


@pytest.fixture(scope="module")
def figure(tables: records.Tables) -> Figure:
    drawn = dose.draw(tables)
    assert drawn is not None
    drawn.draw_without_rendering()
    return drawn


def test_doses_are_a_line_a_seed_and_paths_are_markers(figure: Figure) -> None:
    first, second, _ = figure.axes
    assert first.get_ylabel() == "m1\nforget score, step 20 (nats)"
    assert len(first.get_lines()) == 2 * (1 + 3)
    doses, *paths = second.get_lines()[8:12]  # the third seed
    assert list(doses.get_xdata()) == [-4.0, -0.1]
    assert list(doses.get_ydata()) == pytest.approx([4.0, 0.1])
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in paths] == [
        (-p, pytest.approx(p - 6.0)) for p in (1, 2, 3)
    ]


def test_differences_are_those_of_the_claim(figure: Figure, tables: records.Tables) -> None:
    below = figure.axes[2]
    middles = [container[0].get_ydata()[0] for container in below.containers]
    differences = np.array([-1.0, -2.0, -1.0, -2.0, 6.0])
    assert middles == pytest.approx([differences.mean()] * 4)
    bars = [container[2][0].get_segments()[0] for container in below.containers]
    assert bars[3][:, 1] == pytest.approx(metrics.t_interval(differences))
    (claim,) = (claim for claim in judge(tables) if claim.id == "L6")
    assert claim.value == 0.8
    assert below.get_title() == "L6: 0.8 [0.343, 0.99], inconclusive"


def test_a_path_without_a_pair_has_no_difference() -> None:
    short = [order for order in START if order != f"{LAST}@4"]
    parts = [run("m", s, order, 1.0) for s in (0, 1) for order in short]
    drawn = dose.draw(records.Tables.concat(parts))
    assert drawn is not None
    assert not drawn.axes[1].containers
    assert drawn.axes[1].get_title() == "L6: –, not testable"


def test_no_records_no_figure() -> None:
    assert dose.draw(records.Tables.concat([])) is None
