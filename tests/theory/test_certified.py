"""Certified unlearning: the Gaussians' divergence by numerical integration, steps and noise along
real ascents.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from protocol.errors import InputError
from theory import linear
from theory.certified import (
    critical_ratio,
    first_violating_step,
    hockey_stick,
    log_noise_needed,
    violated,
)

D, K, ETA = 12, 4, 0.05
PRIVACY = {"epsilon": 1.0, "delta": 1e-5}


def instance(seed=0):
    """Two trained paths and the forget set."""
    rng = np.random.default_rng(seed)
    stages = {
        "A": (rng.normal(size=(5, D)), rng.normal(size=5)),
        "B": (rng.normal(size=(K, D)), rng.normal(size=K)),
    }
    return [linear.train(stages, order, mu=0.5) for order in (("A", "B"), ("B", "A"))], stages["B"]


def integrated(x, epsilon):
    """∫ max(p − e^ε q, 0) with p = N(x, 1), q = N(0, 1): p > e^ε q from z = ε/x + x/2 on."""
    edge = epsilon / x + x / 2

    def excess(z):
        return stats.norm.pdf(z - x) - math.exp(epsilon) * stats.norm.pdf(z)

    end = max(edge, x) + 40
    split = sorted({edge, max(edge, x), edge + 5, end})
    return sum(
        integrate.quad(excess, a, b, epsabs=0, epsrel=1e-11, limit=200)[0]
        for a, b in itertools.pairwise(split)
    )


@pytest.mark.parametrize("epsilon", [0.0, 1e-3, 0.3, 0.999, 1.0, 2.0, 10.0])
@pytest.mark.parametrize("x", [1e-2, 0.2, 1.0, 2.5, 8.0])
def test_the_divergence_is_the_integral(x, epsilon):
    expected = integrated(x, epsilon)
    if expected > 1e-250:
        assert hockey_stick(3 * x, 3.0, epsilon) == pytest.approx(expected, rel=1e-9)
    else:
        assert hockey_stick(3 * x, 3.0, epsilon) < 1e-249


def test_limits_of_the_divergence():
    """0 for equal means, total variation erf(x/√8) at ε = 0, 1 far away, and no overflow where e^ε
    is.
    """
    x = np.array([1e-12, 1e-6, 0.1, 5.0])
    np.testing.assert_allclose(
        hockey_stick(x, 1.0, 0.0), [math.erf(v / math.sqrt(8)) for v in x], rtol=1e-12
    )
    assert (
        hockey_stick(0.0, 1.0, 0.0)
        == hockey_stick(0.0, 1.0, 2.0)
        == hockey_stick(1e-9, 1.0, 2.0)
        == 0
    )
    assert hockey_stick(1e6, 1.0, 3.0) == 1
    # x²/2 = ε: Φ(0) − e^ε Φ(−x), the second term e^ε φ(x)/x up to 1/x² of it
    assert hockey_stick(math.sqrt(4000), 1.0, 2000.0) == pytest.approx(
        0.5 - 1 / math.sqrt(8000 * math.pi), abs=1e-5
    )


def test_it_grows_with_distance_and_falls_with_noise_and_epsilon():
    x = np.geomspace(1e-3, 1e3, 400)
    for epsilon in (0.0, 0.5, 1.0, 5.0, 800.0):
        values = hockey_stick(x, 1.0, epsilon)
        assert np.all(np.diff(values) >= 0)
        assert np.all((values >= 0) & (values <= 1))
    for value in (0.3, 2.0):
        by_epsilon = [
            float(hockey_stick(value, 1.0, epsilon)) for epsilon in np.linspace(0, 3, 200)
        ]
        by_noise = [float(hockey_stick(value, s, 1.0)) for s in np.geomspace(0.1, 10, 200)]
        assert np.all(np.diff(by_epsilon) < 0)
        assert np.all(np.diff(by_noise) <= 0)


@pytest.mark.parametrize(
    ("epsilon", "delta"), [(1.0, 1e-5), (0.0, 1e-4), (0.1, 0.3), (5.0, 1e-8), (300.0, 1e-200)]
)
def test_the_critical_ratio_from_both_sides(epsilon, delta):
    x = critical_ratio(epsilon, delta)
    assert not violated(x * (1 - 1e-9), 1.0, epsilon, delta)
    assert violated(x * (1 + 1e-9), 1.0, epsilon, delta)
    if epsilon < 100:
        assert integrated(x, 2 * epsilon) == pytest.approx(
            (1 + math.exp(epsilon)) * delta, rel=1e-8
        )


def test_what_is_allowed_anyway_is_never_violated():
    """(1 + e)·0.27 = 1.004 ≥ 1 > (1 + e)·0.26."""
    assert critical_ratio(1.0, 0.27) == math.inf
    assert critical_ratio(1.0, 0.26) < 10
    (a, b), (X, _) = instance()
    assert first_violating_step(a - b, X, eta=ETA, noise=1e-9, epsilon=1.0, delta=0.27) == math.inf
    assert log_noise_needed(a - b, X, eta=ETA, epsilon=1.0, delta=0.27, at=[5])[0] == -math.inf
    assert not violated(1e9, 1e-9, 1.0, 0.27)


@pytest.mark.parametrize("seed", range(3))
def test_first_step_and_noise_along_the_ascent(seed):
    """Both paths ascended step by step: no violation before the first step, one at every later
    step.
    """
    (a, b), (X, y) = instance(seed)
    one, other = (linear.ascend(theta, X, y, eta=ETA, steps=60) for theta in (a, b))
    distance = np.linalg.norm(one - other, axis=1)
    needed = log_noise_needed(a - b, X, eta=ETA, at=range(61), **PRIVACY)
    np.testing.assert_allclose(np.exp(needed), distance / critical_ratio(**PRIVACY), rtol=1e-9)
    for noise in np.exp(needed[[0, 7, 30]]) * 0.999:
        is_violated = violated(distance, noise, **PRIVACY)
        first = first_violating_step(a - b, X, eta=ETA, noise=noise, **PRIVACY)
        assert is_violated.tolist() == [t >= first for t in range(61)]
    just_enough = math.exp(needed[30]) * (1 + 1e-9)
    assert first_violating_step(a - b, X, eta=ETA, noise=just_enough, **PRIVACY) == 31


def test_far_times():
    """The noise grows by log(1 + 2ηλ_max/k) a step, and a first step far away is found exactly."""
    (a, b), (X, _) = instance()
    needed = log_noise_needed(a - b, X, eta=ETA, at=[10**5, 2 * 10**5], **PRIVACY)
    rate = math.log1p(2 * ETA / K * np.linalg.norm(X, 2) ** 2)
    assert np.diff(needed)[0] == pytest.approx(1e5 * rate, rel=1e-9)
    slow = 1e-9 * X  # λ is 10⁻¹⁸ of what it was: time is 10¹⁸ times as long
    assert first_violating_step(a - b, slow, eta=1e3, noise=1e5, **PRIVACY) > 1e13
    # Δ₀ = e₁, X = e₁, k = 1: ‖Δ_t‖ = 1.1^t, with x* s = 1.1^100.5 first at 101
    noise = 1.1**100.5 / critical_ratio(**PRIVACY)
    assert (
        first_violating_step(np.eye(3)[0], np.eye(3)[:1], eta=0.05, noise=noise, **PRIVACY) == 101
    )
    assert first_violating_step(np.eye(3)[0], np.eye(3)[:1], eta=0.05, noise=1e-9, **PRIVACY) == 0
    assert (
        first_violating_step(np.eye(3)[1], np.eye(3)[:1], eta=0.05, noise=noise, **PRIVACY)
        == math.inf
    )
    assert (
        first_violating_step(np.zeros(3), np.eye(3)[:1], eta=0.05, noise=noise, **PRIVACY)
        == math.inf
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 5), st.floats(0.01, 100))
def test_bases_and_units_do_not_matter(seed, scale, noise):
    (a, b), (X, _) = instance(seed)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(D, D)))[0]
    options = {"eta": ETA, "at": [0, 9, 1000], **PRIVACY}
    plain = log_noise_needed(a - b, X, **options)
    np.testing.assert_allclose(
        log_noise_needed(b - a, X[::-1], **options), plain, rtol=1e-9
    )  # either path first
    np.testing.assert_allclose(
        log_noise_needed((a - b) @ turn, X @ turn, **options), plain, rtol=1e-9
    )
    np.testing.assert_allclose(
        log_noise_needed(scale * (a - b), X, **options), plain + math.log(scale), rtol=1e-9
    )
    longer = log_noise_needed(a - b, scale * X, **options | {"eta": ETA / scale**2})
    np.testing.assert_allclose(longer, plain, rtol=1e-9)
    assert hockey_stick(scale, scale * noise, 0.5) == pytest.approx(
        float(hockey_stick(1.0, noise, 0.5)), rel=1e-9
    )


def test_bad_input_says_what_was_expected():
    (a, b), (X, _) = instance()
    with pytest.raises(InputError, match=r"distance: expected numbers ≥ 0; got -1"):
        hockey_stick([1.0, -1.0], 1.0, 0.5)
    with pytest.raises(
        InputError, match=r"distance: expected finite numbers; got 1 nan or infinite"
    ):
        violated(math.nan, 1.0, **PRIVACY)
    with pytest.raises(InputError, match=r"noise: expected a finite number > 0; got 0"):
        hockey_stick(1.0, 0, 0.5)
    with pytest.raises(InputError, match=r"epsilon: expected a finite number ≥ 0; got -1"):
        hockey_stick(1.0, 1.0, -1)
    for delta, message in (
        (1.5, "a number between 0 and 1; got 1.5"),
        (0, "a finite number > 0; got 0"),
    ):
        with pytest.raises(InputError, match=f"delta: expected {message}"):
            critical_ratio(1.0, delta)
    with pytest.raises(
        InputError, match=r"difference: expected a vector of shape \(12,\), like X_forget's rows"
    ):
        first_violating_step((a - b)[:3], X, eta=ETA, noise=1.0, **PRIVACY)
    with pytest.raises(InputError, match=r"eta: expected a finite number > 0; got -1"):
        log_noise_needed(a - b, X, eta=-1, at=[1], **PRIVACY)
