"""Descent on a retained sample beside the ascent: λ*, A's eigenvalues and the difference against
d×d formulas.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import InputError
from theory.retain import (
    critical_retain_weight,
    growth_rate_with_retain,
    lasting_difference,
    log_difference_with_retain,
)

D, K, ETA = 12, 4, 0.05


def instance(seed=0, n=18, rank=D, d=D, k=K):
    """Forget rows and a retained sample in a subspace of `rank` dimensions, and a difference
    outside it, too.
    """
    rng = np.random.default_rng(seed)
    frame = np.linalg.qr(rng.normal(size=(d, rank)))[0].T
    return (
        rng.normal(size=(k, rank)) @ frame,
        rng.normal(size=(n, rank)) @ frame,
        rng.normal(size=d),
    )


def primal(X, R, weight):
    """A with d×d matrices."""
    return 2 / len(X) * X.T @ X - 2 * weight / len(R) * R.T @ R


@pytest.mark.parametrize("n", [3, 8, 12, 18])
@pytest.mark.parametrize("weight", [0, 0.3, 20.0])
def test_eigenvalues_are_those_of_the_matrix(n, weight):
    X, R, _ = instance(n=n)
    expected = np.linalg.eigvalsh(primal(X, R, weight))
    found = growth_rate_with_retain(X, R, weight=weight)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected[[-1, 0]], rtol=1e-9, atol=1e-13 * scale)


@pytest.mark.parametrize(("n", "rank"), [(18, 12), (12, 12), (6, 6), (9, 6), (40, 6)])
def test_the_critical_weight_is_the_pencils_largest_eigenvalue(n, rank):
    """On row(R), with an orthonormal basis W of it: largest eigenvalue of (RᵀR/n)⁻¹ X_UᵀX_U/k
    there.
    """
    X, R, _ = instance(n=n, rank=rank)
    W = np.linalg.svd(R)[2][:rank].T
    pencil = np.linalg.solve(W.T @ R.T @ R @ W / n, W.T @ X.T @ X @ W / K)
    found = critical_retain_weight(X, R)
    assert found == pytest.approx(np.linalg.eigvals(pencil).real.max(), rel=1e-8)
    assert found == pytest.approx(n / K * np.linalg.norm(X @ np.linalg.pinv(R), 2) ** 2, rel=1e-8)
    assert growth_rate_with_retain(X, R, weight=0.999 * found).largest > 1e-6
    assert growth_rate_with_retain(X, R, weight=1.001 * found).largest < 1e-12


@pytest.mark.parametrize(("n", "rank"), [(3, 12), (11, 12), (5, 6)])
def test_a_sample_that_does_not_span_stops_nothing(n, rank):
    """At any weight A grows along the part v of X_U's rows on ker R, as vᵀAv/‖v‖² > 0."""
    X, R, _ = instance(n=n, rank=rank)
    assert critical_retain_weight(X, R) == math.inf
    outside = X @ (np.eye(D) - np.linalg.pinv(R) @ R)
    for weight in (0, 1.0, 1e4):
        found = growth_rate_with_retain(X, R, weight=weight).largest
        v = outside[0]
        assert found >= (v @ primal(X, R, weight) @ v / (v @ v)) * (1 - 1e-9) > 0


def test_enough_rows_are_not_enough_unless_they_span():
    """X_U = e₁: R with e₁ among its rows has λ* = (1/1)(2/1) = 2; R without it ∞ at any size; a
    leak of 1e-7 counts.
    """
    X, R = np.eye(5)[:1], np.eye(5)[:2]
    assert critical_retain_weight(X, R) == pytest.approx(2.0, rel=1e-12)
    assert critical_retain_weight(X, np.tile(np.eye(5)[1:4], (9, 1))) == math.inf
    assert critical_retain_weight(X + 1e-7 * np.eye(5)[4], R) == math.inf
    assert critical_retain_weight(X + 1e-9 * np.eye(5)[4], R) == pytest.approx(2.0, rel=1e-12)
    assert critical_retain_weight(X, np.zeros((3, 5))) == math.inf


@pytest.mark.parametrize(
    ("n", "rank", "weight"), [(18, 12, 0.5), (5, 12, 2.0), (9, 6, 1.0), (9, 6, 0)]
)
def test_the_difference_is_that_of_the_steps(n, rank, weight):
    X, R, delta = instance(n=n, rank=rank)
    step = np.eye(D) + ETA * primal(X, R, weight)
    found = log_difference_with_retain(delta, X, R, weight=weight, eta=ETA, at=[0, 1, 7, 60])
    expected = [
        np.log(np.linalg.norm(np.linalg.matrix_power(step, t) @ delta)) for t in (0, 1, 7, 60)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_a_direction_may_be_undone_or_turned_in_one_step():
    """X_U = e₁ (k = 1), R = e₂, λ = 1/(2η): the second component is gone; at λ = 1/η it only
    changes sign.
    """
    X, R, delta = np.eye(3)[:1], np.eye(3)[1:2], np.array([0.0, 3.0, 4.0])
    for weight, expected in ((10.0, 4.0), (20.0, 5.0)):
        found = log_difference_with_retain(delta, X, R, weight=weight, eta=ETA, at=[0, 1, 9])
        np.testing.assert_allclose(np.exp(found), [5.0, expected, expected], rtol=1e-12)


def test_both_sides_of_the_critical_weight_for_ever():
    """Below λ* the logarithm grows at log(1 + ηa) a step up to 10⁷ steps; above, the part on ker R
    is what is left.
    """
    X, R, delta = instance(n=9, rank=6)
    critical = critical_retain_weight(X, R)
    below = growth_rate_with_retain(X, R, weight=0.9 * critical).largest
    grown = log_difference_with_retain(
        delta, X, R, weight=0.9 * critical, eta=ETA, at=[10**6, 10**7]
    )
    assert np.diff(grown)[0] == pytest.approx(9e6 * np.log1p(ETA * below), rel=1e-6)
    above = log_difference_with_retain(
        delta, X, R, weight=1.1 * critical, eta=ETA / critical, at=[10**6, 10**9]
    )
    left = (np.eye(D) - np.linalg.pinv(R) @ R) @ delta
    np.testing.assert_allclose(np.exp(above), np.linalg.norm(left), rtol=1e-6)
    np.testing.assert_allclose(lasting_difference(delta, R), left, rtol=1e-9, atol=1e-12)
    assert np.linalg.norm(left) > 0.1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 5), st.sampled_from([(18, 12), (9, 6), (5, 6)]))
def test_bases_units_order_and_copies_do_not_matter(seed, scale, shape):
    """Turning inputs, rows in another order, rows given twice: same λ*; R → cR divides it by c²,
    X_U → cX_U by c⁻².
    """
    X, R, _ = instance(seed, *shape)
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(D, D)))[0]
    found = critical_retain_weight(X, R)
    same = [
        (X @ turn, R @ turn),
        (X[::-1], rng.permutation(R)),
        (X, np.vstack([R, R])),
        (np.vstack([X, X]), R),
    ]
    for forget, retain in same:
        assert critical_retain_weight(forget, retain) == pytest.approx(found, rel=1e-7)
    assert critical_retain_weight(X, scale * R) == pytest.approx(found / scale**2, rel=1e-7)
    assert critical_retain_weight(scale * X, R) == pytest.approx(found * scale**2, rel=1e-7)


def test_bad_input_says_what_was_expected():
    X, R, delta = instance()
    with pytest.raises(
        InputError,
        match=r"X_retain: expected 12 columns like the other inputs; got shape \(18, 5\)",
    ):
        critical_retain_weight(X, R[:, :5])
    with pytest.raises(
        InputError, match=r"X_forget: expected finite numbers; got 1 nan or infinite"
    ):
        critical_retain_weight(np.where(np.arange(X.size).reshape(X.shape) == 3, np.nan, X), R)
    for weight in (-1.0, math.inf, True):
        with pytest.raises(
            InputError, match=r"weight: expected a finite number ≥ 0; got (-1.0|inf|True)"
        ):
            growth_rate_with_retain(X, R, weight=weight)
    with pytest.raises(InputError, match=r"eta: expected a finite number > 0; got 0"):
        log_difference_with_retain(delta, X, R, weight=1.0, eta=0, at=[1])
    with pytest.raises(
        InputError, match=r"delta: expected a vector of shape \(12,\), like X_forget's rows"
    ):
        log_difference_with_retain(delta[:3], X, R, weight=1.0, eta=0.1, at=[1])
    with pytest.raises(
        InputError, match=r"delta: expected a vector of shape \(12,\), like X_retain's rows"
    ):
        lasting_difference(delta[:3], R)
