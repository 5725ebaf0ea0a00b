"""The models in flax.nnx, used as functions.

Parameters are a pytree, `apply(network)` maps (parameters, x) to logits. One input x at a time,
features (d,) or tokens (length,); batches and ensembles are made by vmap. A model returns the
logits (c,) of one answer, so log π(y|x) = log softmax(logits)_y and |y| = 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Int

from protocol.errors import InputError, known

Parameters = Any  # pytree of arrays
Apply = Callable[[Parameters, jax.Array], jax.Array]
MODELS = ("softmax", "mlp", "transformer")


@dataclass(frozen=True)
class Network:
    """Kind and sizes of a model."""

    model: str = "mlp"
    """softmax (no hidden layer), mlp (one hidden layer) or transformer (two layers)."""
    inputs: int = 32
    """Number of features; of tokens in the vocabulary for the transformer."""
    classes: int = 8
    """Number of answers."""
    width: int = 64
    """Width of the hidden layer, or of the residual stream."""
    heads: int = 2
    """Attention heads (transformer)."""
    length: int = 4
    """Tokens of a prompt (transformer)."""
    alike: float = 0.0
    """Correlation of the features of the first and the last answer (softmax)."""

    def __post_init__(self) -> None:
        known("model", self.model, MODELS)
        if min(self.inputs, self.width, self.heads, self.length) < 1 or self.classes < 2:
            raise InputError(
                f"network: expected sizes of at least 1 and at least 2 classes; got {self}"
            )
        if self.model == "transformer" and self.width % self.heads:
            raise InputError(f"heads: expected a divisor of width = {self.width}; got {self.heads}")
        if not -1 <= self.alike <= 1:
            raise InputError(f"alike: expected a correlation from -1 to 1; got {self.alike}")


class Softmax(nnx.Module):
    """z = F(Wx + b), F with unit rows.

    Answer a has features F_a, orthogonal but for F_0·F_{c−1} = alike.
    """

    def __init__(self, inputs: int, classes: int, alike: float, *, rngs: nnx.Rngs) -> None:
        self.head = nnx.Linear(inputs, classes, rngs=rngs)
        self.alike = alike

    def __call__(self, x: Float[jax.Array, " d"]) -> Float[jax.Array, " c"]:
        scores = self.head(x)
        last = self.alike * scores[0] + math.sqrt(1 - self.alike**2) * scores[-1]
        return scores.at[-1].set(last)


class MLP(nnx.Module):
    """x -> W₂ tanh(W₁x + b₁) + b₂."""

    def __init__(self, inputs: int, width: int, classes: int, *, rngs: nnx.Rngs) -> None:
        self.hidden = nnx.Linear(inputs, width, rngs=rngs)
        self.head = nnx.Linear(width, classes, rngs=rngs)

    def __call__(self, x: Float[jax.Array, " d"]) -> Float[jax.Array, " c"]:
        return self.head(jnp.tanh(self.hidden(x)))


class Block(nnx.Module):
    """Causal self-attention and an MLP of four times the width, each on a normalized stream."""

    def __init__(self, width: int, heads: int, *, rngs: nnx.Rngs) -> None:
        self.attention_norm = nnx.LayerNorm(width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(heads, width, decode=False, rngs=rngs)
        self.mlp_norm = nnx.LayerNorm(width, rngs=rngs)
        self.up = nnx.Linear(width, 4 * width, rngs=rngs)
        self.down = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "length width"]) -> Float[jax.Array, "length width"]:
        mask = nnx.make_causal_mask(x[:, 0])
        x = x + self.attention(self.attention_norm(x), mask=mask)
        return x + self.down(nnx.gelu(self.up(self.mlp_norm(x))))


class Transformer(nnx.Module):
    """Two blocks over token and position embeddings; the logits of the token after the prompt."""

    def __init__(
        self, tokens: int, length: int, width: int, heads: int, classes: int, *, rngs: nnx.Rngs
    ) -> None:
        self.tokens = nnx.Embed(tokens, width, rngs=rngs)
        self.places = nnx.Embed(length, width, rngs=rngs)
        self.first = Block(width, heads, rngs=rngs)
        self.second = Block(width, heads, rngs=rngs)
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.head = nnx.Linear(width, classes, rngs=rngs)

    def __call__(self, prompt: Int[jax.Array, " length"]) -> Float[jax.Array, " c"]:
        x = jnp.add(
            self.tokens(prompt), self.places(jnp.arange(prompt.shape[0]))
        )  # (length, width)
        return self.head(self.norm(self.second(self.first(x)))[-1])


def _module(network: Network, seed: int) -> nnx.Module:
    rngs = nnx.Rngs(seed)
    if network.model == "transformer":
        return Transformer(
            network.inputs, network.length, network.width, network.heads, network.classes, rngs=rngs
        )
    if network.model == "softmax":
        return Softmax(network.inputs, network.classes, network.alike, rngs=rngs)
    return MLP(network.inputs, network.width, network.classes, rngs=rngs)


def initial(network: Network, seed: int) -> Parameters:
    """Initial parameters, drawn in float32; of the default type, so float64 inside `float64`."""
    drawn = nnx.to_pure_dict(nnx.state(_module(network, seed), nnx.Param))
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=float), drawn)


@cache
def apply(network: Network) -> Apply:
    """The function (parameters, x) -> logits (c,) of a network."""
    graph, state = nnx.split(nnx.eval_shape(lambda: _module(network, 0)))

    @jax.jit  # traced once, not once a use
    def logits(parameters: Parameters, x: jax.Array) -> jax.Array:
        whole = nnx.from_flat_state(nnx.to_flat_state(state))
        nnx.replace_by_pure_dict(whole, parameters)
        return nnx.merge(graph, whole)(x)

    return logits


def log_likelihood(apply: Apply, parameters: Parameters, x: jax.Array, y: jax.Array) -> jax.Array:
    """log π(y_i|x_i) in nats, (n,), of inputs (n, ...) and answers (n,)."""
    logits = jax.vmap(apply, (None, 0))(parameters, x)  # (n, c)
    return jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)[:, 0]
