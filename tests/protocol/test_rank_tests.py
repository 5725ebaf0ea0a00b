"""Rank tests of recency against enumeration of every ranking."""

import itertools

import numpy as np
import pytest

from protocol import metrics
from protocol.errors import InputError


def scores(*ranks_of_last: int, paths: int = 4) -> np.ndarray:
    """Forget scores in which p = last has these ranks, one seed each."""
    rows = []
    for rank in ranks_of_last:
        others = [value for value in range(1, paths + 1) if value != rank]
        rows.append([*others, rank])
    return np.array(rows, float)


def test_slowest_under_every_seed() -> None:
    found = metrics.last_rank_test(scores(1, 1, 1, 1, 1))
    assert found == pytest.approx((1.0, 4.0**-5))


@pytest.mark.parametrize("ranks", [(1, 2, 1), (3, 3, 3), (1, 1, 3), (2, 2, 3)])
def test_the_p_value_counts_all_rankings(ranks: tuple[int, ...]) -> None:
    every = list(itertools.product((1, 2, 3), repeat=3))
    expected = sum(sum(one) <= sum(ranks) for one in every) / len(every)
    assert metrics.last_rank_test(scores(*ranks, paths=3)).p_value == pytest.approx(expected)


def test_pages_trend_of_a_perfect_fall() -> None:
    """Every seed ranks P, P − 1, …, 1: under each seed the ranking of P! with the largest L."""
    falling = np.array([[3.0, 2.0, 1.0], [9.0, 5.0, 4.0]])
    found = metrics.position_trend(falling)
    assert found.statistic == 2 * (9 + 4 + 1)
    assert found.p_value == pytest.approx(1 / 36)
    assert metrics.position_trend(falling[:, ::-1]).p_value == pytest.approx(1.0)


def test_a_trend_needs_three_paths_and_two_seeds() -> None:
    for shape in ((1, 4), (3, 2)):
        with pytest.raises(InputError, match="at least 2 seeds and 3 paths"):
            metrics.position_trend(np.zeros(shape))
