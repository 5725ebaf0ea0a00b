"""Dual-form training and ascent against the textbook's d×d formulas and against stepping."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import InputError
from theory import linear

D, K = 13, 5


def stage(rng, rows, d=D):
    return rng.normal(size=(rows, d)), rng.normal(size=rows)


def problem(seed=0):
    rng = np.random.default_rng(seed)
    return {"A": stage(rng, 6), "B": stage(rng, K), "C": stage(rng, 4)}


def primal(stages, order, mu, start):
    """θ ← (XᵀX + μI)⁻¹(Xᵀy + μθ)."""
    theta = start
    for name in order:
        X, y = stages[name]
        theta = np.linalg.solve(X.T @ X + mu[name] * np.eye(X.shape[1]), X.T @ y + mu[name] * theta)
    return theta


def stepped(theta, X, y, eta, steps):
    path = [theta]
    for _ in range(steps):
        path.append(path[-1] + eta * (2 / len(y)) * X.T @ (X @ path[-1] - y))
    return np.array(path)


def close(got, expected, tolerance=1e-9):
    return np.linalg.norm(got - expected) <= tolerance * np.linalg.norm(expected)


@pytest.mark.parametrize("order", [("A",), ("A", "B"), ("C", "B", "A"), ("A", "B", "A")])
def test_training_is_the_primal_formula(order):
    stages, mu = problem(), {"A": 0.03, "B": 1.0, "C": 7.0}
    start = np.random.default_rng(1).normal(size=D)
    theta = linear.train(stages, order, mu=mu, start=start)
    assert theta.dtype == np.float64
    assert close(theta, primal(stages, order, mu, start))
    assert close(
        linear.train(stages, order, mu=0.5),
        primal(stages, order, dict.fromkeys("ABC", 0.5), np.zeros(D)),
    )


def test_equation_3_gives_the_difference_of_the_two_paths():
    """Δ₀ = (I − μ_A A)B X_Bᵀy_B + (μ_B B − I)A X_Aᵀy_A, A = (X_AᵀX_A + μ_A I)⁻¹ and B alike."""
    stages, mu = problem(2), {"A": 0.2, "B": 3.0}
    (X_a, y_a), (X_b, y_b), one = stages["A"], stages["B"], np.eye(D)
    A, B = np.linalg.inv(X_a.T @ X_a + mu["A"] * one), np.linalg.inv(X_b.T @ X_b + mu["B"] * one)
    expected = (one - mu["A"] * A) @ B @ X_b.T @ y_b + (mu["B"] * B - one) @ A @ X_a.T @ y_a
    # Eq. 3 is θ_AB − θ_BA: the last stage acts with its own inverse, the one before shrunk by μ
    # times it
    delta = linear.train(stages, ("A", "B"), mu=mu) - linear.train(stages, ("B", "A"), mu=mu)
    assert close(delta, expected)


def test_an_empty_order_is_the_start():
    assert np.array_equal(linear.train(problem(), (), mu=1.0), np.zeros(D))


@pytest.mark.parametrize("rows", [K, D + 7])  # more rows than parameters: XXᵀ is singular
def test_ascent_is_stepping(rows):
    rng = np.random.default_rng(3)
    X, y = stage(rng, rows)
    theta = rng.normal(size=D)
    expected = stepped(theta, X, y, 0.07, 40)
    got = linear.ascend(theta, X, y, eta=0.07, steps=40)
    assert got.shape == (41, D)
    assert all(close(a, b) for a, b in zip(got, expected, strict=True))
    chosen = linear.ascend(theta, X, y, eta=0.07, at=[40, 0, 7])
    assert close(chosen, expected[[40, 0, 7]])
    tests = rng.normal(size=(3, D))
    assert close(linear.ascend(theta, X, y, eta=0.07, steps=40, readout=tests), expected @ tests.T)


def test_a_direction_without_curvature_moves_by_its_limit():
    """Rows x and x with targets 0 and 1: the residual's part along (1, −1) meets λ = 0 and cannot
    move θ.
    """
    x = np.array([3.0, 4.0]) / 5
    X, y = np.stack([x, x]), np.array([0.0, 1.0])
    got = linear.ascend(np.zeros(2), X, y, eta=0.1, at=[10])
    assert close(got, stepped(np.zeros(2), X, y, 0.1, 10)[-1:])
    zero = linear.ascend(np.ones(2), np.zeros((1, 2)), np.array([5.0]), eta=0.1, at=[10**6])
    assert np.array_equal(zero, np.ones((1, 2)))


def test_tiny_growth_over_many_steps_is_exact():
    """One row (s), y = −1: θ_t = ((1 + 2ηs²)^t − 1)/s. At s = 1e-6, η = ½, t = 1e9 it is about
    (e^0.001 − 1)/s.
    """
    got = linear.ascend(np.zeros(1), np.array([[1e-6]]), np.array([-1.0]), eta=0.5, at=[10**9])
    assert close(got, np.expm1(1e9 * np.log1p(1e-12)) / 1e-6 * np.ones((1, 1)), 1e-12)


def test_a_fitted_forget_set_never_moves():
    X, theta = np.eye(2, 3), np.array([1.0, 2.0, 3.0])
    assert np.array_equal(linear.ascend(theta, X, X @ theta, eta=0.5, at=[10**7]), theta[None])


def test_overflow_names_the_limit():
    """g = 2·0.5·1/1 = 1 doubles the residual each step; 2^1024 overflows."""
    X, y = np.ones((1, 1)), np.ones(1)
    assert np.isfinite(linear.ascend(np.zeros(1), X, y, eta=0.5, steps=1023)).all()
    with pytest.raises(
        InputError, match=r"steps: .*finite in float64, about 1024 here; got 1100; use fewer steps"
    ):
        linear.ascend(np.zeros(1), X, y, eta=0.5, steps=1100)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_bases_names_and_units_do_not_matter(seed, scale):
    """X → XO turns θ into Oᵀθ; new names change nothing; y → cy scales θ; X → cX with μ → c²μ
    scales it by 1/c.
    """
    stages, mu = problem(seed), {"A": 0.3, "B": 1.0, "C": 2.0}
    theta = linear.train(stages, ("A", "B", "C"), mu=mu)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(D, D)))[0]
    turned = {name: (X @ turn, y) for name, (X, y) in stages.items()}
    assert close(linear.train(turned, ("A", "B", "C"), mu=mu), turn.T @ theta)
    named = {name.lower(): value for name, value in stages.items()}
    assert np.array_equal(
        linear.train(named, ("a", "b", "c"), mu={k.lower(): v for k, v in mu.items()}), theta
    )
    louder = {name: (X, scale * y) for name, (X, y) in stages.items()}
    assert close(linear.train(louder, ("A", "B", "C"), mu=mu), scale * theta)
    longer = {name: (scale * X, y) for name, (X, y) in stages.items()}
    stiffer = {name: scale**2 * weight for name, weight in mu.items()}
    assert close(linear.train(longer, ("A", "B", "C"), mu=stiffer), theta / scale)


GOOD = (np.ones((2, 3)), np.ones(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: linear.train({"A": GOOD}, ("A", "Z"), mu=1.0),
            "order: expected one of A; got 'Z'",
        ),
        (
            lambda: linear.train({"A": GOOD}, "A", mu=1.0),
            "order: expected a sequence of stage names; got the string",
        ),
        (lambda: linear.train({}, (), mu=1.0), "stages: expected at least one stage; got none"),
        (
            lambda: linear.train({"A": GOOD}, ("A",), mu=0.0),
            "mu: expected a finite number > 0; got 0.0",
        ),
        (
            lambda: linear.train({"A": GOOD}, ("A",), mu={"B": 1.0}),
            "mu: expected one of B; got 'A'",
        ),
        (
            lambda: linear.train({"A": GOOD}, ("A",), mu={"A": -1}),
            r"mu\['A'\]: expected a finite number > 0; got -1",
        ),
        (
            lambda: linear.train({"A": np.ones(3)}, ("A",), mu=1.0),
            r"stages\['A'\]: expected a pair \(X, y\)",
        ),
        (
            lambda: linear.train({"A": (np.ones((2, 3)), np.ones(3))}, ("A",), mu=1.0),
            r"y: .*\(2,\), one target for",
        ),
        (
            lambda: linear.train({"A": GOOD}, ("A",), mu=1.0, start=np.ones(2)),
            r"start: .*\(3,\).*got shape \(2,\)",
        ),
        (
            lambda: linear.train({"A": GOOD, "B": (np.ones((1, 4)), [1.0])}, ("A", "B"), mu=1.0),
            "expected 3 columns",
        ),
        (
            lambda: linear.ascend(np.ones(3), *GOOD, eta=0.0, steps=1),
            "eta: expected a finite number > 0; got 0.0",
        ),
        (
            lambda: linear.ascend(np.ones(3), *GOOD, eta=1.0),
            "steps: expected either steps .* got both or neither",
        ),
        (
            lambda: linear.ascend(np.ones(3), *GOOD, eta=1.0, steps=-1),
            "steps: expected an integer ≥ 0; got -1",
        ),
        (
            lambda: linear.ascend(np.ones(3), *GOOD, eta=1.0, at=[0.5]),
            "at: expected at least one integer step",
        ),
        (
            lambda: linear.ascend([1, np.nan, 0], *GOOD, eta=1.0, steps=1),
            "theta: expected finite numbers; got 1 nan",
        ),
        (
            lambda: linear.ascend(["a"] * 3, *GOOD, eta=1.0, steps=1),
            "theta: expected real numbers; got dtype",
        ),
        (
            lambda: linear.ascend(np.ones(3), [[1], [1, 2]], [1, 2], eta=1.0, steps=1),
            "X: .*rows of unequal length",
        ),
        (
            lambda: linear.ascend(np.ones(3), np.ones(3), [1], eta=1.0, steps=1),
            r"X: expected a matrix \(n, d\)",
        ),
        (
            lambda: linear.ascend(np.ones(3), *GOOD, eta=1.0, steps=1, readout=np.ones((2, 2))),
            "readout: expected 3",
        ),
    ],
)
def test_bad_input_says_what_was_expected(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_orders_trained_together_are_those_trained_alone():
    stages, orders = problem(), [("A", "B", "C"), ("A", "C"), (), ("C", "B", "A")]
    together = linear.train_orders(stages, orders, mu=0.7)
    assert np.array_equal(together, [linear.train(stages, order, mu=0.7) for order in orders])
    with pytest.raises(InputError, match="orders: expected at least one order; got none"):
        linear.train_orders(stages, [], mu=0.7)
