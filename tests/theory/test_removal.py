"""Removing a stage from a trained model against retraining with d×d formulas, for every position
and filter.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import InputError
from theory import removal
from theory.filters import GradientDescent, MinimumNorm, Ridge

D = 14
MU = {"A": 0.03, "B": 1.0, "C": 7.0, "U": 0.2}
FILTERS = {
    "A": MinimumNorm(),
    "B": Ridge(1.0),
    "C": GradientDescent(7, 0.05),
    "U": GradientDescent(3, 0.1),
}


def problem(seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: (rng.normal(size=(n, D)) / 2, rng.normal(size=n))
        for name, n in zip("ABCU", (4, 3, 5, 4), strict=True)
    }


def ridge(stages, order, mu, theta=None):
    """θ ← (XᵀX + μI)⁻¹(Xᵀy + μθ), d×d."""
    theta = np.zeros(D) if theta is None else theta
    for name in order:
        X, y = stages[name]
        theta = np.linalg.solve(X.T @ X + mu[name] * np.eye(D), X.T @ y + mu[name] * theta)
    return theta


def filtered(stages, order, theta):
    """The same with FILTERS: pseudo-inverse, ridge, and gradient steps one by one."""
    for name in order:
        X, y = stages[name]
        filter_ = FILTERS[name]
        if isinstance(filter_, MinimumNorm):
            theta = theta + np.linalg.pinv(X) @ (y - X @ theta)
        elif isinstance(filter_, Ridge):
            theta = ridge(stages, (name,), {name: filter_.mu}, theta)
        else:
            for _ in range(filter_.steps):
                theta = theta - filter_.eta * 2 / len(y) * X.T @ (X @ theta - y)
    return theta


def error(got, expected):
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize(
    "order", list(itertools.permutations("ABCU"))[::3] + [("U",), ("A", "U"), ("U", "B")]
)
def test_removal_is_retraining(order):
    """For ridge and for a filter of each kind, from θ₀ = 0 and from elsewhere."""
    stages, start = problem(), np.random.default_rng(1).normal(size=D)
    kept = tuple(name for name in order if name != "U")
    if kept:
        assert (
            error(removal.history_aware_removal(stages, order, "U", mu=MU), ridge(stages, kept, MU))
            < 1e-12
        )
    got = removal.history_aware_removal(stages, order, "U", filters=FILTERS, start=start)
    assert error(got, filtered(stages, kept, start)) < 1e-12


@pytest.mark.parametrize("position", range(4))
def test_its_parts(position):
    """δ, L_later δ with L_s = μ_s(X_sᵀX_s + μ_s I)⁻¹, rewinding, and negation, exact for U last
    only.
    """
    stages, order = problem(2), tuple("ABC"[:position]) + ("U",) + tuple("ABC"[position:])
    before, later = order[:position], order[position + 1 :]
    phi = ridge(stages, before, MU)
    delta = ridge(stages, ("U",), MU, phi) - phi
    through = delta
    for name in later:
        X = stages[name][0]
        through = MU[name] * np.linalg.solve(X.T @ X + MU[name] * np.eye(D), through)
    got = removal.stage_delta(stages, order, "U", mu=MU)
    assert error(got, delta) < 1e-12
    assert error(removal.carried(stages, got, later, mu=MU), through) < 1e-12
    theta, target = ridge(stages, order, MU), ridge(stages, tuple("ABC"), MU)
    assert error(removal.rewind(stages, phi, later, mu=MU), target) < 1e-12
    assert (error(removal.stage_delta_negation(theta, got), target) < 1e-12) == (position == 3)
    assert error(theta - through, target) < 1e-12


def test_the_later_stages_targets_are_not_needed():
    stages = problem(3)
    delta = removal.stage_delta(stages, ("A", "U", "B"), "U", mu=MU)
    other = {name: (X, -7 * y) for name, (X, y) in stages.items()}
    assert np.array_equal(
        removal.carried(stages, delta, ("B", "C"), mu=MU),
        removal.carried(other, delta, ("B", "C"), mu=MU),
    )
    assert np.array_equal(removal.carried(stages, delta, (), mu=MU), delta)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_bases_names_and_units_do_not_matter(seed, scale):
    """X → XO turns the outcome into Oᵀθ; new names change nothing; y → cy scales it."""
    stages, order = problem(seed), ("A", "U", "C", "B")
    plain = removal.history_aware_removal(stages, order, "U", mu=MU)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(D, D)))[0]
    turned = {name: (X @ turn, y) for name, (X, y) in stages.items()}
    assert error(removal.history_aware_removal(turned, order, "U", mu=MU), turn.T @ plain) < 1e-9
    louder = {name: (X, scale * y) for name, (X, y) in stages.items()}
    assert error(removal.history_aware_removal(louder, order, "U", mu=MU), scale * plain) < 1e-9
    named = {name.lower(): value for name, value in stages.items()}
    mu = {name.lower(): value for name, value in MU.items()}
    assert np.array_equal(removal.history_aware_removal(named, tuple("aucb"), "u", mu=mu), plain)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda s: removal.history_aware_removal(s, ("A", "B"), "U", mu=MU),
            "forget: expected one of the stages A, B",
        ),
        (
            lambda s: removal.history_aware_removal(s, tuple("UAU"), "U", mu=MU),
            "order: expected every stage once; got",
        ),
        (
            lambda s: removal.history_aware_removal(s, ("U", "Z"), "U", mu=MU),
            "order: expected one of A, B, C, U",
        ),
        (
            lambda s: removal.history_aware_removal(s, ("U",), "U", mu=0.0),
            "mu: expected a finite number > 0; got 0.0",
        ),
        (
            lambda s: removal.stage_delta(s, ("U",), "U"),
            "mu: expected either mu .* or filters; got both or neither",
        ),
        (
            lambda s: removal.carried(s, np.ones(3), ("A",), mu=1.0),
            r"delta: expected a vector of shape \(14,\)",
        ),
        (
            lambda s: removal.carried(s, np.ones(D) / 0, ("A",), mu=1.0),
            "delta: expected finite numbers; got 14 nan",
        ),
        (
            lambda s: removal.rewind(s, np.ones(3), ("A",), mu=1.0),
            r"checkpoint: expected a vector of shape \(14,\)",
        ),
        (
            lambda s: removal.stage_delta_negation(np.ones(3), np.ones(4)),
            r"delta: .*\(3,\), like theta; got shape",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_bad_input_says_what_was_expected(call, message):
    with pytest.raises(InputError, match=message):
        call(problem())
