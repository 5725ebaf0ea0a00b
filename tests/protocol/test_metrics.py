"""Metrics and statistics against values worked out by hand or by another route."""

import numpy as np
import pytest
from scipy import stats

from protocol import metrics
from protocol.errors import InputError


def test_re_distance_by_hand() -> None:
    a, b = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [3.0, 0.0]])
    assert metrics.re_distance(a, b) == (1 + 4 + 9) / 2
    assert metrics.re_distance(a[:, 0], b[:, 0]) == (1 + 9) / 2


def test_re_distance_names_what_is_wrong() -> None:
    with pytest.raises(
        InputError, match=r"b: expected predictions of shape \(3,\) like a's; got \(2,\)"
    ):
        metrics.re_distance(np.zeros(3), np.zeros(2))
    with pytest.raises(
        InputError, match=r"a: expected predictions of shape .* m > 0; got \(0, 2\)"
    ):
        metrics.re_distance(np.zeros((0, 2)), np.zeros((0, 2)))


def test_half_diameter_bounds_the_worst_distance_to_any_target() -> None:
    rng = np.random.default_rng(0)
    outcomes = rng.standard_normal((4, 30, 3))
    divergence = metrics.pairwise_divergence(outcomes)
    assert np.array_equal(divergence, divergence.T)
    assert divergence[1, 3] == pytest.approx(((outcomes[1] - outcomes[3]) ** 2).sum() / 30)
    bound = metrics.half_diameter(divergence)
    for target in (*rng.standard_normal((50, 30, 3)), outcomes.mean(axis=0)):
        assert max(np.sqrt(metrics.re_distance(u, target)) for u in outcomes) >= bound
    # tight: the midpoint of two outcomes is at exactly half their distance from both
    pair = metrics.half_diameter(metrics.pairwise_divergence(outcomes[:2]))
    assert np.sqrt(metrics.re_distance(outcomes[0], outcomes[:2].mean(axis=0))) == pytest.approx(
        pair
    )


def test_scores_and_utilities_by_hand() -> None:
    curve = np.array([[-1.0, -2.0, -4.0], [-1.0, -1.0, 0.0]])
    np.testing.assert_allclose(metrics.forget_score(curve, 2), [3.0, -1.0])
    np.testing.assert_allclose(metrics.area_score(curve), [(1 + 3) / 2, (0 - 1) / 2])
    np.testing.assert_allclose(metrics.tofu_utility(curve, 2), [1 - 3.0, 1 - 1.0])
    np.testing.assert_allclose(metrics.math_utility(np.array([0.5]), np.array([0.2])), [-0.3])
    with pytest.raises(InputError, match="step: expected 0 to 2, the steps of the curve; got 3"):
        metrics.forget_score(curve, 3)


def test_recency_ranks_the_last_path_and_counts_ties_against_it() -> None:
    scores = np.array(
        [[3.0, 2.0, 4.0, 1.0], [3.0, 1.0, 4.0, 2.0], [3.0, 1.0, 4.0, 1.0], [0.0, 1.0, 2.0, 3.0]]
    )
    np.testing.assert_array_equal(metrics.recency(scores), [1, 2, 2, 4])


def test_growth_rate_of_an_exact_exponential() -> None:
    fit = metrics.growth_rate(np.exp(0.3 * np.arange(8) - 2))
    assert fit.rate == pytest.approx(0.3, rel=1e-12)
    assert fit.low == pytest.approx(0.3, rel=1e-6)
    with pytest.raises(InputError, match="divergence: expected at least 3 points"):
        metrics.growth_rate(np.array([1.0, 0.0, 2.0]))


def test_growth_rate_interval_covers_at_its_level() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        fit = metrics.growth_rate(np.exp(0.1 * np.arange(10) + 0.2 * rng.standard_normal(10)))
        covered += fit.low <= 0.1 <= fit.high
    assert stats.binomtest(covered, 400, 0.95).pvalue > 0.01


@pytest.mark.parametrize(
    ("successes", "trials", "holds"), [(5, 5, True), (4, 5, True), (3, 5, False), (2, 2, False)]
)
def test_the_exact_bound_decides_recency_as_agreed(successes, trials, holds) -> None:
    """One-sided 95%: 5 of 5 and 4 of 5 are above 1/4, 3 of 5 is not."""
    low, high = metrics.exact_interval(successes, trials)
    assert (low > 0.25) is holds
    # the bound is where seeing so many or more has probability 5%
    assert stats.binom.sf(successes - 1, trials, low) == pytest.approx(0.05)
    assert (
        high == 1.0
        if successes == trials
        else stats.binom.cdf(successes, trials, high) == pytest.approx(0.05)
    )


def test_exact_interval_at_the_ends() -> None:
    assert metrics.exact_interval(0, 4)[0] == 0.0
    assert metrics.exact_interval(4, 4)[1] == 1.0
    with pytest.raises(InputError, match=r"successes: expected 0 to trials \(4\)"):
        metrics.exact_interval(5, 4)


def test_t_interval_against_scipy() -> None:
    values = np.array([1.0, 2.0, 4.0])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(metrics.t_interval(values), expected)
    assert metrics.t_interval(np.array([1.0])) == (-np.inf, np.inf)


def test_median_interval_by_hand_and_its_cover() -> None:
    """5 values: P(Bin(5, ½) < 1) = 1/32 ≤ 5% < P(Bin < 2) = 6/32, so the smallest and the largest;
    4: 1/16 > 5%.
    """
    assert metrics.median_interval(np.array([3.0, 1.0, 5.0, 2.0, 4.0])) == (1.0, 5.0)
    assert metrics.median_interval(np.arange(4.0)) == (-np.inf, np.inf)
    draws = np.random.default_rng(4).exponential(size=(600, 21))
    low, high = np.array([metrics.median_interval(values) for values in draws]).T
    for missed in (low > np.log(2), high < np.log(2)):
        assert stats.binomtest(int(missed.sum()), 600, 0.05, alternative="greater").pvalue > 0.01
        assert missed.sum() > 5  # P(Bin(21, ½) < 7) = 3.9%: not needlessly wide


def test_path_f_test_is_the_one_way_analysis_of_variance() -> None:
    values = np.random.default_rng(1).standard_normal((3, 4)) + np.arange(4)
    test = metrics.path_f_test(values)
    expected = stats.f_oneway(*values.T)
    assert test.statistic == pytest.approx(expected.statistic)
    assert test.p_value == pytest.approx(expected.pvalue)
    assert test.threshold == pytest.approx(stats.f.ppf(0.95, 3, 8))
    with pytest.raises(
        InputError, match="values: expected at least 2 seeds and 2 paths; got 1 seeds, 4 paths"
    ):
        metrics.path_f_test(values[:1])


def test_summary_f_test_needs_only_means_and_variances() -> None:
    values = np.random.default_rng(2).standard_normal((5, 3)) + np.arange(3)
    by_summary = metrics.summary_f_test(values.mean(axis=0), values.var(axis=0, ddof=1), 5)
    assert by_summary == metrics.path_f_test(values)
    # means 0, 2: variance 2; S = 4: between 8; within (1 + 3)/2 = 2; F = 4 against F(1, 6)
    by_hand = metrics.summary_f_test(np.array([0.0, 2.0]), np.array([1.0, 3.0]), 4)
    assert by_hand.statistic == pytest.approx(4.0)
    assert by_hand.threshold == pytest.approx(stats.f.ppf(0.95, 1, 6))
    with pytest.raises(InputError, match="seeds: expected at least 2 behind every mean; got 1"):
        metrics.summary_f_test(np.zeros(2), np.ones(2), 1)


def test_interval_variance_undoes_the_interval() -> None:
    values = np.random.default_rng(3).standard_normal(4)
    low, high = metrics.t_interval(values)
    half = np.array([(high - low) / 2])
    assert metrics.interval_variance(half, 4) == pytest.approx(values.var(ddof=1))
    # ±1.96 standard errors: h = 1.96 s/√S, so h = 1.96 of S = 4 is s² = 4
    assert metrics.interval_variance(np.array([1.959964]), 4, normal=True) == pytest.approx(4.0)
    with pytest.raises(InputError, match="seeds: expected at least 2 behind an interval; got 1"):
        metrics.interval_variance(half, 1)


def test_f_test_at_the_ends() -> None:
    assert metrics.f_test(0.0, 0.0, (2, 4)).statistic == 0.0
    assert metrics.f_test(1.0, 0.0, (2, 4)).statistic == np.inf
    assert metrics.f_test(6.0, 2.0, (2, 4), confidence=0.9)[:2] == (
        3.0,
        pytest.approx(stats.f.ppf(0.9, 2, 4)),
    )


def test_partial_f_test_is_the_two_way_analysis_of_variance() -> None:
    """Balanced classes a (3) × b (2): b's mean square over the residual of the additive model, by
    means.
    """
    values = np.random.default_rng(5).standard_normal((3, 2)) + np.array([0.0, 2.0])
    a, b = (np.eye(n)[index.ravel()] for n, index in zip((3, 2), np.indices((3, 2)), strict=True))
    rows, columns = (values.mean(axis=axis, keepdims=True) for axis in (1, 0))
    of_b = 3 * np.sum((columns - values.mean()) ** 2)
    left = np.sum((values - rows - columns + values.mean()) ** 2)
    test = metrics.partial_f_test(values.ravel(), a, b)
    assert (test.between, test.within) == (pytest.approx(of_b), pytest.approx(left / 2))
    assert test.threshold == pytest.approx(stats.f.ppf(0.95, 1, 2))
    with pytest.raises(
        InputError,
        match="added: expected rank beside known's and rows to spare; got 0 more and 3 left",
    ):
        metrics.partial_f_test(values.ravel(), a, a)


def test_partial_f_test_keeps_its_level() -> None:
    rng = np.random.default_rng(6)
    known, added = np.eye(4)[np.arange(24) % 4], np.eye(3)[np.arange(24) % 3]
    p_values = [
        metrics.partial_f_test(rng.standard_normal(24), known, added).p_value for _ in range(400)
    ]
    assert stats.binomtest(sum(p <= 0.05 for p in p_values), 400, 0.05).pvalue > 0.01


def test_rank_correlation_by_counting_pairs() -> None:
    """0 < 5 < ∞ against 1, 3, 2: two pairs agree, one does not."""
    x, y = np.array([0.0, 5.0, np.inf]), np.array([1.0, 3.0, 2.0])
    assert metrics.rank_correlation(x, y) == pytest.approx(1 / 3)
    assert metrics.rank_correlation(x, np.ones(3)) == metrics.rank_correlation(np.ones(3), y) == 0.0


def test_path_spread_null_matches_the_known_size_of_sampling_noise() -> None:
    """100 sums × 5 samples at equal accuracy: 95% of max − min over four paths lies below about
    0.12 · √(40/100).
    """
    rng = np.random.default_rng(2)
    values = rng.binomial(5, 0.5, size=(100, 4)) / 5
    test = metrics.path_spread_test(values)
    # sd of a path's mean 0.5/√500 = 0.0224; the range of four normal means has its 95% quantile at
    # 3.63 sd
    assert test.threshold == pytest.approx(3.63 * 0.0224, rel=0.15)
    assert metrics.path_spread_test(values + np.array([0, 0, 0, 0.3])).p_value < 0.001


def test_path_spread_test_refuses_what_is_no_number() -> None:
    values = np.zeros((5, 4))
    values[2, 1] = np.nan
    with pytest.raises(
        InputError, match="a finite number for every unit and path; got 1 that are not"
    ):
        metrics.path_spread_test(values)


def test_path_spread_test_keeps_its_level() -> None:
    rng = np.random.default_rng(3)
    p_values = [
        metrics.path_spread_test(rng.standard_normal((12, 4)), draws=200).p_value
        for _ in range(200)
    ]
    assert stats.binomtest(sum(p <= 0.05 for p in p_values), 200, 0.05).pvalue > 0.01
