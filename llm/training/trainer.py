"""The one trainer, for learning and unlearning alike: an optimizer on a per-example objective,
fresh each stage.

A loss is a plain function of (logp, ref_logp, length) per example (protocol.objectives); learning
is `likelihood` under the reduction "tokens". An update is one step of the optimizer on one batch;
step = number of updates done. A weakly local method learns a batch of retained rows beside every
batch it unlearns.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm.data.chat import Row
from llm.models.adapters import trainable
from llm.models.loading import context_of
from llm.models.randomness import generator, seeded
from llm.training.checkpoint import Checkpoints, resume, write
from llm.training.logprobs import Batch, answer_logprobs, collate
from llm.training.recipe import OPTIMIZERS, SCHEDULES, Recipe, batches
from protocol.errors import InputError
from protocol.objectives import reduce_losses

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
Score = Callable[[PreTrainedModel, Batch], Tensor]  # what stands for log π(y|x) in a loss, (B,)


def likelihood(logp: Tensor, ref_logp: Tensor, length: Tensor) -> Tensor:
    """The learning objective, L = −log π(y|x) per example."""
    return -logp


@dataclass(frozen=True)
class Objective:
    """What a batch of rows is trained for: score its rows, turn scores into losses, reduce them,
    weigh the result.
    """

    loss: Loss = likelihood
    reduction: str = "tokens"
    score: Score = answer_logprobs
    weight: float = 1.0


LEARN = Objective()


@torch.enable_grad()
def _backward(
    model: PreTrainedModel,
    rows: Sequence[Row],
    reference: Tensor,
    aim: Objective,
    *,
    micro_batch: int,
) -> float:
    """Accumulate the gradient of the reduced loss of one batch; each micro-batch weighs its share
    of the whole.
    """
    whole = len(rows) if aim.reduction == "mean" else sum(len(row.answer) for row in rows)
    total = 0.0
    for start in range(0, len(rows), micro_batch):
        batch = collate(rows[start : start + micro_batch], pad=model.config.pad_token_id).to(
            model.device
        )
        logp, ref_logp = (
            aim.score(model, batch),
            reference[start : start + micro_batch].to(model.device),
        )  # (B,)
        losses = aim.loss(logp, ref_logp, batch.length)  # (B,)
        part = len(losses) if aim.reduction == "mean" else int(batch.length.sum())
        reduced = reduce_losses(losses, batch.length, reduction=aim.reduction) * (
            aim.weight * part / whole
        )
        reduced.backward()
        total += float(reduced.detach())
    return total


def gradient_norm(model: PreTrainedModel) -> float:
    """Euclidean norm of the gradient over all trained parameters, squares summed in float64: 1e-25
    has one, too.
    """
    norms = [
        torch.linalg.vector_norm(p.grad, dtype=torch.float64)
        for p in trainable(model)
        if p.grad is not None
    ]
    return float(torch.linalg.vector_norm(torch.stack(norms)))


def _check_finite(loss: float, norm: float, update: str, rows: list[int], lr: float) -> None:
    for what, value in (("loss", loss), ("norm of the gradient", norm)):
        if not math.isfinite(value):
            raise FloatingPointError(
                f"{update}: the {what} is {value} on the rows {rows}; lower lr ({lr})"
            )


def updates(
    model: PreTrainedModel,
    rows: Sequence[Row],
    training: Recipe,
    *,
    aim: Objective = LEARN,
    reference: Tensor | None = None,
    retained: tuple[Sequence[Row], float] = ((), 0.0),
    stop: int | None = None,
    seed: tuple[object, ...],
    checkpoints: Checkpoints | None = None,
) -> Iterator[float]:
    """Train in place; after each update yield the gradient norm it was made with.

    reference: log π_ref of every row, (len(rows),), where the loss needs it · retained: rows whose
    likelihood is learned beside every batch, as many as are in it, and the weight of that · stop:
    end after so many updates of the whole schedule · seed: what shuffling and dropout derive from ·
    checkpoints: where to go on from, and to write to. Raises InputError where nothing can be
    learned (no rows, no answer, no trainable parameter, rows longer than the context, more updates
    asked for than there are), FloatingPointError naming update and rows where the loss or its
    gradient is not finite.
    """
    check(model, rows)
    reference = torch.zeros(len(rows)) if reference is None else reference
    plan = batches(len(rows), training, seed=seed)
    if stop is not None and not 0 < stop <= len(plan):
        raise InputError(
            f"stage: expected to stop after 1 to {len(plan)} updates, as many as it has; got {stop}"
        )
    parameters = trainable(model)
    optimizer = OPTIMIZERS[training.optimizer](parameters, training.lr)
    beside = _beside(retained[0], sum(map(len, plan)), seed)
    begins = [0, *itertools.accumulate(map(len, plan))]  # of each batch in all rows trained on
    done = resume(checkpoints, parameters, optimizer) if checkpoints else 0
    for update, batch in list(enumerate(plan[:stop]))[done:]:
        for group in optimizer.param_groups:
            group["lr"] = training.lr * SCHEDULES[training.schedule](update, len(plan), training)
        optimizer.zero_grad(set_to_none=True)
        chosen = [rows[i] for i in batch.tolist()]
        # Dropout's draws belong to (seed, stage, update): not to what ran before, here or in an
        # interrupted run.
        with seeded(model.device, *seed, "dropout", update):
            loss = _backward(model, chosen, reference[batch], aim, micro_batch=training.micro_batch)
            if retained[0]:
                kept = beside[begins[update] :][: len(batch)]
                learn = Objective(reduction=aim.reduction, weight=retained[1])
                loss += _backward(
                    model, kept, torch.zeros(len(kept)), learn, micro_batch=training.micro_batch
                )
        norm = gradient_norm(model)
        _check_finite(
            loss, norm, f"update {update + 1} of {len(plan)}", batch.tolist(), training.lr
        )
        if training.optimizer == "normalized" and norm > 0:
            torch._foreach_div_([p.grad for p in parameters if p.grad is not None], norm)
        optimizer.step()
        if checkpoints and (update + 1) % checkpoints.every == 0:
            write(checkpoints, update + 1, parameters, optimizer)
        yield norm


def _beside(retained: Sequence[Row], count: int, seed: tuple[object, ...]) -> list[Row]:
    """`count` retained rows, drawn over and over in an order of its own."""
    shuffle = generator(*seed, "retained")
    rounds = -(-count // len(retained)) if retained else 0
    return [
        retained[i]
        for _ in range(rounds)
        for i in torch.randperm(len(retained), generator=shuffle).tolist()
    ]


def check(model: PreTrainedModel, rows: Sequence[Row]) -> None:
    """InputError where nothing can be learned: no rows, no trainable parameter, an empty mask, rows
    that do not fit.
    """
    if not rows:
        raise InputError("rows: expected at least one training row; got none")
    if not trainable(model):
        raise InputError(
            "model: expected trainable parameters; all are frozen: an adapter was loaded to be "
            "read only"
        )
    empty = sum(not row.answer for row in rows)
    if empty:
        raise InputError(f"rows: expected an answer in every row; {empty} of {len(rows)} have none")
    longest, context = (
        max(len(row.prompt) + len(row.answer) for row in rows),
        context_of(model.config),
    )
    if longest > context:
        raise InputError(
            f"rows: expected at most {context} tokens, the model's context; got {longest}; cut "
            f"them first"
        )


def train(
    model: PreTrainedModel,
    rows: Sequence[Row],
    training: Recipe,
    *,
    stop: int | None = None,
    seed: tuple[object, ...],
    checkpoints: Checkpoints | None = None,
) -> None:
    """Learn the rows: `updates` with the likelihood, to its end; InputError if the first changes no
    weight.
    """
    before = [parameter.detach().clone() for parameter in trainable(model)]
    for norm in updates(model, rows, training, stop=stop, seed=seed, checkpoints=checkpoints):
        if before and all(
            torch.equal(old, new) for old, new in zip(before, trainable(model), strict=True)
        ):
            raise InputError(
                f"training: expected the first update to change a weight; its gradient of norm "
                f"{norm:.3g} changed "
                "none: are the weights all 0, or the rate too small?"
            )
        before = []
