"""How fast two paths diverge: the rate at the first step of unlearning, and how long it holds.

Every pair of the paths p = 1..P of an instance is followed under each method. Experiment "rates":
- a run per pair, its order the two orders joined by "|" and its position the smaller p. By step
  (every so many): secant_rate ρ_t (parameters), output_rate r_t and log_divergence (outputs on the
  test inputs). At step s, for the extrapolation that starts there: horizon/rate from (1 +
  r_s)^{2t}, horizon/ratio from (d_{s+1}/d_s)^t and horizon/constant from d_t = d_s, in steps, at
  most T − s. At step 0, growth of log d per step: growth/measured (slope over the first steps) and
  what predicts it, growth/rate, growth/ratio, growth/secant (from ρ_0) and, under GA,
  growth/theorem (from ρ*); identity_error/outputs and /parameters, the worst relative error of the
  rates' identities over all steps; projected_rate_error under GA, of the secant rate of PΔ₀ against
  ρ*;
- a run of all paths of an instance, order "all paths", position 0, at every step: half_diameter,
  and retrained_distance = max_p √d(u_p, θ_r).
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from protocol import growth, metrics
from protocol.errors import InputError
from protocol.growth import Reading
from protocol.orders import positions
from protocol.progress import Progress
from protocol.recorder import Recorder
from protocol.records import Result
from protocol.spec import Method, named_methods
from theory import kernels, unlearning
from theory.numerics import float64
from theory.problems.staged import (
    FORGET,
    RETAIN,
    Problem,
    Staged,
    batches,
    draw_many,
    train_paths,
)
from theory.unlearning import Descent

BATCH = 32  # instances at a time: bounds memory, changes no result
ORDERS = positions(RETAIN, FORGET)
PAIRS = np.array(growth.pairs(len(ORDERS)))  # (pairs, 2), p < q in lexicographic order


@dataclass(frozen=True)
class Settings:
    """Rates of divergence, their extrapolations and the half-diameter bound."""

    instances: int = 64
    """Number of instances."""
    steps: int = 100
    """Unlearning updates."""
    methods: tuple[str, ...] = ("GA", "NPO", "SimNPO")
    """Unlearning methods."""
    reading: Reading = Reading()
    """What is read from the trajectories."""
    problem: Problem = Problem()
    """The random problem."""

    def __post_init__(self) -> None:
        if self.instances < 1 or self.steps <= self.reading.last:
            raise InputError(
                f"settings: expected at least 1 instance and more steps than {self.reading.last}, "
                "the window and every start of the reading; "
                f"got {self.instances} instances, {self.steps} steps"
            )


QUICK = Settings(instances=16, steps=60)


class Followed(NamedTuple):
    """One instance under one method, or a batch of them; pairs p < q in lexicographic order."""

    outputs: Float[Any, "*batch paths points m"]
    reference: Float[Any, "*batch m"]
    secant_rate: Float[Any, "*batch pairs steps"]
    identity_error: Float[Any, "*batch pairs"]
    projected_rate: Float[Any, "*batch pairs"]
    rho: Float[Any, "*batch pairs"]


def _unlearn(
    start: Float[jax.Array, " d"], case: Staged, method: Method, steps: int, eta: float
) -> tuple[Float[jax.Array, "points d"], Float[jax.Array, "points d"]]:
    """θ_t and the update u_t = −η∇L(θ_t) that follows it, t = 0..T; the last update is not made."""
    X, y = case.X[-1], case.y[-1]
    slope = unlearning.gradient(start, X, y, method)
    thetas = unlearning.trajectory(start, X, y, method, Descent(eta), steps)
    return thetas, jax.lax.map(lambda theta: -eta * slope(theta), thetas)


def _parameters(
    theta: Float[jax.Array, "2 points d"],
    update: Float[jax.Array, "2 points d"],
    case: Staged,
    eta: float,
) -> tuple[Any, Any, Any, Any]:
    """Of a pair: ρ_t, the worst relative error of its identity, the secant rate of PΔ₀, and ρ*."""
    delta, apart = theta[0] - theta[1], update[0, :-1] - update[1, :-1]
    rate = metrics.secant_rate(delta[:-1], apart)
    size = jnp.sum(delta**2, axis=-1)
    promised = size[:-1] * (1 + 2 * rate) + jnp.sum(apart**2, axis=-1)
    error = jnp.max(jnp.abs(size[1:] - promised) / size[1:])
    modes = kernels.forget_modes(case.X[-1])
    projected = metrics.secant_rate(modes.right.T @ delta[0], modes.right.T @ apart[0])
    return rate, error, projected, kernels.bound_terms(delta[0], modes, case.X_test, eta).rho


@partial(jax.jit, static_argnums=1)
def trained(
    cases: Staged, mu: float
) -> tuple[Float[jax.Array, "batch paths d"], Float[jax.Array, "batch d"]]:
    """Every path's model before unlearning, and the retrained model, of a batch of instances."""
    return jax.vmap(lambda case: train_paths(case, ORDERS, (*RETAIN, FORGET), mu))(cases)


@partial(jax.jit, static_argnums=(3, 4, 5))
def follow(
    cases: Staged,
    starts: Float[jax.Array, "batch paths d"],
    reference: Float[jax.Array, "batch d"],
    method: Method,
    steps: int,
    eta: float,
) -> Followed:
    """Every path of a batch of instances along T = steps updates; call it inside `float64()`."""

    def of_instance(
        case: Staged, starts: Float[jax.Array, "paths d"], reference: Float[jax.Array, " d"]
    ) -> Followed:
        theta, update = jax.vmap(lambda start: _unlearn(start, case, method, steps, eta))(starts)
        measured = jax.vmap(lambda pair, apart: _parameters(pair, apart, case, eta))
        pairs = measured(theta[PAIRS], update[PAIRS])
        return Followed(theta @ case.X_test.T, case.X_test @ reference, *pairs)

    return jax.vmap(of_instance)(cases, starts, reference)


def _in_parameters(followed: Followed, method: Method, every: int) -> growth.Measured:
    """The metrics of a batch of instances in parameters, a row per pair."""
    secant = followed.secant_rate.reshape(-1, followed.secant_rate.shape[-1])
    at_start = {"identity_error/parameters": followed.identity_error.ravel()}
    if method.objective == "gradient_ascent":
        rho = followed.rho.ravel()
        at_start["growth/theorem"] = metrics.growth_by_rate(rho)
        at_start["projected_rate_error"] = np.abs(followed.projected_rate.ravel() / rho - 1)
    measured = growth.in_parameters(secant, every)
    for name, values in at_start.items():
        measured[name] = ((0,), np.asarray(values)[:, None])
    return measured


def run(settings: Settings, progress: Progress) -> Result:
    """Follow every pair of paths under every method; experiment "rates".

    progress(label, done, total) counts instances × methods. Source: arXiv 2510.16629, Section 3,
    read in outputs.
    """
    recorder = Recorder("rates", "linear", settings, reference=RETAIN)
    methods, problem, reading = named_methods(settings.methods), settings.problem, settings.reading
    done, total = 0, settings.instances * len(methods)
    for seeds in batches(range(settings.instances), BATCH):
        cases = draw_many(problem, 0, seeds)
        with float64():
            models = trained(cases, problem.mu)
        for method in methods:
            with float64():
                followed = follow(cases, *models, method, settings.steps, problem.eta)
                followed = Followed(*map(np.asarray, followed))
            of_pairs, of_paths = growth.read_off(followed.outputs, reading, followed.reference)
            of_pairs |= _in_parameters(followed, method, reading.every)
            growth.record(
                recorder, ORDERS, seeds, method=method.name, of_pairs=of_pairs, of_paths=of_paths
            )
            done += len(seeds)
            progress("rates", done, total)
    return recorder.result("theory: rates")
