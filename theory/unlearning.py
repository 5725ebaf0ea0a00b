"""The linear model unlearned step by step, by any objective and any optimizer.

log π_i(θ) = −(x_i θ − y_i)², the constant dropped, so that plain gradient steps of gradient ascent
with `mean` reduction are the theorem's ascent. The losses are those of `protocol.objectives`,
differentiated by JAX, the optimizers those of optax; NPO's reference is the model before
unlearning. Pure JAX, to be called inside `theory.numerics.float64()`; starts and instances by
`jax.vmap`. Time is counted in steps. Source: arXiv 2510.16629, Sections 3 and 4.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped, unused-ignore]
from jaxtyping import Float

from protocol import objectives
from protocol.errors import InputError
from protocol.spec import Method
from theory.kernels import Array, Scalar

Gradient = Callable[[Float[Array, " d"]], Float[Array, " d"]]


@runtime_checkable
class Optimizer(Protocol):
    """Turns gradients into updates; any `optax.GradientTransformation` does, too."""

    def init(self, theta: Any, /) -> Any:
        """The state before the first step."""

    def update(self, gradient: Any, state: Any, theta: Any, /) -> Any:
        """The update θ_{t+1} − θ_t and the next state."""


class Descent(NamedTuple):
    """Gradient steps of size eta; heavy-ball momentum and weight decay may be 0.

    v ← momentum · v + ∇L + decay · θ, θ ← θ − eta · v. Numbers may be traced.
    """

    eta: Scalar
    momentum: Scalar = 0.0
    decay: Scalar = 0.0

    def _steps(self) -> optax.GradientTransformation:
        decay = optax.add_decayed_weights(self.decay)
        return optax.chain(decay, optax.sgd(self.eta, momentum=self.momentum))

    def init(self, theta: Float[Array, " d"]) -> Any:
        """The state before the first step."""
        return self._steps().init(theta)

    def update(self, gradient: Float[Array, " d"], state: Any, theta: Float[Array, " d"]) -> Any:
        """The update (d,) and the next state."""
        return self._steps().update(gradient, state, theta)


class Adam(NamedTuple):
    """Adam with β = (0.9, 0.999) and ε = 1e-8, without weight decay; eta may be traced."""

    eta: Scalar

    def init(self, theta: Float[Array, " d"]) -> Any:
        """The state before the first step."""
        return optax.adam(self.eta).init(theta)

    def update(self, gradient: Float[Array, " d"], state: Any, theta: Float[Array, " d"]) -> Any:
        """The update (d,) and the next state."""
        return optax.adam(self.eta).update(gradient, state, theta)


def log_likelihood(
    theta: Float[Array, " d"], X: Float[Array, "n d"], y: Float[Array, " n"]
) -> Float[Array, " n"]:
    """log π_i = −(x_i θ − y_i)², constant dropped, in nats."""
    return -((X @ theta - y) ** 2)


def gradient(
    start: Float[Array, " d"], X: Float[Array, "k d"], y: Float[Array, " k"], method: Method
) -> Gradient:
    """θ ↦ ∇L(θ) of a method's loss on the forget set (X, y); its reference model is `start`.

    Raises InputError for a method that is no loss on the forget set alone.
    """
    if method.retain:
        raise InputError(
            "method.retain: expected 0, as only the forget set is given; "
            f"got {method.retain} for {method.name}"
        )
    length = jnp.ones_like(y)
    loss_of = partial(objectives.objective(method.objective), **dict(method.constants))
    reference = log_likelihood(start, X, y)

    def loss(theta: Float[Array, " d"]) -> Float[Array, ""]:
        losses = loss_of(log_likelihood(theta, X, y), reference, length)
        return objectives.reduce_losses(losses, length, reduction=method.reduction)

    return jax.grad(loss)


def descend(
    start: Float[Array, " d"], slope: Gradient, optimizer: Optimizer, steps: int
) -> Float[Array, "points d"]:
    """θ_0..θ_T of T = steps updates along any gradient `slope`; θ_0 = start."""

    def step(carried: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], Any]:
        theta, state = carried
        update, state = optimizer.update(slope(theta), state, theta)
        return (optax.apply_updates(theta, update), state), theta

    return jax.lax.scan(step, (start, optimizer.init(start)), None, length=steps + 1)[1]


def trajectory(
    start: Float[Array, " d"],
    X: Float[Array, "k d"],
    y: Float[Array, " k"],
    method: Method,
    optimizer: Optimizer,
    steps: int,
) -> Float[Array, "points d"]:
    """θ_0..θ_T (T + 1, d): `start` unlearned on the forget set (X, y) by T = steps updates.

    Each update minimises the method's loss L (GA: L = mean log π). With GA and `Descent(eta)` this
    is the ascent of `theory.linear.ascend`. Raises InputError as `gradient` does.
    """
    return descend(start, gradient(start, X, y, method), optimizer, steps)
