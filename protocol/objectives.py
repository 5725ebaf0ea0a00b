"""Unlearning objectives: one loss per example of the forget set, to be minimised.

Written once over the Python array API, so the same lines differentiate under JAX and under torch
(torch tensors have no `__array_namespace__`; array-api-compat supplies it). Every objective has the
signature (logp, ref_logp, length, *, constants) with logp = log π(y|x), the sum over the answer's
tokens, ref_logp the same under the reference model and length = |y| the number of answer tokens;
all of one shape, in nats. The trainer reduces the losses: `mean` over examples or `tokens` = Σ loss
/ Σ length. −log σ(x) is written logaddexp(0, −x), which neither overflows nor loses its gradient.
Another objective is one more entry of OBJECTIVES, from any file (docs/extend.md).
"""

from collections.abc import Callable
from typing import Any

from array_api_compat import array_namespace

from protocol.errors import InputError, known

Array = Any
Objective = Callable[..., Array]


def _softplus(x: Array) -> Array:
    xp = array_namespace(x)
    return xp.logaddexp(xp.zeros_like(x), x)


def _positive(argument: str, value: float) -> None:
    if not value > 0:
        raise InputError(f"{argument}: expected a number > 0; got {value}")


def gradient_ascent(logp: Array, ref_logp: Array, length: Array) -> Array:
    """GA: L = log π(y|x). Minimising it ascends the training loss −log π. Constants: none.

    Source: arXiv 2510.16629, section 4; Theorem 3.1's ascent when log π = −(xθ − y)².
    """
    return logp


def npo(logp: Array, ref_logp: Array, length: Array, *, beta: float = 0.5) -> Array:
    """NPO: L = −(2/β) log σ(−β [log π − log π_ref]), β > 0.

    Equals (2/β) log 2 wherever π = π_ref; its gradient tends to that of `gradient_ascent` as β → 0,
    and equals it at π = π_ref for every β. Source: Zhang et al. 2024 (arXiv 2404.05868), eq. 3.
    """
    _positive("beta", beta)
    return (2 / beta) * _softplus(beta * (logp - ref_logp))


def simnpo(logp: Array, ref_logp: Array, length: Array, *, beta: float = 0.2) -> Array:
    """SimNPO as the paper writes it: L = −(2/β) log σ(−β log π), β > 0.

    It has no length normalisation and no margin. Its gradient is 2σ(β log π) ∇log π, so it goes
    silent where β|log π| is large; take β with β|log π| of order 1. Source: arXiv 2510.16629,
    section 4.
    """
    _positive("beta", beta)
    return (2 / beta) * _softplus(beta * logp)


def simnpo_normalized(
    logp: Array, ref_logp: Array, length: Array, *, beta: float = 2.5, gamma: float = 0.0
) -> Array:
    """SimNPO in its original form: L = −(2/β) log σ(−(β/|y|) log π − γ), β > 0, |y| > 0.

    Source: Fan et al. 2024 (arXiv 2410.07163), eq. 4.
    """
    _positive("beta", beta)
    return (2 / beta) * _softplus((beta / length) * logp + gamma)


OBJECTIVES: dict[str, Objective] = {
    f.__name__: f for f in (gradient_ascent, npo, simnpo, simnpo_normalized)
}


def objective(name: str) -> Objective:
    """The objective of that name; InputError lists the names there are."""
    return OBJECTIVES[known("objective", name, list(OBJECTIVES))]


def reduce_losses(losses: Array, length: Array, *, reduction: str) -> Array:
    """One number from per-example losses: `mean` = Σ_i L_i / N, `tokens` = Σ_i L_i / Σ_i |y_i|.

    `tokens` is the reduction of the authors' code for GA: over all answer tokens of the accumulated
    batch.
    """
    known("reduction", reduction, ["mean", "tokens"])
    xp = array_namespace(losses)
    return xp.mean(losses) if reduction == "mean" else xp.sum(losses) / xp.sum(length)
