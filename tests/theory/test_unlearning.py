"""Trajectories against NumPy loops for every objective and optimizer, and against the ascent."""

import jax
import numpy as np
import optax
import pytest

from protocol.errors import InputError
from protocol.spec import METHODS, Method
from theory import linear, unlearning
from theory.numerics import float64
from theory.unlearning import Adam, Descent

STEPS = 12
RNG = np.random.default_rng(3)
START, X, Y = RNG.standard_normal(9), RNG.standard_normal((5, 9)) / 3, RNG.standard_normal(5)

OPTIMIZERS = {
    "descent": Descent(0.3),
    "momentum": Descent(0.1, momentum=0.9),
    "decay": Descent(0.3, decay=0.02),
    "both": Descent(0.1, momentum=0.5, decay=0.02),
    "adam": Adam(0.01),
}


def weight(method, log_pi, reference):
    """dL/d log π of one example: 1 for GA, 2σ(β(…)) for the others, by their definitions."""
    constants = dict(method.constants)
    if method.objective == "gradient_ascent":
        return np.ones_like(log_pi)
    beta = constants["beta"]
    argument = {
        "npo": beta * (log_pi - reference),
        "simnpo": beta * log_pi,
        "simnpo_normalized": beta * log_pi + constants.get("gamma", 0.0),  # |y| = 1
    }
    return 2 / (1 + np.exp(-argument[method.objective]))


def by_hand(method, optimizer, steps):
    """θ_0..θ_T with ∇L = (1/k) Σ_i w_i ∇log π_i, ∇log π_i = −2(x_i θ − y_i)x_i."""
    theta, reference = START, -((X @ START - Y) ** 2)
    velocity, first, second, path = 0.0, 0.0, 0.0, [START]
    for t in range(1, steps + 1):
        residual = X @ theta - Y
        slope = (weight(method, -(residual**2), reference) * -2 * residual) @ X / len(Y)
        if isinstance(optimizer, Adam):
            first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
            change = first / (1 - 0.9**t) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
        else:
            velocity = optimizer.momentum * velocity + slope + optimizer.decay * theta
            change = velocity
        theta = theta - optimizer.eta * change
        path.append(theta)
    return np.array(path)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", METHODS)
def test_every_objective_and_optimizer_is_the_loops(name, optimizer):
    method = METHODS[name]
    with float64():
        thetas = unlearning.trajectory(START, X, Y, method, OPTIMIZERS[optimizer], STEPS)
    expected = by_hand(method, OPTIMIZERS[optimizer], STEPS)
    assert thetas.shape == (STEPS + 1, 9)
    np.testing.assert_allclose(thetas, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_gradient_ascent_by_plain_steps_is_the_exact_ascent():
    with float64():
        thetas = unlearning.trajectory(START, X, Y, METHODS["GA"], Descent(0.3), 40)
    expected = linear.ascend(START, X, Y, eta=0.3, steps=40)
    np.testing.assert_allclose(thetas, expected, rtol=1e-11)


def test_the_sum_over_tokens_is_the_mean_over_answers_of_one_token():
    tokens = Method("tokens", "npo", (("beta", 0.5),), reduction="tokens")
    with float64():
        thetas = unlearning.trajectory(START, X, Y, tokens, Descent(0.3), STEPS)
    expected = by_hand(METHODS["NPO"], Descent(0.3), STEPS)
    np.testing.assert_allclose(thetas, expected, rtol=1e-12)


def test_any_optimizer_of_optax_is_taken_and_steps_may_be_vmapped():
    """A constant step of sign(∇L) moves every parameter by η a step; starts are independent."""
    signs = optax.chain(optax.scale_by_sign(), optax.scale(-0.1))
    starts = np.stack([START, 2 * START])
    with float64():
        run = jax.vmap(lambda s: unlearning.trajectory(s, X, Y, METHODS["NPO"], signs, 3))
        thetas = np.asarray(run(starts))
        alone = unlearning.trajectory(starts[1], X, Y, METHODS["NPO"], signs, 3)
    np.testing.assert_allclose(np.abs(np.diff(thetas, axis=1)), 0.1, rtol=1e-12)
    np.testing.assert_allclose(thetas[1], alone, rtol=1e-12)


def test_methods_that_need_more_than_the_forget_set_are_refused():
    message = r"method.retain: expected 0, as only the forget set is given; got 0.5 for GradDiff"
    with pytest.raises(InputError, match=message):
        unlearning.gradient(START, X, Y, Method("GradDiff", "gradient_ascent", retain=0.5))
    with pytest.raises(InputError, match=r"objective: expected one of .*; got 'rewind'"):
        unlearning.gradient(START, X, Y, Method("rewind", "rewind"))
