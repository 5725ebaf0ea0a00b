"""How a model is unlearned: by gradient steps on a loss, or by a reference method.

A local method descends on a loss of the forget rows alone (`protocol.objectives`). A reference
method knows more than these rows: the retrained model, or the history of training. It is one
`Unlearner`, added here by one call of `add`. All else random is the same for every path and method
of a seed: the order of the forget rows, the start of a fresh adapter.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm.data.chat import Row
from llm.training import logprobs, trainer
from llm.training.logprobs import Batch
from llm.training.recipe import Recipe
from llm.training.trainer import Objective, likelihood
from protocol.errors import InputError, known
from protocol.objectives import OBJECTIVES
from protocol.orders import Order, phases
from protocol.spec import REFERENCE_METHODS, Method


class Start(Protocol):
    """What a method may know of the model it unlearns; `llm.lab.start.Start` is one.

    A local method uses `rows` and `reference_logprobs`, a weakly local one `retained`, too; the
    rest is history.
    """

    @property
    def order(self) -> Order:
        """The stages the model was trained on."""

    @property
    def forget(self) -> str:
        """The forget stage."""

    @property
    def reference_order(self) -> Order:
        """The order of the retrained model θ_r."""

    @property
    def seed(self) -> int:
        """The shuffle seed."""

    @property
    def steps(self) -> int:
        """The number of unlearning updates of the experiment."""

    @property
    def recipe(self) -> Recipe:
        """How unlearning is trained."""

    @property
    def rows(self) -> Sequence[Row]:
        """The training rows of the forget stage."""

    @property
    def retained(self) -> Sequence[Row]:
        """A sample of the retained rows, the same for all paths."""

    @property
    def reference_logprobs(self) -> Tensor:
        """log π_ref of every forget row under the leaf, (N,)."""

    def model(self, order: Order) -> PreTrainedModel:
        """The model trained on an order."""

    def leaf(self, order: Order) -> PreTrainedModel:
        """The model trained on an order, ready to be trained on."""


Step = tuple[float | None, PreTrainedModel]  # norm of the gradient (None without one), the model


def _anywhere(start: Start) -> None:
    """A method that can start from every order refuses none."""


@dataclass(frozen=True)
class Unlearner:
    """A reference method. A new one is added by one call of `add`.

    name: as in `--methods` · objective: `Method.objective`, which keys and records hold · run:
    yields the model after every step · one_step: it makes one step, where others make the
    experiment's updates · check: raises InputError for a start it cannot be used on, before
    anything is trained.
    """

    name: str
    objective: str
    run: Callable[[Start, Method], Iterator[Step]]
    one_step: bool = False
    check: Callable[[Start], object] = _anywhere


UNLEARNERS: dict[str, Unlearner] = {}  # by objective
METHODS: dict[str, Method] = {}  # the reference methods by name


def add(unlearner: Unlearner) -> None:
    """Make a reference method known to runs, to `Method` and to the options."""
    REFERENCE_METHODS[unlearner.objective] = unlearner.name
    UNLEARNERS[unlearner.objective] = unlearner
    METHODS[unlearner.name] = Method(unlearner.name, unlearner.objective)


def gradient_steps(start: Start, method: Method, aim: Objective) -> Iterator[Step]:
    """The experiment's updates from the leaf, on forget rows and, if weighted, retained rows."""
    model = start.leaf(start.order)
    norms = trainer.updates(
        model,
        start.rows,
        start.recipe,
        aim=aim,
        reference=start.reference_logprobs,
        retained=(start.retained, method.retain) if method.retain else ((), 0.0),
        seed=(start.seed, "unlearning"),
    )
    for norm in norms:
        yield norm, model


def distillation_score(reference: PreTrainedModel) -> trainer.Score:
    """−Σ_t KL(π_r(·|x, y_<t) ‖ π(·|x, y_<t)) over an answer's tokens, (B,), in nats.

    It is 0 if the model predicts as the reference θ_r does, and negative otherwise.
    """

    def score(model: PreTrainedModel, batch: Batch) -> Tensor:
        with torch.no_grad():
            target = torch.log_softmax(logprobs.answer_logits(reference, batch), dim=-1)  # (A, V)
        ours = torch.log_softmax(logprobs.answer_logits(model, batch), dim=-1)  # (A, V)
        kl = torch.nn.functional.kl_div(ours, target, reduction="none", log_target=True)  # (A, V)
        divergence = kl.sum(dim=-1)  # (A,)
        return divergence.new_zeros(len(batch.length)).index_add(0, batch.row, -divergence)  # (B,)

    return score


def distilled(start: Start, method: Method) -> Iterator[Step]:
    """oracle-local: θ_r is distilled into the leaf on the forget rows alone."""
    score = distillation_score(start.leaf(start.reference_order))
    return gradient_steps(start, method, Objective(likelihood, method.reduction, score))


def own_position(start: Start) -> int:
    """The 1-based position of the forget stage; InputError if it is only in a mixture.

    It is the check of a method that takes the model before or after the forget stage.
    """
    alone = [read.members == (start.forget,) for read in phases(start.order)]
    if not any(alone):
        raise InputError(
            f"order: expected {start.forget} as a stage of its own, as the method takes the model "
            f"before {start.forget}; got {' > '.join(start.order)}"
        )
    return alone.index(True) + 1


def negated(start: Start, method: Method) -> Iterator[Step]:
    """negation: θ − (T_U φ − φ), without the forget stage's change; φ is the node before it.

    Exactly the retrained model if the forget stage came last.
    """
    position = own_position(start)
    model = start.model(start.order)
    after = start.model(start.order[:position])
    before = start.model(start.order[: position - 1])
    weights = zip(model.parameters(), after.parameters(), before.parameters(), strict=True)
    with torch.no_grad():
        for ours, learned, had in weights:
            ours.sub_(learned - had)
    yield None, model.eval()


def rewound(start: Start, method: Method) -> Iterator[Step]:
    """rewind: φ with the later stages trained again, which is the retrained model itself."""
    yield None, start.leaf(start.reference_order)


add(Unlearner("oracle-local", "distillation", distilled))
add(Unlearner("negation", "negation", negated, one_step=True, check=own_position))
add(Unlearner("rewind", "rewind", rewound, one_step=True))


def takes_one_step(method: Method) -> bool:
    """Whether a method makes one step, not the experiment's updates."""
    return method.objective in UNLEARNERS and UNLEARNERS[method.objective].one_step


def check(start: Start, method: Method) -> None:
    """InputError if a method cannot be used on a start; nothing is trained."""
    if method.objective in UNLEARNERS:
        UNLEARNERS[method.objective].check(start)


def unlearned(start: Start, method: Method) -> Iterator[Step]:
    """After every step the norm of its gradient (None without one), and the model.

    Raises InputError for an objective that is neither in OBJECTIVES nor in UNLEARNERS.
    """
    known("objective", method.objective, [*OBJECTIVES, *UNLEARNERS])
    if method.objective in UNLEARNERS:
        return UNLEARNERS[method.objective].run(start, method)
    loss = partial(OBJECTIVES[method.objective], **dict(method.constants))
    return gradient_steps(start, method, Objective(loss, method.reduction))
