"""The one trainer, for learning and unlearning: an optimizer on a per-example objective.

The optimizer is fresh in each stage. A loss is a plain function of (logp, ref_logp, length) per
example (protocol.objectives); learning is `likelihood` under the reduction "tokens". An update is
one step of the optimizer on one batch; step = number of updates done. A weakly local method learns
a batch of retained rows with every batch it unlearns.
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
Score = Callable[[PreTrainedModel, Batch], Tensor]  # log π(y|x) of a loss, or its substitute, (B,)


def likelihood(logp: Tensor, ref_logp: Tensor, length: Tensor) -> Tensor:
    """The learning objective, L = −log π(y|x) per example."""
    return -logp


@dataclass(frozen=True)
class Objective:
    """What a batch of rows is trained for.

    Rows get scores, scores become losses, losses are reduced, and the result is weighted.
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
    """Accumulate the gradient of one batch's reduced loss; returns that loss.

    Each micro-batch is weighted by its share of the batch: of its rows ("mean") or of its answer
    tokens ("tokens").
    """
    whole = len(rows) if aim.reduction == "mean" else sum(len(row.answer) for row in rows)
    total = 0.0
    for start in range(0, len(rows), micro_batch):
        few = slice(start, start + micro_batch)
        batch = collate(rows[few], pad=model.config.pad_token_id).to(model.device)
        logp = aim.score(model, batch)  # (B,)
        ref_logp = reference[few].to(model.device)  # (B,)
        losses = aim.loss(logp, ref_logp, batch.length)  # (B,)
        part = len(losses) if aim.reduction == "mean" else int(batch.length.sum())
        weight = aim.weight * part / whole
        reduced = reduce_losses(losses, batch.length, reduction=aim.reduction) * weight
        reduced.backward()
        total += float(reduced.detach())
    return total


def gradient_norm(model: PreTrainedModel) -> float:
    """Euclidean norm of the gradient over all trained parameters.

    Squares are summed in float64, as those of gradients of 1e-25 are 0 in float32.
    """
    gradients = [p.grad for p in trainable(model) if p.grad is not None]
    norms = [torch.linalg.vector_norm(grad, dtype=torch.float64) for grad in gradients]
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

    reference: log π_ref of every row, (len(rows),), if the loss needs it · retained: rows whose
    likelihood is learned with every batch, as many as the batch has, and their weight · stop: end
    after so many updates of the whole schedule · seed: shuffling and dropout derive from it ·
    checkpoints: the checkpoint to continue from and to write. Raises InputError if nothing can be
    learned (no rows, no answer, no trainable parameter, rows longer than the context, a stop after
    more updates than there are), FloatingPointError with the update and its rows if the loss or its
    gradient is not finite.
    """
    check(model, rows)
    reference = torch.zeros(len(rows)) if reference is None else reference
    plan = batches(len(rows), training, seed=seed)
    if stop is not None and not 0 < stop <= len(plan):
        raise InputError(
            f"stage: expected to stop after 1 to {len(plan)} updates, as many as it has; got {stop}"
        )
    parameters, size = trainable(model), training.micro_batch
    optimizer = OPTIMIZERS[training.optimizer](parameters, training.lr)
    repeated = _repeated(retained[0], sum(map(len, plan)), seed)
    begins = [0, *itertools.accumulate(map(len, plan))]  # of each batch in all rows trained on
    done = resume(checkpoints, parameters, optimizer) if checkpoints else 0
    for update, batch in list(enumerate(plan[:stop]))[done:]:
        for group in optimizer.param_groups:
            group["lr"] = training.lr * SCHEDULES[training.schedule](update, len(plan), training)
        optimizer.zero_grad(set_to_none=True)
        learned = [rows[i] for i in batch.tolist()]
        # Dropout's draws belong to (seed, stage, update): not to what ran before, here or in an
        # interrupted run.
        with seeded(model.device, *seed, "dropout", update):
            loss = _backward(model, learned, reference[batch], aim, micro_batch=size)
            if retained[0]:
                kept = repeated[begins[update] :][: len(batch)]
                learn = Objective(reduction=aim.reduction, weight=retained[1])
                loss += _backward(model, kept, torch.zeros(len(kept)), learn, micro_batch=size)
        norm = gradient_norm(model)
        place = f"update {update + 1} of {len(plan)}"
        _check_finite(loss, norm, place, batch.tolist(), training.lr)
        if training.optimizer == "normalized" and norm > 0:
            torch._foreach_div_([p.grad for p in parameters if p.grad is not None], norm)
        optimizer.step()
        if checkpoints and (update + 1) % checkpoints.every == 0:
            write(checkpoints, update + 1, parameters, optimizer)
        yield norm


def _repeated(retained: Sequence[Row], count: int, seed: tuple[object, ...]) -> list[Row]:
    """At least `count` retained rows: all of them again and again, shuffled in each round."""
    shuffle = generator(*seed, "retained")
    rows: list[Row] = []
    while retained and len(rows) < count:
        order = torch.randperm(len(retained), generator=shuffle)
        rows += [retained[i] for i in order.tolist()]
    return rows


def check(model: PreTrainedModel, rows: Sequence[Row]) -> None:
    """InputError if nothing can be learned.

    That is: no rows, no trainable parameter, an empty answer, or rows longer than the context.
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
    context = context_of(model.config)
    longest = max(len(row.prompt) + len(row.answer) for row in rows)
    if longest > context:
        raise InputError(
            f"rows: expected at most {context} tokens, the model's context; got {longest}; cut "
            "them first"
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
    """Learn the rows by all updates; InputError if the first update changes no weight."""
    before = [parameter.detach().clone() for parameter in trainable(model)]
    for norm in updates(model, rows, training, stop=stop, seed=seed, checkpoints=checkpoints):
        if before and all(map(torch.equal, before, trainable(model))):
            raise InputError(
                "training: expected the first update to change a weight; its gradient of norm "
                f"{norm:.3g} changed none: are the weights all 0, or the rate too small?"
            )
        before = []
