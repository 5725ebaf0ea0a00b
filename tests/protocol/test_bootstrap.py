"""Intervals over seeds and questions: which one is taken, and that they cover what they promise."""

import numpy as np
import pytest

from protocol import metrics
from protocol.errors import InputError


def coverage(
    seeds: int,
    questions: int,
    *,
    between: float,
    within: float,
    shared: float = 0.0,
    repeats: int = 400,
) -> float:
    """Share of intervals that hold the true mean 0; standard deviations of seeds, of a question in
    one seed, of a question in all seeds.
    """
    rng = np.random.default_rng(seeds + questions)
    hits = 0
    for _ in range(repeats):
        values = between * rng.standard_normal((seeds, 1)) + within * rng.standard_normal(
            (seeds, questions)
        )
        values = values + shared * rng.standard_normal(questions)
        low, high = metrics.bootstrap_interval(values if questions > 1 else values[:, 0], draws=400)
        hits += low <= 0 <= high
    return hits / repeats


# 400 repeats: the binomial standard error at 0.95 is 0.011, so bounds 0.92 and 0.98 are nearly
# three of them away.
@pytest.mark.parametrize("seeds", [8, 20])
def test_it_covers_95_percent_where_seeds_make_the_spread(seeds: int) -> None:
    assert 0.92 <= coverage(seeds, 1, between=1.0, within=0.0) <= 0.98
    assert 0.92 <= coverage(seeds, 30, between=1.0, within=1.0) <= 0.98


def test_it_covers_95_percent_where_questions_shared_by_all_seeds_make_the_spread() -> None:
    """30 of them: their percentiles are 4% too narrow, which the widening for 10 seeds undoes."""
    assert 0.92 <= coverage(10, 30, between=0.0, within=0.3, shared=1.0) <= 0.99


def test_it_is_too_wide_where_what_a_seed_does_to_a_question_makes_the_spread() -> None:
    """Counted in both draws: √2 times the width, so that 95% becomes 2Φ(1.96·√2) − 1 = 99.4%."""
    assert coverage(10, 30, between=0.0, within=1.0) >= 0.97


def test_percentiles_of_few_seeds_would_cover_less_without_widening() -> None:
    """The plain percentile interval of 8 seeds is narrower by √(7/8)·1.96/2.36 = 0.78."""
    values = np.random.default_rng(0).standard_normal(8)
    low, high = metrics.bootstrap_interval(values, draws=20000)
    t_low, t_high = metrics.t_interval(values)
    assert (high - low) / (t_high - t_low) == pytest.approx(1.0, abs=0.12)


def test_few_seeds_take_students_interval_of_their_means() -> None:
    values = np.random.default_rng(1).standard_normal((7, 5))
    assert metrics.mean_interval(values) == metrics.t_interval(values.mean(axis=1))
    more = np.random.default_rng(1).standard_normal((8, 5))
    assert metrics.mean_interval(more) == metrics.bootstrap_interval(more)


def test_curves_have_an_interval_at_every_point() -> None:
    values = np.random.default_rng(2).standard_normal((9, 2, 3))
    low, high = metrics.mean_intervals(values)
    assert low.shape == high.shape == (2, 3)
    assert np.all((low < values.mean(axis=0)) & (values.mean(axis=0) < high))
    few_low, few_high = metrics.mean_intervals(values[:3])
    assert (few_low[1, 2], few_high[1, 2]) == metrics.t_interval(values[:3, 1, 2])


def test_equal_values_have_no_width_and_one_seed_is_refused() -> None:
    assert metrics.bootstrap_interval(np.full(9, 2.5)) == (2.5, 2.5)
    with pytest.raises(InputError, match=r"at least 2 seeds; got \(1,\)"):
        metrics.bootstrap_interval(np.zeros(1))
