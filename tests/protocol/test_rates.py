"""Growth rates of a divergence: exact identities, hand-made cases, extrapolations beyond float64,
horizons.
"""

import warnings

import jax
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import metrics
from protocol.errors import InputError

SEEDS = st.integers(0, 10**6)


def trajectories(seed, points=7, m=5, c=3):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((2, points, m, c)).cumsum(axis=1)


def test_secant_rate_by_hand() -> None:
    """Δ = (3, 4), u_a − u_b = (1, 2): (3 + 8)/25."""
    assert metrics.secant_rate(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == pytest.approx(
        11 / 25, rel=1e-15
    )


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.floats(1e-3, 1e3))
def test_parameters_grow_as_the_secant_rate_says(seed, scale) -> None:
    """‖Δ + v‖² = ‖Δ‖²(1 + 2ρ) + ‖v‖²; a common unit of Δ and v, or another orthonormal basis,
    leaves ρ.
    """
    rng = np.random.default_rng(seed)
    delta, update = rng.standard_normal((2, 4, 6))
    rho = metrics.secant_rate(delta, update)
    expected = (delta**2).sum(-1) * (1 + 2 * rho) + (update**2).sum(-1)
    np.testing.assert_allclose(((delta + update) ** 2).sum(-1), expected, rtol=1e-13)
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    np.testing.assert_allclose(
        metrics.secant_rate(scale * delta @ turn, scale * update @ turn), rho, rtol=1e-9
    )


def test_secant_rate_is_the_rayleigh_quotient_of_an_ascent() -> None:
    """On a quadratic with Hessian M the updates differ by MΔ: between M's extremes, and an
    eigenvalue on its vector.
    """
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3, 6))
    M = 0.1 * X.T @ X
    a, b = rng.standard_normal((2, 6))
    target = rng.standard_normal(6)
    rho = metrics.secant_rate(a - b, M @ (a - target) - M @ (b - target))
    assert rho == pytest.approx((a - b) @ M @ (a - b) / ((a - b) @ (a - b)), rel=1e-12)
    values, vectors = np.linalg.eigh(M)
    assert metrics.secant_rate(vectors[:, -1], M @ vectors[:, -1]) == pytest.approx(
        values[-1], rel=1e-12
    )


def test_secant_rate_of_equal_runs_is_nan_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rho = metrics.secant_rate(np.array([[0.0, 0.0], [1.0, 0.0]]), np.ones((2, 2)))
    assert np.isnan(rho[0])
    assert rho[1] == 1.0


def test_secant_rate_takes_jax_and_torch() -> None:
    delta, update = np.random.default_rng(1).standard_normal((2, 3, 4)).astype(np.float32)
    expected = metrics.secant_rate(delta, update)
    np.testing.assert_allclose(
        metrics.secant_rate(torch.tensor(delta), torch.tensor(update)), expected, rtol=1e-5
    )
    np.testing.assert_allclose(jax.jit(metrics.secant_rate)(delta, update), expected, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.booleans())
def test_outputs_grow_as_the_output_rate_says(seed, flat) -> None:
    """d_{t+1} = d_t(1 + 2r_t) + ‖e_{t+1} − e_t‖²/m, each part recomputed; (m,) outputs are (m, 1)
    ones.
    """
    a, b = trajectories(seed)
    a, b = (a[..., 0], b[..., 0]) if flat else (a, b)
    growth = metrics.output_growth(a, b)
    e = (a - b).reshape(len(a), -1)
    np.testing.assert_allclose(
        growth.divergence, [metrics.re_distance(*pair) for pair in zip(a, b, strict=True)]
    )
    moved = ((e[1:] - e[:-1]) ** 2).sum(1) / 5
    rate = ((e[1:] - e[:-1]) * e[:-1]).sum(1) / (e[:-1] ** 2).sum(1)
    np.testing.assert_allclose(growth.rate, rate, rtol=1e-12)
    np.testing.assert_allclose(
        growth.divergence[1:], growth.divergence[:-1] * (1 + 2 * rate) + moved, rtol=1e-12
    )
    np.testing.assert_array_equal(metrics.output_rate(b, a), growth.rate)


def test_float32_outputs_are_measured_in_float64() -> None:
    """e_0 = (10⁴, 1), e_1 = (10⁴, 2): d grows by 3/2 of 5·10⁷, which float32 cannot hold; r_0 =
    1/(10⁸ + 1).
    """
    a = np.array([[1e4, 1], [1e4, 2]], np.float32)
    growth = metrics.output_growth(a, 0 * a)
    assert growth.divergence[1] - growth.divergence[0] == 1.5
    assert growth.rate[0] == pytest.approx(1 / (1e8 + 1), rel=1e-14)


def test_equal_outputs_have_no_rate() -> None:
    a = np.ones((3, 4))
    growth = metrics.output_growth(a, a)
    assert (growth.divergence == 0).all()
    assert np.isnan(growth.rate).all()


def test_outputs_beyond_float64_have_no_rate_and_raise_no_warning() -> None:
    growth = metrics.output_growth(np.array([[1.0], [1e200], [1e200]]), np.zeros((3, 1)))
    assert growth.divergence[1] == np.inf
    assert np.isnan(growth.rate[1])


def test_centred_logits_keep_probabilities_and_sum_to_zero() -> None:
    logits = np.random.default_rng(2).standard_normal((4, 3)) + 7
    centred = metrics.centred_logits(logits)
    np.testing.assert_allclose(centred.sum(-1), 0, atol=1e-14)
    np.testing.assert_allclose(centred - centred[:, :1], logits - logits[:, :1], rtol=1e-12)
    np.testing.assert_allclose(metrics.centred_logits(logits + 1e3), centred, atol=1e-11)


def test_both_extrapolations_of_an_exact_exponential_are_exact() -> None:
    """e_t = 1.1^t e_0: r = 0.1, d_t = 1.21^t d_0; also where 1.21^t is far beyond float64."""
    factor = 1.1 ** np.arange(6)[:, None]
    growth = metrics.output_growth(factor * np.array([1.0, -2.0]), np.zeros((6, 2)))
    log_d = np.log(growth.divergence)
    for slope in (metrics.growth_by_rate(growth.rate[0]), metrics.growth_by_ratio(log_d)):
        assert slope == pytest.approx(2 * np.log(1.1), rel=1e-12)
        np.testing.assert_allclose(metrics.extrapolate(log_d[0], slope, 5), log_d, rtol=1e-12)
        assert metrics.extrapolate(log_d[0], slope, 10**5)[-1] == pytest.approx(
            log_d[0] + 2e5 * np.log(1.1)
        )


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_the_rate_never_promises_more_than_the_ratio(seed) -> None:
    growth = metrics.output_growth(*trajectories(seed))
    by_ratio = metrics.growth_by_ratio(np.log(growth.divergence))
    assert metrics.growth_by_rate(growth.rate[0]) <= by_ratio + 1e-12


def test_growth_by_rate_at_its_edges() -> None:
    """(1 + r)²: r = −1 ends in nothing, r = −3 grows like r = 1."""
    assert metrics.growth_by_rate(-1.0) == -np.inf
    assert metrics.growth_by_rate(-3.0) == pytest.approx(2 * np.log(2))
    assert metrics.growth_by_rate(1e-12) == pytest.approx(2e-12, rel=1e-9)


def test_the_horizon_ends_where_the_factor_is_passed_on_either_side() -> None:
    """log d = 0.1 t against 0: within a factor 2 for t ≤ 6 (0.6 ≤ 0.693 < 0.7); leaving it once is
    leaving it.
    """
    flat, line = np.zeros(20), 0.1 * np.arange(20)
    assert metrics.horizon(line, flat) == metrics.horizon(flat, line) == 6
    assert metrics.horizon(line, flat, factor=np.exp(0.45)) == 4
    assert metrics.horizon(line[:5], flat[:5]) == 4  # to the end
    back = np.where(np.arange(20) == 3, 5.0, 0.0)
    assert metrics.horizon(back, flat) == 2
    assert metrics.horizon(np.array([0.0, np.nan, 0.0]), np.zeros(3)) == 0
    assert metrics.horizon(np.array([0.0, np.inf]), np.array([0.0, np.inf])) == 0


def test_the_curve_of_distances_to_a_fixed_model() -> None:
    a, b = trajectories(3)
    curve = metrics.distance_curve(a, b[0])
    np.testing.assert_allclose(curve, ((a - b[0]) ** 2).sum((1, 2)) / 5, rtol=1e-12)


def test_the_falsified_epsilon_is_the_half_diameter_squared() -> None:
    divergence = metrics.pairwise_divergence(trajectories(4)[0])
    epsilon = metrics.falsified_epsilon(divergence)
    assert epsilon == pytest.approx(metrics.half_diameter(divergence) ** 2, rel=1e-14)
    assert metrics.falsified_epsilon(np.zeros((3, 3))) == 0


def test_bad_input_says_what_was_expected() -> None:
    with pytest.raises(
        InputError, match=r"update_difference: expected the shape \(3,\) of delta; got \(2,\)"
    ):
        metrics.secant_rate(np.zeros(3), np.zeros(2))
    with pytest.raises(
        InputError, match=r"outputs_b: expected outputs of shape \(2, 3\) like a's; got \(2, 4\)"
    ):
        metrics.output_growth(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(
        InputError, match=r"outputs_a: expected outputs .* with T ≥ 1 and m > 0; got \(1, 3\)"
    ):
        metrics.output_rate(np.zeros((1, 3)), np.zeros((1, 3)))
    with pytest.raises(InputError, match=r"log_predicted: expected 3 points; got 2"):
        metrics.horizon(np.zeros(3), np.zeros(2))
    with pytest.raises(
        InputError, match=r"log_predicted: expected the measured value at step 0, 0; got 1"
    ):
        metrics.horizon(np.zeros(3), np.ones(3))
    with pytest.raises(InputError, match=r"factor: expected a number > 1; got 1"):
        metrics.horizon(np.zeros(3), np.zeros(3), factor=1)
