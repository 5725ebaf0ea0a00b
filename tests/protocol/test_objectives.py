"""Objectives against values derived by hand, under NumPy, JAX and torch alike, and their gradients.

With s(x) = log(1 + e^x): npo = (2/β) s(β (logp − ref)), simnpo = (2/β) s(β logp), simnpo_normalized
= (2/β) s(β logp/|y| + γ).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from protocol.errors import InputError
from protocol.objectives import (
    OBJECTIVES,
    gradient_ascent,
    npo,
    objective,
    reduce_losses,
    simnpo,
    simnpo_normalized,
)

LOGP = np.array([-0.5, -3.0, -40.0])
REF = np.array([-1.0, -3.0, -10.0])
LENGTH = np.array([2.0, 5.0, 20.0])
# Derived by hand: β (logp − ref) = 0.25, 0, −15 with β = ½; 4 log(1 + e^0.25) and so on.
BY_HAND = {
    "gradient_ascent": ({}, [-0.5, -3.0, -40.0]),
    "npo": (
        {"beta": 0.5},
        [4 * np.log(1 + np.exp(0.25)), 4 * np.log(2), 4 * np.log1p(np.exp(-15.0))],
    ),
    # β logp = −0.1, −0.6, −8 with β = 0.2
    "simnpo": (
        {"beta": 0.2},
        [10 * np.log1p(np.exp(-0.1)), 10 * np.log1p(np.exp(-0.6)), 10 * np.log1p(np.exp(-8.0))],
    ),
    # β logp / |y| + γ = −0.5 + 1, −1.2 + 1, −4 + 1 with β = 2, γ = 1
    "simnpo_normalized": (
        {"beta": 2.0, "gamma": 1.0},
        [np.log1p(np.exp(0.5)), np.log1p(np.exp(-0.2)), np.log1p(np.exp(-3.0))],
    ),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_values_by_hand_under_every_array_library(name) -> None:
    constants, expected = BY_HAND[name]
    with jax.enable_x64(True):
        under_jax = np.asarray(
            objective(name)(jnp.array(LOGP), jnp.array(REF), jnp.array(LENGTH), **constants)
        )
    tensors = (torch.tensor(LOGP), torch.tensor(REF), torch.tensor(LENGTH))
    under_torch = objective(name)(*tensors, **constants).numpy()
    under_numpy = objective(name)(LOGP, REF, LENGTH, **constants)
    for values in (under_jax, under_torch, under_numpy):
        np.testing.assert_allclose(values, expected, rtol=1e-12)


def gradients(name, constants) -> tuple[np.ndarray, np.ndarray]:
    with jax.enable_x64(True):

        def total(logp):
            losses = objective(name)(logp, jnp.array(REF), jnp.array(LENGTH), **constants)
            return losses.sum()

        under_jax = np.asarray(jax.grad(total)(jnp.array(LOGP)))
    logp = torch.tensor(LOGP, requires_grad=True)
    objective(name)(logp, torch.tensor(REF), torch.tensor(LENGTH), **constants).sum().backward()
    return under_jax, logp.grad.numpy()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_under_jax_and_torch_against_central_differences(name) -> None:
    constants, h = BY_HAND[name][0], 1e-6
    high, low = (objective(name)(LOGP + s * h, REF, LENGTH, **constants) for s in (1, -1))
    for gradient in gradients(name, constants):
        np.testing.assert_allclose(gradient, (high - low) / (2 * h), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("beta", [0.01, 0.5, 3.0])
def test_npo_at_the_reference_is_two_over_beta_log_two(beta) -> None:
    np.testing.assert_allclose(npo(LOGP, LOGP, LENGTH, beta=beta), 2 / beta * np.log(2), rtol=1e-14)


@pytest.mark.parametrize("beta", [0.01, 0.5, 3.0])
def test_npo_and_ga_have_equal_gradients_at_the_reference(beta) -> None:
    """d npo / d logp = 2 σ(0) = 1 there, whatever β."""
    logp = torch.tensor(LOGP, requires_grad=True)
    npo(logp, torch.tensor(LOGP), torch.tensor(LENGTH), beta=beta).sum().backward()
    np.testing.assert_allclose(logp.grad, np.ones(3), rtol=1e-12)


def test_npo_tends_to_ga_as_beta_vanishes() -> None:
    """(2/β) s(βx) − (2/β) log 2 = x + βx²/4 + O(β³): the error falls in proportion to β."""
    errors = []
    for beta in (1e-2, 1e-3):
        shifted = npo(LOGP, REF, LENGTH, beta=beta) - 2 / beta * np.log(2)
        errors.append(np.abs(shifted - (gradient_ascent(LOGP, REF, LENGTH) - REF)).max())
    assert errors[0] < 2.3  # β x²/4 at x = −30, β = 0.01 is 2.25
    assert errors[1] == pytest.approx(errors[0] / 10, rel=0.02)


def test_the_two_forms_of_simnpo_differ_by_orders_of_magnitude_in_gradient() -> None:
    """60 tokens at 0.2 nats a token, β = 1: 2σ(−12) ≈ 1e-5 against (2/60) σ(−0.2) ≈ 1.5e-2."""
    logp = torch.tensor([-12.0], requires_grad=True)
    (paper,) = torch.autograd.grad(simnpo(logp, logp, torch.tensor([60.0]), beta=1.0).sum(), logp)
    (original,) = torch.autograd.grad(
        simnpo_normalized(logp, logp, torch.tensor([60.0]), beta=1.0).sum(), logp
    )
    assert float(paper) == pytest.approx(2 / (1 + np.exp(12)), rel=1e-5)
    assert float(original) == pytest.approx(2 / 60 / (1 + np.exp(0.2)), rel=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_improbable_answers_stay_finite(name) -> None:
    with jax.enable_x64(True):
        far = jnp.array([-1e6, 1e4])
        total = lambda logp: objective(name)(logp, jnp.zeros(2), jnp.ones(2)).sum()  # noqa: E731
        assert np.isfinite(np.asarray(jax.grad(total)(far))).all()


def test_reductions() -> None:
    losses, length = np.array([1.0, 2.0, 6.0]), np.array([1.0, 2.0, 3.0])
    assert reduce_losses(losses, length, reduction="mean") == 3.0
    assert reduce_losses(losses, length, reduction="tokens") == 1.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: objective("dpo"),
            "objective: expected one of gradient_ascent, npo, .*; got 'dpo'",
        ),
        (lambda: npo(LOGP, REF, LENGTH, beta=0.0), "beta: expected a number > 0; got 0.0"),
        (
            lambda: reduce_losses(LOGP, LENGTH, reduction="sum"),
            "reduction: expected one of mean, tokens; got 'sum'",
        ),
    ],
)
def test_bad_input_is_named(call, message) -> None:
    with pytest.raises(InputError, match=message):
        call()
