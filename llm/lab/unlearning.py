"""How a leaf is unlearned, method by method: gradient steps of the one trainer, or a function of
the stage store.

All else random is the same for every path and method of a seed: the forget rows' order, a fresh
adapter's start.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm.config.methods import HISTORY
from llm.lab.nodes import leaf, node
from llm.lab.start import Start
from llm.training import logprobs, trainer
from llm.training.logprobs import Batch
from llm.training.trainer import Objective, likelihood
from protocol import orders
from protocol.errors import InputError
from protocol.objectives import objective
from protocol.spec import Method


def distillation_score(reference: PreTrainedModel) -> trainer.Score:
    """−Σ_t KL(π_r(·|x, y_<t) ‖ π(·|x, y_<t)) over an answer's tokens, (B,): 0 where the model
    predicts as θ_r does.
    """

    def score(model: PreTrainedModel, batch: Batch) -> Tensor:
        with torch.no_grad():
            target = torch.log_softmax(logprobs.answer_logits(reference, batch), dim=-1)  # (A, V)
        ours = torch.log_softmax(logprobs.answer_logits(model, batch), dim=-1)  # (A, V)
        divergence = torch.nn.functional.kl_div(
            ours, target, reduction="none", log_target=True
        ).sum(dim=-1)  # (A,)
        return divergence.new_zeros(len(batch.length)).index_add(0, batch.row, -divergence)  # (B,)

    return score


def _aim(start: Start, method: Method) -> Objective:
    if method.objective == "distillation":
        target = leaf(start.lab, start.reference_order)
        return Objective(likelihood, method.reduction, distillation_score(target))
    return Objective(
        partial(objective(method.objective), **dict(method.constants)), method.reduction
    )


def own_place(start: Start) -> int:
    """The 1-based place of the forget stage as a stage of its own; InputError in a mixture, where
    there is none.
    """
    alone = [orders.phase(stage).members == (start.lab.experiment.forget,) for stage in start.order]
    if not any(alone):
        raise InputError(
            f"negation: expected the forget stage on its own in the order; got "
            f"{' > '.join(start.order)}"
        )
    return alone.index(True) + 1


@torch.no_grad()
def negated(start: Start) -> PreTrainedModel:
    """θ − (T_U φ − φ): what the forget stage changed is taken back from the leaf; φ is the node
    before it.

    Exactly the retrained model where the forget stage came last.
    """
    lab, at = start.lab, own_place(start)
    model, after, before = (node(lab, start.order[:end]) for end in (len(start.order), at, at - 1))
    for ours, learned, had in zip(
        model.parameters(), after.parameters(), before.parameters(), strict=True
    ):
        ours.sub_(learned - had)
    return model.eval()


def rewound(start: Start) -> PreTrainedModel:
    """The node before the forget stage with the later stages trained again: the retrained model
    itself.
    """
    return leaf(start.lab, start.reference_order)


HISTORY_AWARE: dict[str, Callable[[Start], PreTrainedModel]] = dict(
    zip(HISTORY, (negated, rewound), strict=True)
)


def steps_of(start: Start, method: Method) -> int:
    """How many steps the method makes: the experiment's updates, or one."""
    return 1 if method.objective in HISTORY_AWARE else start.lab.experiment.steps


def unlearned(start: Start, method: Method) -> Iterator[tuple[float | None, PreTrainedModel]]:
    """After every step the norm of the gradient it was made with (None where there was none), and
    the model.
    """
    if method.objective in HISTORY_AWARE:
        yield None, HISTORY_AWARE[method.objective](start)
        return
    model = leaf(start.lab, start.order)
    norms = trainer.updates(
        model,
        start.rows,
        start.lab.settings.unlearning,
        aim=_aim(start, method),
        reference=start.reference_logprobs,
        retained=(start.retained, method.retain) if method.retain else ((), 0.0),
        seed=(start.lab.seed, "unlearning"),
    )
    for norm in norms:
        yield norm, model
