"""The paths p = 1..P of the paper in the linear model: forget stage at each position, then GA, NPO and SimNPO.

log π_i(θ) = −(x_i θ − y_i)², the constant dropped, so that gradient ascent by plain gradient steps with `mean`
reduction is the theorem's ascent; the losses are those of `protocol.objectives`, differentiated by JAX. NPO's
reference is the model before unlearning. A seed is an instance: its stages and held-out rows are drawn afresh.
Stages carry the names of the paper's, and share a part of their features and of their targets.
Metrics by step 0..T: see protocol/records.py; re_distance/test is over held-out inputs of the retained stages,
re_distance/forget over the forget set's inputs, both to the model trained without the forget stage.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from protocol import objectives
from protocol.errors import InputError
from protocol.metrics import re_distance
from protocol.orders import Order, retrained
from protocol.spec import Experiment, Method, named_methods
from theory import kernels
from theory.instances import Array, Family, rows

RETAIN = ("inst", "tofu", "math")
FORGET = "safety"
SEEDS = 256


@dataclass(frozen=True)
class Settings:
    """Sizes and constants of the linear model.

    d: parameters · n: rows of every stage (so k = n) · held_out: rows kept from each retained stage for testing · mu:
    ridge weight of training · eta: step size of unlearning · overlap: share of the features' variance in `factors`
    directions common to all stages · teacher: share of the targets' variance explained by a θ* common to all stages,
    the rest being the stage's own θ* · noise: standard deviation of the targets' noise.
    """

    d: int = 200
    n: int = 40
    held_out: int = 20
    mu: float = 1.0
    eta: float = 0.3
    overlap: float = 0.3
    factors: int = 10
    teacher: float = 0.5
    noise: float = 0.1

    def __post_init__(self) -> None:
        if self.held_out * len(RETAIN) <= self.n:
            raise InputError(
                f"held_out: expected more than n/{len(RETAIN)} rows of each retained stage, so that m > k; got "
                f"{self.held_out} for n = {self.n}"
            )


def experiment(seeds: int = SEEDS, settings: Settings = Settings()) -> Experiment:
    """The positions experiment of the linear model over `seeds` instances, 20 unlearning steps."""
    return Experiment(
        name="positions", world="linear", model="linear", retain=RETAIN, forget=FORGET,
        methods=named_methods(("GA", "NPO", "SimNPO", "SimNPO-beta1")), steps=20, seeds=tuple(range(seeds)),
        settings=settings,
    )  # fmt: skip


class Instance(NamedTuple):
    """Stages in the order (*retain, forget), stacked, and the held-out rows of the retained stages."""

    X: Float[Array, "*batch stages n d"]
    y: Float[Array, "*batch stages n"]
    X_test: Float[Array, "*batch m d"]
    y_test: Float[Array, "*batch m"]


def draw(base: int, seed: int, stages: int, settings: Settings) -> Instance:
    """Instance `seed`: rows of mean square norm 1, targets xθ*_s + noise with a variance of about 1."""
    rng = np.random.default_rng([base, seed])
    d, n, held_out = settings.d, settings.n, settings.held_out
    factors, shared = rng.standard_normal((settings.factors, d)), rng.standard_normal(d)
    X, y = np.empty((stages, n + held_out, d)), np.empty((stages, n + held_out))
    for s in range(stages):
        X[s] = rows(rng, n + held_out, factors, Family(overlap=settings.overlap))
        own = rng.standard_normal(d)
        theta = np.sqrt(settings.teacher) * shared + np.sqrt(1 - settings.teacher) * own
        y[s] = X[s] @ theta + settings.noise * rng.standard_normal(n + held_out)
    return Instance(X[:, :n], y[:, :n], X[:-1, n:].reshape(-1, d), y[:-1, n:].reshape(-1))


def draw_many(spec: Experiment, seeds: tuple[int, ...]) -> Instance:
    """The instances of several seeds, stacked along a leading axis."""
    drawn = (draw(spec.base, seed, len(spec.retain) + 1, spec.settings) for seed in seeds)
    return Instance(*(np.stack(parts) for parts in zip(*drawn, strict=True)))


def _train(case: Instance, order: Order, names: Order, mu: float) -> Float[jax.Array, " d"]:
    theta = jnp.zeros(case.X.shape[-1])
    for name in order:
        stage = names.index(name)
        theta = kernels.ridge_stage(theta, case.X[stage], case.y[stage], mu)
    return theta


def trained(case: Instance, spec: Experiment) -> tuple[Float[jax.Array, "paths d"], Float[jax.Array, " d"]]:
    """Every path's model before unlearning, and the retrained model they have in common."""
    names = (*spec.retain, spec.forget)
    train = partial(_train, case, names=names, mu=spec.settings.mu)
    return jnp.stack([train(order) for order in spec.orders]), train(retrained(spec.orders[0], spec.forget))


class Curves(NamedTuple):
    """Metrics at steps 0..T."""

    label_loglik: Float[jax.Array, "*runs points"]
    retain_loglik: Float[jax.Array, "*runs points"]
    grad_norm: Float[jax.Array, "*runs points"]
    test_distance: Float[jax.Array, "*runs points"]
    forget_distance: Float[jax.Array, "*runs points"]


def log_likelihood(
    theta: Float[jax.Array, " d"], X: Float[jax.Array, "n d"], y: Float[jax.Array, " n"]
) -> Float[jax.Array, " n"]:
    """log π_i = −(x_i θ − y_i)², constant dropped, in nats."""
    return -((X @ theta - y) ** 2)


def unlearn(
    start: Float[jax.Array, " d"], reference: Float[jax.Array, " d"], case: Instance, *, method: Method, steps: int,
    eta: float,
) -> Curves:  # fmt: skip
    """T = steps updates θ ← θ − η∇L(θ) on the forget set from `start`; `reference` is the retrained model θ_r."""
    X, y = case.X[-1], case.y[-1]
    length = jnp.ones_like(y)
    loss_of = partial(objectives.objective(method.objective), **dict(method.constants))
    before = log_likelihood(start, X, y)

    def loss(theta: Float[jax.Array, " d"]) -> Float[jax.Array, ""]:
        losses = loss_of(log_likelihood(theta, X, y), before, length)
        return objectives.reduce_losses(losses, length, reduction=method.reduction)

    def step(theta: Float[jax.Array, " d"], _: None) -> tuple[Float[jax.Array, " d"], Curves]:
        gradient = jax.grad(loss)(theta)
        measured = Curves(
            label_loglik=jnp.mean(log_likelihood(theta, X, y)),
            retain_loglik=jnp.mean(log_likelihood(theta, case.X_test, case.y_test)),
            grad_norm=jnp.linalg.norm(gradient),
            test_distance=re_distance(case.X_test @ theta, case.X_test @ reference),
            forget_distance=re_distance(X @ theta, X @ reference),
        )
        return theta - eta * gradient, measured

    return jax.lax.scan(step, start, None, length=steps + 1)[1]


@partial(jax.jit, static_argnums=(1, 2))
def unlearn_many(cases: Instance, spec: Experiment, method: Method) -> Curves:
    """Curves (instances, paths, T + 1) of one method on a batch of instances."""

    def one(case: Instance) -> Curves:
        starts, reference = trained(case, spec)
        run = partial(unlearn, method=method, steps=spec.steps, eta=spec.settings.eta)
        return jax.vmap(lambda start: run(start, reference, case))(starts)

    return jax.vmap(one)(cases)


def batches(seeds: tuple[int, ...], size: int) -> Iterator[tuple[int, ...]]:
    """The seeds in pieces of at most `size`."""
    return (seeds[low : low + size] for low in range(0, len(seeds), size))
