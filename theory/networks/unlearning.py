"""Unlearning a network by GA, NPO or SimNPO on the whole forget set at once, measured on the way.

The losses are those of `protocol.objectives`, over log π of the forget answers; NPO's reference is
the model before unlearning. Measured at steps 0..T, before each update; step T's update is computed
and not used.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped, unused-ignore]
from jax.flatten_util import ravel_pytree
from jaxtyping import Int, Shaped

from protocol import objectives
from protocol.metrics import centred_logits, re_distance
from protocol.spec import Method
from theory.networks.models import Apply, Parameters, log_likelihood

Array = Any


class Prompts(NamedTuple):
    """The forget set, and held-out prompts of the retained stages and of the forget stage."""

    forget: Shaped[Array, "forget ..."]
    forget_answers: Int[Array, " forget"]
    test: Shaped[Array, "tests ..."]
    test_answers: Int[Array, " tests"]
    held_out_forget: Shaped[Array, "held_out ..."]


Logits = dict[str, Array]  # (prompts, c) by part
HELD_OUT = ("test", "forget")  # held-out prompts of the retained stages and of the forget stage
PARTS = ("label", *HELD_OUT)  # label: the forget set itself


def part_logits(apply: Apply, parameters: Parameters, prompts: Prompts) -> Logits:
    """Logits on the prompts of every part, in one pass.

    A second pass would take as long to compile as to run.
    """
    parts = (prompts.forget, prompts.test, prompts.held_out_forget)
    logits = jax.vmap(partial(apply, parameters))(jnp.concatenate(parts))
    ends = np.cumsum([len(part) for part in parts])
    return dict(zip(PARTS, jnp.split(logits, ends[:-1]), strict=True))


def _log_pi(logits: Array, answers: Array) -> Array:
    """log π of the answers (n,)."""
    return jnp.take_along_axis(jax.nn.log_softmax(logits), answers[:, None], axis=1)[:, 0]


def distances(logits: Logits, reference: Logits) -> dict[str, Array]:
    """re_distance/part of probabilities and logit_distance/part of centred logits."""
    metrics = {}
    for part in HELD_OUT:
        both = (logits[part], reference[part])
        metrics[f"re_distance/{part}"] = re_distance(*map(jax.nn.softmax, both))
        metrics[f"logit_distance/{part}"] = re_distance(*map(centred_logits, both))
    return metrics


def measured(prompts: Prompts, logits: Logits, reference: Logits) -> dict[str, Array]:
    """Mean log π of the forget set, mean log π and accuracy on the test prompts, distances.

    logits are the model's own, reference the retrained model's; outputs/part are the model's,
    centred.
    """
    right = jnp.argmax(logits["test"], axis=1) == prompts.test_answers
    levels = {
        "label_loglik": jnp.mean(_log_pi(logits["label"], prompts.forget_answers)),
        "retain_loglik": jnp.mean(_log_pi(logits["test"], prompts.test_answers)),
        "retain_accuracy": jnp.mean(right, dtype=float),
    }
    outputs = {f"outputs/{part}": centred_logits(values) for part, values in logits.items()}
    return levels | distances(logits, reference) | outputs


def losses_of(methods: Sequence[Method]) -> Callable[[Array, Array, Array, Array], Array]:
    """The reduced loss (number of the method, logp, ref_logp, length) -> ().

    The method is data, as orders are.
    """

    def reduced(method: Method) -> Callable[[Array, Array, Array], Array]:
        loss = partial(objectives.objective(method.objective), **dict(method.constants))
        return lambda logp, ref, length: objectives.reduce_losses(
            loss(logp, ref, length), length, reduction=method.reduction
        )

    branches = [reduced(method) for method in methods]
    return lambda number, *arguments: jax.lax.switch(number, branches, *arguments)


def unlearn(
    apply: Apply,
    start: Parameters,
    inputs: Array,
    answers: Array,
    *,
    loss_of: Callable[[Array, Array, Array], Array],
    optimizer: optax.GradientTransformation,
    steps: int,
    measure: Callable[[Parameters], Mapping[str, Array]],
) -> dict[str, Array]:
    """T = steps updates from `start` on the forget set.

    Returns `measure` and grad_norm = ‖∇L‖ at steps 0..T, (T + 1, ...).
    """
    length, (first, unravel) = jnp.ones(answers.shape), ravel_pytree(start)
    before = log_likelihood(apply, start, inputs, answers)

    def loss(parameters: Array) -> Array:
        return loss_of(log_likelihood(apply, unravel(parameters), inputs, answers), before, length)

    def step(carry: tuple, _: None) -> tuple:
        parameters, state = carry
        gradient = jax.grad(loss)(parameters)
        metrics = {**measure(unravel(parameters)), "grad_norm": optax.global_norm(gradient)}
        change, state = optimizer.update(gradient, state, parameters)
        return (optax.apply_updates(parameters, change), state), metrics

    return jax.lax.scan(step, (first, optimizer.init(first)), None, length=steps + 1)[1]
