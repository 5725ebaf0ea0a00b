"""Theorem 3.1 and Corollary 1 against d×d formulas, along real ascents, and at their edges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import InputError
from protocol.metrics import re_distance
from theory import linear
from theory.theorem import DivergenceBound, divergence_bound, divergence_bounds

D, K, M, ETA = 12, 4, 9, 0.05


def instance(seed=0, d=D, k=K, m=M):
    """Two trained paths, the forget set (stage B) and test inputs."""
    rng = np.random.default_rng(seed)
    stages = {
        "A": (rng.normal(size=(5, d)), rng.normal(size=5)),
        "B": (rng.normal(size=(k, d)), rng.normal(size=k)),
    }
    paths = [linear.train(stages, order, mu=0.5) for order in (("A", "B"), ("B", "A"))]
    return paths, stages["B"], rng.normal(size=(m, d))


def primal(delta, X, X_test, eta):
    """ρ*, σ_U, ‖PΔ₀‖ and t₀ with d×d matrices, as the theorem states them."""
    k = X.shape[0]
    P = X.T @ np.linalg.inv(X @ X.T) @ X
    growth = 2 * eta / k * X.T @ X
    part = P @ delta
    rho = part @ growth @ part / (part @ part)
    sigma = np.linalg.svd(X_test @ P, compute_uv=False)[k - 1]
    constant = np.linalg.norm(X_test, 2) * np.linalg.norm(delta - part)
    size = np.linalg.norm(part)
    return rho, sigma, size, math.ceil(math.log(2 * constant / (sigma * size)) / math.log(1 + rho))


@pytest.mark.parametrize("seed", range(5))
def test_the_quantities_are_the_primal_ones(seed):
    (a, b), (X, _), X_test = instance(seed)
    bound = divergence_bound(a, b, X, X_test, eta=ETA)
    rho, sigma, size, t0 = primal(a - b, X, X_test, ETA)
    assert np.allclose(
        [bound.rho, bound.sigma, bound.projected_difference], [rho, sigma, size], rtol=1e-9, atol=0
    )
    assert bound.t0 == t0
    expected = sigma**2 * size**2 / (4 * M) * (1 + rho) ** (2 * 30)
    assert bound.lower_bound(30) == pytest.approx(expected, rel=1e-9)
    assert bound.log_lower_bound(30) == pytest.approx(math.log(expected), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_holds_along_the_ascent(seed):
    (a, b), (X, y), X_test = instance(seed)
    bound = divergence_bound(a, b, X, X_test, eta=ETA)
    first = max(int(bound.t0), 0)
    times = list(range(first, first + 40))
    one, other = (linear.ascend(theta, X, y, eta=ETA, at=times, readout=X_test) for theta in (a, b))
    assert all(
        re_distance(p, q) >= bound.lower_bound(t) for t, p, q in zip(times, one, other, strict=True)
    )


@pytest.mark.parametrize("epsilon", [1e-4, 3.0, 1e9])
def test_violation_step_from_both_sides(epsilon):
    """The corollary asks for a bound of 4ε: reached at its step, not one before, unless t₀ or 0
    decides.
    """
    for seed in range(5):
        (a, b), (X, y), X_test = instance(seed)
        bound = divergence_bound(a, b, X, X_test, eta=ETA)
        step = bound.violation_step(epsilon)
        assert step == int(step) >= max(0, bound.t0)
        assert bound.log_lower_bound(step) >= math.log(4 * epsilon)
        if step > max(0, bound.t0):
            assert bound.log_lower_bound(step - 1) < math.log(4 * epsilon)
        target = linear.train({"A": (X, y)}, ("A",), mu=1.0)  # any common target will do
        ends = [
            linear.ascend(theta, X, y, eta=ETA, at=[step], readout=X_test)[0] for theta in (a, b)
        ]
        assert max(re_distance(end, X_test @ target) for end in ends) >= epsilon


def test_orthogonal_stages_do_not_diverge():
    """X_A X_Bᵀ = 0: both orders give the same model (eq. 3), in any basis, so the bound is 0 for
    ever.
    """
    rng = np.random.default_rng(5)
    turn = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    X_a, X_b = rng.normal(size=(3, 5)) @ turn[:5], rng.normal(size=(4, 5)) @ turn[5:]
    stages = {"A": (X_a, rng.normal(size=3)), "B": (X_b, rng.normal(size=4))}
    a, b = (linear.train(stages, order, mu=0.1) for order in (("A", "B"), ("B", "A")))
    bound = divergence_bound(a, b, X_b, rng.normal(size=(6, 10)), eta=0.1)
    assert bound.t0 == -math.inf
    assert math.isnan(bound.rho)
    assert (bound.lower_bound(100), bound.log_lower_bound(100)) == (0.0, -math.inf)
    assert bound.violation_step(1e-300) == math.inf


def test_a_difference_outside_the_forget_rows_is_never_bounded():
    X = np.eye(2, 5)
    bound = divergence_bound(np.eye(5)[3], np.eye(5)[4], X, np.eye(5), eta=0.1)
    assert (bound.t0, bound.projected_difference, bound.lower_bound(9)) == (math.inf, 0.0, 0.0)
    assert bound.violation_step(1.0) == math.inf


def test_a_difference_inside_the_forget_rows_diverges_at_once():
    """Δ₀ = e₁, X_U = I_{2×5}, X_test = I: C₀ = 0, ρ* = 2η/k = 0.1, σ_U = 1.

    So d_t = 1.1^{2t}/5, the bound a quarter of it.
    """
    bound = divergence_bound(np.eye(5)[0], np.zeros(5), np.eye(2, 5), np.eye(5), eta=0.1)
    assert bound.t0 == -math.inf
    assert bound.rho == pytest.approx(0.1, rel=1e-12)
    assert bound.lower_bound(3) == pytest.approx(1.1**6 / 20, rel=1e-12)
    assert bound.violation_step(1e-9) == 0.0


def test_a_threshold_may_lie_before_the_start():
    """Δ₀ = e₁ + 0.01 e₃: C₀ = 0.01, ratio 0.02, ρ* = 0.1, so t₀ = ⌈log 0.02/log 1.1⌉ = ⌈−41.05⌉ =
    −41.
    """
    delta = np.array([1.0, 0.0, 0.01, 0.0, 0.0])
    bound = divergence_bound(delta, np.zeros(5), np.eye(2, 5), np.eye(5), eta=0.1)
    assert bound.t0 == -41.0
    assert bound.violation_step(1e-9) == 0.0
    assert re_distance(delta, np.zeros(5)) >= bound.lower_bound(0)


def test_the_logarithm_outlives_the_bound():
    bound = DivergenceBound(rho=1.0, sigma=1.0, t0=0.0, projected_difference=1.0, tests=1)
    assert bound.lower_bound(1e6) == math.inf
    assert bound.log_lower_bound(1e6) == pytest.approx(2e6 * math.log(2) - math.log(4), rel=1e-15)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 5))
def test_bases_and_units_do_not_matter(seed, scale):
    """Turning all inputs changes nothing; X_U → cX_U with η → η/c² leaves M; θ → cθ scales the
    bound by c².
    """
    (a, b), (X, _), X_test = instance(seed)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(D, D)))[0]
    plain = divergence_bound(a, b, X, X_test, eta=ETA).log_lower_bound(10)
    turned = divergence_bound(turn.T @ a, turn.T @ b, X @ turn, X_test @ turn, eta=ETA)
    longer = divergence_bound(a, b, scale * X, X_test, eta=ETA / scale**2)
    larger = divergence_bound(scale * a, scale * b, X, X_test, eta=ETA)
    assert turned.log_lower_bound(10) == pytest.approx(plain, abs=1e-8)
    assert longer.log_lower_bound(10) == pytest.approx(plain, abs=1e-8)
    assert larger.log_lower_bound(10) == pytest.approx(plain + 2 * math.log(scale), abs=1e-8)


def test_bad_input_says_what_was_expected():
    (a, b), (X, _), X_test = instance()
    with pytest.raises(
        InputError, match=r"X_test: expected m ≥ k = 4 rows, .*; got m = 3; add test inputs"
    ):
        divergence_bound(a, b, X, X_test[:3], eta=ETA)
    with pytest.raises(
        InputError, match=r"X_forget: expected 5 linearly independent rows; got rank 4; drop"
    ):
        divergence_bound(a, b, np.vstack([X, X[0] + X[1]]), X_test, eta=ETA)
    with pytest.raises(
        InputError, match=r"X_test: expected inputs that see all 4 directions .*; got rank 1"
    ):
        divergence_bound(a, b, X, np.tile(X_test[:1], (5, 1)), eta=ETA)
    with pytest.raises(
        InputError, match=r"theta_b: expected a vector of shape \(12,\).*got shape \(3,\)"
    ):
        divergence_bound(a, b[:3], X, X_test, eta=ETA)
    with pytest.raises(InputError, match=r"eta: expected a finite number > 0; got inf"):
        divergence_bound(a, b, X, X_test, eta=math.inf)
    with pytest.raises(InputError, match=r"epsilon: expected a finite number > 0; got 0"):
        divergence_bound(a, b, X, X_test, eta=ETA).violation_step(0)


def test_all_pairs_at_once():
    """Every pair's bound is the one of the pair alone."""
    (a, b), (X, _), X_test = instance()
    thetas = np.stack([a, b, np.random.default_rng(0).normal(size=D)])
    together = divergence_bounds(thetas, X, X_test, eta=ETA)
    assert list(together) == [(0, 1), (0, 2), (1, 2)]
    for (p, q), bound in together.items():
        alone = divergence_bound(thetas[p], thetas[q], X, X_test, eta=ETA)
        assert bound.t0 == alone.t0
        assert bound.log_lower_bound(20) == pytest.approx(alone.log_lower_bound(20), rel=1e-12)
    with pytest.raises(InputError, match="thetas: expected at least 2 models, one a row; got 1"):
        divergence_bounds(thetas[:1], X, X_test, eta=ETA)
    with pytest.raises(
        InputError, match="X_forget: expected linearly independent rows, so k ≤ d = 12; got k = 13"
    ):
        divergence_bounds(thetas, np.ones((13, D)), np.ones((20, D)), eta=ETA)
