"""Spectral filters against d×d algebra and against stepping, their limits and thresholds; distances
as logarithms.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import InputError
from theory import checks, linear
from theory.filters import GradientDescent, MinimumNorm, Ridge, largest_step, remaining
from theory.numerics import float64

D = 11
RNG = np.random.default_rng


def stage(seed, rows=5, d=D):
    rng = RNG(seed)
    return rng.normal(size=(rows, d)) / np.sqrt(d), rng.normal(size=rows)


def close(got, expected, tolerance=1e-9):
    return np.linalg.norm(got - expected) <= tolerance * np.linalg.norm(expected)


def primal(theta, X, y, filter_):
    """The same stage in d×d matrices, or step by step."""
    n, one = len(y), np.eye(X.shape[1])
    if isinstance(filter_, Ridge):
        return np.linalg.solve(X.T @ X + filter_.mu * one, X.T @ y + filter_.mu * theta)
    if isinstance(filter_, MinimumNorm):
        return theta + np.linalg.pinv(X) @ (y - X @ theta)
    for _ in range(int(filter_.steps)):
        theta = theta - filter_.eta * (2 / n) * X.T @ (X @ theta - y)
    return theta


FILTERS = [
    Ridge(0.3),
    GradientDescent(1, 0.4),
    GradientDescent(37, 0.8),
    GradientDescent(38, 0.8),
    MinimumNorm(),
]


@pytest.mark.parametrize("filter_", FILTERS)
def test_a_stage_is_the_primal_one(filter_):
    X, y = stage(0)
    start = RNG(1).normal(size=D)
    got = linear.train({"A": (X, y)}, ("A",), filters=filter_, start=start)
    assert close(got, primal(start, X, y, filter_))


def test_an_order_mixes_filters_and_may_be_long():
    stages = {name: stage(i, rows=3 + i) for i, name in enumerate("ABCDE")}
    filters = dict(zip("ABCDE", FILTERS, strict=True))
    theta = np.zeros(D)
    for name in "CABEDA":
        theta = primal(theta, *stages[name], filters[name])
    assert close(linear.train(stages, tuple("CABEDA"), filters=filters), theta)


def test_steps_beyond_half_the_limit_oscillate_and_still_converge():
    """λ = n = 1: each step multiplies the residual by 1 − 2η, negative for η > ½; at η = ½ one step
    fits exactly.
    """
    X, y = np.ones((1, 1)), np.ones(1)
    for eta, steps in ((0.5, 1), (0.9, 3), (0.9, 4), (0.999, 5)):
        got = linear.train({"A": (X, y)}, ("A",), filters=GradientDescent(steps, eta))
        assert got[0] == pytest.approx(1 - (1 - 2 * eta) ** steps, rel=1e-12)


def test_gradient_descent_from_both_sides_of_its_limit():
    X, y = stage(2)
    limit = largest_step(X)
    assert limit == pytest.approx(len(y) / np.linalg.eigvalsh(X @ X.T)[-1], rel=1e-12)
    fitted = linear.train({"A": (X, y)}, ("A",), filters=GradientDescent(10**7, 0.99 * limit))
    assert close(X @ fitted, y)
    with pytest.raises(
        InputError, match=r"filters\.eta: expected a step size below n/λ_max = .* 'A' diverges; got"
    ):
        linear.train({"A": (X, y)}, ("A",), filters=GradientDescent(5, 1.01 * limit))


@pytest.mark.parametrize(
    ("near", "limit"), [(Ridge(1e-13), MinimumNorm()), (GradientDescent(10**9, 0.5), MinimumNorm())]
)
def test_no_penalty_and_endless_descent_are_the_minimum_norm(near, limit):
    stages = {"A": stage(3), "B": stage(4)}
    got, expected = (linear.train(stages, ("A", "B"), filters=f) for f in (near, limit))
    assert close(got, expected, 1e-11)


@pytest.mark.parametrize("filter_", [Ridge(1e15), GradientDescent(1, 1e-15)])
def test_an_infinite_penalty_and_a_vanishing_step_learn_nothing(filter_):
    start = RNG(5).normal(size=D)
    assert close(linear.train({"A": stage(5)}, ("A",), filters=filter_, start=start), start, 1e-13)


def test_a_direction_without_data_is_left_alone():
    """Two equal rows: K has an eigenvalue 0 along (1, −1), where g is 2ηT/n, 0 or 1/μ."""
    x = np.array([3.0, 4.0]) / 5
    X, y = np.stack([x, x]), np.array([0.0, 1.0])
    for filter_ in (GradientDescent(7, 0.3), Ridge(0.2), MinimumNorm()):
        got = linear.train({"A": (X, y)}, ("A",), filters=filter_, start=np.array([1.0, 2.0]))
        assert close(got, primal(np.array([1.0, 2.0]), X, y, filter_))
    with float64():
        zero = np.zeros(2)
        assert np.allclose(GradientDescent(7, 0.3).response(zero), 2 * 0.3 * 7 / 2, rtol=1e-15)
        assert np.array_equal(MinimumNorm().response(zero), zero)
        assert np.allclose(Ridge(0.2).response(zero), 5.0, rtol=1e-15)


@pytest.mark.parametrize("filter_", FILTERS)
def test_what_remains_of_the_residual(filter_):
    """After a stage the residual along q_j is (1 − λ_j g(λ_j)) times what it was."""
    X, y = stage(6)
    eigenvalues, vectors = np.linalg.eigh(X @ X.T)
    start = RNG(6).normal(size=D)
    after = linear.train({"A": (X, y)}, ("A",), filters=filter_, start=start)
    with float64():
        factors = np.asarray(remaining(filter_, eigenvalues))
    assert np.allclose(
        vectors.T @ (X @ after - y), factors * (vectors.T @ (X @ start - y)), rtol=1e-9, atol=1e-13
    )


@pytest.mark.parametrize("filter_", FILTERS)
def test_a_stage_without_targets_is_the_linear_part(filter_):
    (X, y), rng = stage(7), RNG(70)
    a, b = rng.normal(size=(2, D))
    ends = [linear.train({"A": (X, y)}, ("A",), filters=filter_, start=start) for start in (a, b)]
    part = linear.train({"A": (X, 0 * y)}, ("A",), filters=filter_, start=a - b)
    assert close(part, ends[0] - ends[1])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 10), st.sampled_from(FILTERS))
def test_bases_and_units_do_not_matter(seed, scale, filter_):
    """X → XO turns θ into Oᵀθ; y → cy scales θ by c; X → cX with μ → c²μ or η → η/c² by 1/c."""
    X, y = stage(seed)
    theta = linear.train({"A": (X, y)}, ("A",), filters=filter_)
    turn = np.linalg.qr(RNG(seed).normal(size=(D, D)))[0]
    assert close(linear.train({"A": (X @ turn, y)}, ("A",), filters=filter_), turn.T @ theta)
    assert close(linear.train({"A": (X, scale * y)}, ("A",), filters=filter_), scale * theta)
    if isinstance(filter_, Ridge):
        filter_ = Ridge(scale**2 * filter_.mu)
    elif isinstance(filter_, GradientDescent):
        filter_ = GradientDescent(filter_.steps, filter_.eta / scale**2)
    assert close(linear.train({"A": (scale * X, y)}, ("A",), filters=filter_), theta / scale)


def test_distances_as_logarithms_are_those_of_the_ascent():
    (X, y), rng = stage(8), RNG(8)
    theta, other, X_test = rng.normal(size=D), rng.normal(size=D), rng.normal(size=(7, D))
    at = [0, 1, 9, 60]
    moved, beside = (
        linear.ascend(start, X, y, eta=0.4, at=at, readout=X_test) for start in (theta, other)
    )
    expected = np.log(np.mean((moved - X_test @ other) ** 2, axis=1))
    assert np.allclose(
        linear.log_distance(theta, other, X, y, X_test, eta=0.4, at=at),
        expected,
        rtol=1e-9,
        atol=1e-9,
    )
    expected = np.log(np.mean((moved - beside) ** 2, axis=1))
    assert np.allclose(
        linear.log_divergence(theta, other, X, X_test, eta=0.4, at=at),
        expected,
        rtol=1e-9,
        atol=1e-9,
    )


def test_a_hundred_thousand_steps_overflow_nothing():
    """One row e₁, η = ½: the residual doubles each step, so log d = 2t log 2 + log(Δ₁²/m) + log of
    what X_test sees.
    """
    X, X_test, times = np.eye(1, 3), np.eye(3), [10**5, 10**9]
    got = linear.log_divergence(
        np.array([2.0, 5.0, 0.0]), np.zeros(3), X, X_test, eta=0.5, at=times
    )
    assert np.allclose(got, [2 * t * math.log(2) + math.log(4 / 3) for t in times], rtol=1e-14)
    got = linear.log_distance(
        np.zeros(3), np.eye(3)[2], X, np.array([1.0]), X_test, eta=0.5, at=[0, 10**5]
    )
    assert np.allclose(got, [math.log(1 / 3), 2e5 * math.log(2) - math.log(3)], rtol=1e-12)
    assert linear.log_divergence(np.ones(3), np.ones(3), X, X_test, eta=0.5, at=[4]) == [-math.inf]


GOOD = (np.eye(2, 3), np.ones(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({}, "mu: expected either mu .* or filters; got both or neither"),
        (
            {"mu": 1.0, "filters": MinimumNorm()},
            "mu: expected either mu .* or filters; got both or neither",
        ),
        ({"filters": Ridge(0.0)}, r"filters\.mu: expected a finite number > 0; got 0.0"),
        (
            {"filters": {"A": Ridge(-1.0)}},
            r"filters\['A'\]\.mu: expected a finite number > 0; got -1.0",
        ),
        ({"filters": {"B": MinimumNorm()}}, "filters: expected one of B; got 'A'"),
        ({"filters": GradientDescent(0, 0.1)}, r"filters\.steps: expected an integer ≥ 1; got 0"),
        (
            {"filters": GradientDescent(3, -0.1)},
            r"filters\.eta: expected a finite number > 0; got -0.1",
        ),
    ],
)
def test_bad_filters_say_what_was_expected(call, message):
    with pytest.raises(InputError, match=message):
        linear.train({"A": GOOD}, ("A",), **call)


def test_what_is_no_filter_is_refused():
    with pytest.raises(
        InputError, match="filters: expected Ridge, GradientDescent or MinimumNorm; got float"
    ):
        checks.spectral_filter(None, 0.5, "A", GOOD[0])


def test_bad_input_to_the_logarithms_says_what_was_expected():
    X, y = GOOD
    with pytest.raises(
        InputError, match=r"X: expected 3 linearly independent rows; got rank 2; .* use ascend"
    ):
        linear.log_divergence(
            np.ones(3), np.zeros(3), np.vstack([X, X[:1]]), np.eye(3), eta=0.1, at=[1]
        )
    with pytest.raises(
        InputError, match=r"X: expected 4 linearly independent rows; got rank 3"
    ):  # k > d
        linear.log_distance(
            np.ones(3), np.ones(3), np.ones((4, 3)) + np.eye(4, 3), np.ones(4), X, eta=0.1, at=[1]
        )
    with pytest.raises(
        InputError, match=r"target: expected a vector of shape \(3,\).*got shape \(2,\)"
    ):
        linear.log_distance(np.ones(3), y, X, y, X, eta=0.1, at=[1])
    with pytest.raises(InputError, match="theta: expected finite numbers; got 1 nan or infinite"):
        linear.log_distance([1.0, np.inf, 0.0], np.ones(3), X, y, X, eta=0.1, at=[1])
    with pytest.raises(InputError, match="X_test: expected 3 columns"):
        linear.log_divergence(np.ones(3), np.zeros(3), X, np.ones((2, 4)), eta=0.1, at=[1])
    with pytest.raises(InputError, match="eta: expected a finite number > 0; got 0"):
        linear.log_divergence(np.ones(3), np.zeros(3), X, np.eye(3), eta=0, at=[1])
