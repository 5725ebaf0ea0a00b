"""The span floor against d×d projectors and least squares, its limits and its invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import InputError
from theory import linear, span
from theory.experiments import span as experiment

D, K, M = 13, 4, 9


def instance(seed=0, k=K, m=M):
    rng = np.random.default_rng(seed)
    return rng.normal(size=D), rng.normal(size=D), rng.normal(size=(k, D)), rng.normal(size=(m, D))


def distance(theta, target, X_test):
    return np.mean((X_test @ (theta - target)) ** 2)


def primal_floor(delta, X, X_test):
    """(1/m) Δᵀ(S − S A(AᵀSA)⁺AᵀS)Δ with S = X_testᵀX_test and A the d×d projector on row(X): no m×k
    matrix.
    """
    P, S = np.linalg.pinv(X) @ X, X_test.T @ X_test
    left = S - S @ P @ np.linalg.pinv(P @ S @ P, rcond=1e-12) @ P @ S
    return delta @ left @ delta / len(X_test)


@pytest.mark.parametrize("seed", range(4))
def test_the_floor_is_the_least_squares_minimum_and_is_attained(seed):
    a, b, X, X_test = instance(seed)
    floor = span.span_floor(a, b, X, X_test)
    assert floor == pytest.approx(primal_floor(a - b, X, X_test), rel=1e-9)
    rest = np.linalg.lstsq(X_test @ X.T, X_test @ (b - a), rcond=None)[1]
    assert floor == pytest.approx(rest[0] / M, rel=1e-9)
    best = span.span_optimum(a, b, X, X_test)
    assert distance(best, b, X_test) == pytest.approx(floor, rel=1e-9)
    assert span.share_outside(best - a, X) < 1e-28
    for step in np.random.default_rng(seed).normal(
        size=(20, K)
    ):  # from both sides: nothing in the span is nearer
        assert distance(best + 1e-3 * step @ X, b, X_test) > floor
    assert span.pair_floor(a, b, X, X_test) == floor


def test_the_floors_of_several_models_are_those_of_each():
    a, b, X, X_test = instance(0)
    alone = [span.span_floor(theta, b, X, X_test) for theta in (a, 2 * a, b)]
    assert np.allclose(
        span.span_floors(np.stack([a, 2 * a, b]), b, X, X_test), alone, rtol=1e-12, atol=0
    )


def test_with_few_test_inputs_the_floor_is_zero():
    """m ≤ k: the forget rows reach every prediction. At m = k + 1 they no longer do."""
    for m, zero in ((K - 1, True), (K, True), (K + 1, False)):
        a, b, X, X_test = instance(1, m=m)
        assert (span.span_floor(a, b, X, X_test) == 0.0) == zero
        best = span.span_optimum(a, b, X, X_test)
        assert (distance(best, b, X_test) < 1e-20) == zero
        nearest = (
            np.linalg.pinv(X_test @ np.linalg.pinv(X) @ X, rcond=1e-12) @ X_test @ (b - a)
        )  # of all optima
        np.testing.assert_allclose(best - a, nearest, atol=1e-9 * np.linalg.norm(nearest))


@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_dependent_and_repeated_rows_are_taken(scale):
    """A row that is a sum of others adds nothing, however many there are (k > d) and whatever their
    scale.
    """
    a, b, X, X_test = instance(2)
    mixed = scale * np.vstack([X, np.random.default_rng(0).normal(size=(D, K)) @ X])
    floor = span.span_floor(a, b, X, X_test)
    assert span.span_floor(a, b, mixed, X_test) == pytest.approx(floor, rel=1e-9)
    np.testing.assert_allclose(
        span.span_optimum(a, b, mixed, X_test), span.span_optimum(a, b, X, X_test), rtol=1e-8
    )
    assert span.share_outside(a, mixed) == pytest.approx(span.share_outside(a, X), rel=1e-9)
    assert span.span_floor(a, b, np.zeros((2, D)), X_test) == pytest.approx(
        distance(a, b, X_test), rel=1e-12
    )
    assert span.span_floor(a, b, np.vstack([X, np.eye(D)]), X_test) < 1e-25


def test_rows_of_very_different_length_all_count():
    """Lengths 1e-6 to 1: X_test X_Uᵀ alone would still have them, its Gram matrix would not."""
    a, b, X, X_test = instance(3)
    uneven = np.array([1.0, 1e-2, 1e-4, 1e-6])[:, None] * X
    expected = span.span_floor(a, b, X, X_test)
    assert span.span_floor(a, b, uneven, X_test) == pytest.approx(expected, rel=1e-6)


def stages_of(seed):
    rng = np.random.default_rng(seed)
    return {name: (rng.normal(size=(K, D)), rng.normal(size=K)) for name in "ABU"}


@pytest.mark.parametrize("order", ["UAB", "AUB", "ABU"])
def test_the_difference_to_the_retrained_model_is_the_pushed_step(order):
    """θ_p − θ_r = L_later X_Uᵀ(K_U + μI)⁻¹(y_U − X_U φ), L_s = (X_sᵀX_s/μ + I)⁻¹ in d×d; the floor
    is 0 for U last.
    """
    stages, mu, at = stages_of(0), 0.8, order.index("U")
    before, later = tuple(order[:at]), tuple(order[at + 1 :])
    theta, retrained, phi = linear.train_orders(
        stages, [(*before, "U", *later), before + later, before], mu=mu
    )
    X, y = stages["U"]
    expected = X.T @ np.linalg.solve(X @ X.T + mu * np.eye(K), y - X @ phi)
    for name in later:
        expected = np.linalg.solve(stages[name][0].T @ stages[name][0] / mu + np.eye(D), expected)
    np.testing.assert_allclose(theta - retrained, expected, atol=1e-12)
    floor = span.span_floor(theta, retrained, X, instance(0)[-1])
    assert (floor < 1e-28) if order == "ABU" else (floor > 1e-6)


def test_shrinking_helps_only_where_it_points_inwards():
    """Grid of c against the formula; c* > 1 is cut at 1, c* < 0 at 0, where the floor is that of an
    empty start.
    """
    seen = []
    for seed in range(12):
        a, b, X, X_test = instance(seed)
        found, c = span.shrunk_floor(a, b, X, X_test)
        grid = np.linspace(0, 1, 201)
        floors = np.array([primal_floor(s * a - b, X, X_test) for s in grid])
        assert found <= floors.min() * (1 + 1e-9)
        assert abs(c - grid[np.argmin(floors)]) <= 0.0026
        assert found == pytest.approx(primal_floor(c * a - b, X, X_test), rel=1e-9)
        assert (found < span.span_floor(a, b, X, X_test) * (1 - 1e-12)) == (c < 1)
        seen.append(c)
    assert 0.0 in seen
    assert any(0 < c < 1 for c in seen)
    assert span.shrunk_floor(0.5 * b, b, X, X_test)[1] == 1.0  # c* = 2
    assert span.shrunk_floor(np.zeros(D), b, X, X_test) == (
        span.span_floor(np.zeros(D), b, X, X_test),
        1.0,
    )


def test_the_share_outside_is_that_of_the_projector():
    a, _, X, _ = instance(5)
    rest = a - np.linalg.pinv(X) @ X @ a
    assert span.share_outside(a, X) == pytest.approx(rest @ rest / (a @ a), rel=1e-9)
    assert span.share_outside(X[0] - 2 * X[1], X) < 1e-28
    assert span.share_outside(rest, X) == pytest.approx(1.0, rel=1e-12)
    assert span.share_outside(np.zeros(D), X) == 0.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_bases_units_and_the_order_of_rows_do_not_matter(seed, scale):
    a, b, X, X_test = instance(seed)
    floor = span.span_floor(a, b, X, X_test)
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(D, D)))[0]
    mixed = rng.normal(size=(K, K)) + 4 * np.eye(K)
    same = (
        (turn.T @ a, turn.T @ b, X @ turn, X_test @ turn),
        (a, b, scale * X, X_test),
        (a, b, X[rng.permutation(K)], X_test[rng.permutation(M)]),
        (a, b, mixed @ X, X_test),
        (b, a, X, X_test),
        (a + X.T @ rng.normal(size=K), b, X, X_test),
    )
    for arguments in same:
        assert span.span_floor(*arguments) == pytest.approx(floor, rel=1e-7)
    assert span.span_floor(scale * a, scale * b, X, X_test) == pytest.approx(
        scale**2 * floor, rel=1e-9
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda a, b, X, T: span.span_floor(a[:3], b, X, T),
            r"theta: .*\(13,\).*like X_forget's rows; got shape \(3",
        ),
        (
            lambda a, b, X, T: span.span_floor(a, b * np.nan, X, T),
            "theta_retrained: expected finite numbers; got 13",
        ),
        (
            lambda a, b, X, T: span.span_optimum(a, b, X, T[:, :4]),
            r"X_test: expected 13 columns .*got shape \(9, 4\)",
        ),
        (
            lambda a, b, X, T: span.shrunk_floor(a, b, X[0], T),
            r"X_forget: expected a matrix \(n, d\)",
        ),
        (lambda a, b, X, T: span.pair_floor(a, b[None], X, T), r"theta_b: .*got shape \(1, 13\)"),
        (
            lambda a, b, X, T: span.share_outside(a[1:], X),
            r"displacement: .*\(13,\).*got shape \(12,\)",
        ),
        (
            lambda *_: experiment.Settings(steps=0),
            "settings: expected at least 1 instance and 1 step; got 128 and 0",
        ),
    ],
)
def test_bad_input_says_what_was_expected(call, message):
    with pytest.raises(InputError, match=message):
        call(*instance())
