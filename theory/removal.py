"""Unlearning that knows how the model was trained: methods that reach the retrained model itself.

A stage is affine in the model it starts from: T_s θ = L_s θ + T_s 0 with L_s = I − X_sᵀ
g_s(K_s)X_s. Let φ be the model before the forget stage U, δ = T_U φ − φ what U moved, and L_later
the product of the L_s of the stages after U. Then the trained model is θ_p = T_later(φ + δ) and the
retrained one θ_r = T_later φ, so θ_r = θ_p − L_later δ exactly, for any stages and filters. L_later
is applied by training on targets 0: no d×d array, and the inputs of the later stages but not their
targets. Subtracting δ itself ("stage-delta negation") is exact only where L_later δ = δ, as where U
is last. No gradient of the forget set is used. Source: our own; stages as in arXiv 2510.16629,
Section 2.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from protocol.orders import Order, retrained
from theory import checks, linear
from theory.filters import Filter
from theory.linear import Stages

Weights = float | Mapping[str, float] | None
Filters = Filter | Mapping[str, Filter] | None


def _split(order: Sequence[str], stages: Stages, forget: str) -> tuple[Order, Order]:
    """The stages before and after the forget stage, which is in the order once."""
    checked = checks.order(order, stages)
    retrained(checked, forget)  # raises if it is missing or a stage is there twice
    at = checked.index(forget)
    return checked[:at], checked[at + 1 :]


def _like_rows(argument: str, value: Any, stages: Stages) -> Float[np.ndarray, " d"]:
    """A vector with one entry for each column of the stages' inputs."""
    name, stage = next(iter(stages.items()))
    return checks.vector(
        argument, value, length=checks.stage(name, stage)[0].shape[1], of=", like the stages' rows"
    )


def _without_targets(stages: Stages) -> dict[str, Any]:
    """Every stage with targets 0: training on it applies its linear part."""
    data = {name: checks.stage(name, value) for name, value in stages.items()}
    return {name: (X, np.zeros_like(y)) for name, (X, y) in data.items()}


def stage_delta(
    stages: Stages,
    order: Sequence[str],
    forget: str,
    *,
    mu: Weights = None,
    filters: Filters = None,
    start: Any = None,
) -> Float[np.ndarray, " d"]:
    """δ = T_U φ − φ (d,), φ the model before stage `forget` of the order.

    It has to be stored while training. Arguments and errors as for `linear.train`; `forget` must be
    in the order, every stage once.
    """
    before, _ = _split(order, stages, forget)
    phi = linear.train(stages, before, mu=mu, filters=filters, start=start)
    return linear.train(stages, (forget,), mu=mu, filters=filters, start=phi) - phi


def carried(
    stages: Stages, delta: Any, later: Sequence[str], *, mu: Weights = None, filters: Filters = None
) -> Float[np.ndarray, " d"]:
    """L_later δ (d,): the part of a displacement δ that the stages `later` leave.

    delta (d,) is the displacement before them; they follow in their order. Only their inputs are
    used. Arguments and errors as for `linear.train`.
    """
    used = {name: stages[name] for name in checks.order(later, stages)} or stages
    delta = _like_rows("delta", delta, used)
    return linear.train(_without_targets(used), later, mu=mu, filters=filters, start=delta)


def stage_delta_negation(theta: Any, delta: Any) -> Float[np.ndarray, " d"]:
    """θ_p − δ, theta = θ_p (d,) and delta = δ (d,) stored while training.

    It is exact if U was learned last. InputError for vectors that do not fit. Source: task
    arithmetic (arXiv 2212.04089) with a stage's own displacement.
    """
    theta = checks.vector("theta", theta)
    return theta - checks.vector("delta", delta, length=theta.shape[0], of=", like theta")


def history_aware_removal(
    stages: Stages,
    order: Sequence[str],
    forget: str,
    *,
    mu: Weights = None,
    filters: Filters = None,
    start: Any = None,
) -> Float[np.ndarray, " d"]:
    """θ_p − L_later(T_U φ − φ) (d,), the retrained model.

    The displacement of U is carried through the later stages. Exact up to rounding for any order,
    ridge weights or filters. Arguments and errors as for `stage_delta`.
    """
    _, later = _split(order, stages, forget)
    theta = linear.train(stages, order, mu=mu, filters=filters, start=start)
    delta = stage_delta(stages, order, forget, mu=mu, filters=filters, start=start)
    return theta - carried(stages, delta, later, mu=mu, filters=filters)


def rewind(
    stages: Stages,
    checkpoint: Any,
    later: Sequence[str],
    *,
    mu: Weights = None,
    filters: Filters = None,
) -> Float[np.ndarray, " d"]:
    """T_later φ (d,): the later stages replayed, targets and all.

    They start from the checkpoint φ (d,) taken before U. Exact by definition. Arguments and errors
    as for `linear.train`.
    """
    checked = checks.order(later, stages)
    return linear.train(
        stages, checked, mu=mu, filters=filters, start=_like_rows("checkpoint", checkpoint, stages)
    )
