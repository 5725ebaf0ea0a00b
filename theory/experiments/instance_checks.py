"""Checks of one instance in pure JAX: Theorem 3.1, Corollary 1 and Lemma 3.2 past their thresholds.

Distances and bounds are compared as logarithms, since the threshold t₀ can be 10⁵ steps. Stages A
and B, paths A>B and B>A from θ₀ = 0; Corollary 1 and Lemma 3.2 for U = B, whose retrained model is
θ_A. Time is counted in steps. The four checks are four functions, to be compiled one by one: two
batched LAPACK calls that run at once in one program fight for the same BLAS threads, which made
the largest shape sixty times slower.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from theory import kernels
from theory.kernels import Array, Scalar
from theory.problems.instances import Instance

LogDistance = Callable[[Scalar], Scalar]


class Paths(NamedTuple):
    """θ_A, θ_AB and θ_BA."""

    a: Float[Array, " d"]
    ab: Float[Array, " d"]
    ba: Float[Array, " d"]


def trained(case: Instance) -> Paths:
    """The two paths and the retrained model of U = B."""
    start = jnp.zeros(case.X_a.shape[1])
    theta_a = kernels.ridge_stage(start, case.X_a, case.y_a, case.mu_a)
    theta_b = kernels.ridge_stage(start, case.X_b, case.y_b, case.mu_b)
    return Paths(
        theta_a,
        kernels.ridge_stage(theta_a, case.X_b, case.y_b, case.mu_b),
        kernels.ridge_stage(theta_b, case.X_a, case.y_a, case.mu_a),
    )


class Bound(NamedTuple):
    """Theorem 3.1 for one forget set, checked at t = max(t₀, 0), t + 1 and 2t + 20."""

    modes: kernels.Modes
    terms: kernels.BoundTerms
    t0: Scalar
    steps: Float[Array, " 3"]
    slack: Float[Array, " 3"]  # log d_t − log bound(t)


def _later(step: Scalar) -> Float[Array, " 3"]:
    return jnp.stack([step, step + 1, 2 * step + 20])


def log_divergence(
    delta: Float[Array, " d"], modes: kernels.Modes, X_test: Float[Array, "m d"], eta: Scalar
) -> LogDistance:
    """t ↦ log d(θ_a^t, θ_b^t) for Δ₀ = delta; ⟨v_j, Δ₀⟩ is the amplitude along v_j."""
    return partial(
        kernels.log_distance,
        X_test @ delta,
        X_test @ modes.right,
        modes.right.T @ delta,
        kernels.rates(modes, eta),
    )


def bound(
    delta: Float[Array, " d"],
    X_forget: Float[Array, "k d"],
    X_test: Float[Array, "m d"],
    eta: Scalar,
) -> Bound:
    """T1: the terms of the bound for Δ₀ = delta and its slack from t₀ on."""
    modes = kernels.forget_modes(X_forget)
    terms = kernels.bound_terms(delta, modes, X_test, eta)
    t0 = kernels.threshold_step(terms)
    steps = _later(jnp.maximum(t0, 0.0))
    divergence = log_divergence(delta, modes, X_test, eta)
    lower = partial(kernels.log_bound, terms.rho, terms.sigma * terms.projected, X_test.shape[0])
    return Bound(modes, terms, t0, steps, jax.vmap(lambda t: divergence(t) - lower(t))(steps))


def _log_distance_to(
    theta: Float[Array, " d"], target: Float[Array, " d"], case: Instance, modes: kernels.Modes
) -> LogDistance:
    """t ↦ log d(θ^t, target) for an ascent on stage B from θ; amplitudes Qᵀ(X_B θ − y_B)/s."""
    amplitude = (modes.left.T @ (case.X_b @ theta - case.y_b)) / modes.values
    return partial(
        kernels.log_distance,
        case.X_test @ (theta - target),
        case.X_test @ modes.right,
        amplitude,
        kernels.rates(modes, case.eta),
    )


class Violation(NamedTuple):
    """Corollary 1 at violation_step(ε) = v, v + 1 and 2v + 20."""

    steps: Float[Array, " 3"]
    margin: Float[Array, " 3"]  # log(max(d(AB_t, θ_r), d(BA_t, θ_r))/ε)


def violation(paths: Paths, checked: Bound, case: Instance) -> Violation:
    """T2 for U = B and the instance's ε; `checked` is the bound for U = B."""
    terms = checked.terms
    tests = case.X_test.shape[0]
    first = kernels.violation_step(
        terms.rho, terms.sigma * terms.projected, checked.t0, tests, case.epsilon
    )
    from_ab = _log_distance_to(paths.ab, paths.a, case, checked.modes)
    from_ba = _log_distance_to(paths.ba, paths.a, case, checked.modes)
    steps = _later(first)
    farther = jax.vmap(lambda t: jnp.maximum(from_ab(t), from_ba(t)))(steps)
    return Violation(steps, farther - jnp.log(case.epsilon))


def lemma_error(paths: Paths, case: Instance, steps: int) -> Scalar:
    """T3: largest ‖Δ_t − (I + M)^tΔ₀‖/‖(I + M)^tΔ₀‖ over t ≤ steps.

    Δ_t both by gradient steps and in closed form.
    """
    X, k = case.X_b, case.X_b.shape[0]
    targets = jnp.stack([case.y_b, case.y_b, jnp.zeros(k)], axis=1)
    delta = paths.ab - paths.ba
    closed = [kernels.ascent(theta, X, case.y_b, case.eta) for theta in (paths.ab, paths.ba)]

    def step(state: Float[Array, "d 3"], t: Scalar) -> tuple[Float[Array, "d 3"], Scalar]:
        state = state + (2 * case.eta / k) * (X.T @ (X @ state - targets))
        power, stepped = state[:, 2], state[:, 0] - state[:, 1]
        weights = kernels.ascent_weights(closed[0], t) - kernels.ascent_weights(closed[1], t)
        misses = jnp.stack([stepped - power, delta + X.T @ weights - power])
        largest = jnp.max(jnp.abs(power))  # the square of 1e200 would overflow
        return state, jnp.max(jnp.linalg.norm(misses / largest, axis=1)) / jnp.linalg.norm(
            power / largest
        )

    start = jnp.stack([paths.ab, paths.ba, delta], axis=1)
    return jnp.max(jax.lax.scan(step, start, jnp.arange(1.0, steps + 1))[1])
