"""The figure of the local oracle: shares and multiples of the floor by hand, and the line that
claim S1 asks for.
"""

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figs.figures import oracle
from protocol import metrics, records
from protocol.claims.controls.oracle import judge

PARTS = {"forget": 0.1, "inst": 0.2, "math": 0.4}  # and their floors


def run(position: int, seed: int) -> records.Tables:
    """On forget prompts 1 falls to 0.01·p; inst falls to half and math to an eighth, then both rise
    again.
    """
    values = {
        "forget": (1.0, 0.5, 0.01 * position),
        "inst": (0.2 * 2**seed, 0.1 * 2**seed, 0.4),
        "math": (0.8, 0.1, 0.8),
    }
    head = records.Run(
        f"{position}{seed}",
        "s",
        "oracle-local",
        "llm",
        "m",
        "o",
        position,
        "r",
        "oracle-local",
        seed,
    )
    return records.tables(
        head, [(t, f"re_distance/{part}", v[t]) for part, v in values.items() for t in range(3)]
    )


def floor() -> records.Tables:
    head = records.Run("floor", "s", "oracle-local", "llm", "m", "0|1", 0, "floor", "floor", 0)
    return records.tables(
        head, [(0, f"re_distance/{part}", level) for part, level in PARTS.items()]
    )


def tables(*, with_floor: bool = True) -> records.Tables:
    return records.Tables.concat(
        [run(p, s) for p in (1, 2) for s in (0, 1, 2)] + [floor()] * with_floor
    )


@pytest.fixture(scope="module")
def figure() -> Figure:
    drawn = oracle.draw(tables())
    assert drawn is not None
    drawn.draw_without_rendering()
    return drawn


def test_shares_left_on_forget_and_retained_prompts(figure: Figure) -> None:
    """Retained: the geometric mean of a half (inst) and an eighth (math) is a quarter."""
    forget, retained = figure.axes[0].containers
    assert list(forget[0].get_ydata()) == pytest.approx([0.01, 0.02])
    assert list(retained[0].get_ydata()) == pytest.approx([0.25, 0.25])
    assert figure.axes[0].get_title() == "m, 3 seeds"


def test_the_multiple_of_the_floor_is_that_of_the_worst_part_at_the_best_step(
    figure: Figure,
) -> None:
    """The last step is best: forget 0.1·p, inst 2, math 2; seed by seed the worst part is at 2."""
    (container,) = figure.axes[1].containers
    assert list(container[0].get_ydata()) == pytest.approx([2.0, 2.0])
    assert [line.get_label() for line in figure.axes[1].get_lines()].count("noise floor") == 1
    (claim,) = judge(tables())
    assert claim.value == 0.0


def test_intervals_are_of_logarithms(figure: Figure) -> None:
    """With a floor on the way to 1 the claim turns, and so does the marker: both read the same
    numbers.
    """
    near = records.Tables.concat([tables(), *(closer(p, s) for p in (1, 2) for s in (0, 1, 2))])
    drawn = oracle.draw(near)
    assert drawn is not None
    (container,) = drawn.axes[1].containers
    low, high = np.exp(metrics.t_interval(np.log([0.5, 0.9, 0.9])))
    assert list(container[0].get_ydata()) == pytest.approx([np.cbrt(0.5 * 0.9 * 0.9)] * 2)
    assert container[2][0].get_segments()[0][:, 1] == pytest.approx([low, high])
    (claim,) = judge(near)
    assert claim.value == 1.0


def closer(position: int, seed: int) -> records.Tables:
    """A further step that is within the floor of every part."""
    share = 0.5 if seed == 0 else 0.9
    head = records.Run(
        f"{position}{seed}",
        "s",
        "oracle-local",
        "llm",
        "m",
        "o",
        position,
        "r",
        "oracle-local",
        seed,
    )
    return records.tables(
        head, [(3, f"re_distance/{part}", share * level) for part, level in PARTS.items()]
    )


def test_without_a_floor_the_lower_panel_is_left_out() -> None:
    drawn = oracle.draw(tables(with_floor=False))
    assert drawn is not None
    assert [axes.get_visible() for axes in drawn.axes] == [True, False]


def test_no_records_no_figure() -> None:
    assert oracle.draw(records.Tables.concat([])) is None
