"""The one trainer, for learning and unlearning alike: AdamW on a per-example objective, WSD schedule, fresh each stage.

A loss is a plain function of (logp, ref_logp, length) per example (protocol.objectives); learning is `likelihood` under
the reduction "tokens". An update is one step of the optimizer on one batch; step = number of updates done.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm.chat import Row
from llm.checkpoint import Checkpoints, resume, write
from llm.models.adapters import trainable
from llm.randomness import generator
from llm.scoring import answer_logprobs, collate
from protocol.errors import InputError, known
from protocol.objectives import reduce_losses

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Training:
    """How one stage is trained. `warmup` and `decay` are shares of its updates (WSD: warm up, stay, decay)."""

    lr: float
    epochs: int = 1
    batch: int = 32
    micro_batch: int = 32  # rows in one forward pass; smaller ones accumulate to the same update
    schedule: str = "wsd"
    warmup: float = 0.02
    decay: float = 0.02

    def __post_init__(self) -> None:
        known("schedule", self.schedule, list(SCHEDULES))
        if not 0 < self.lr < math.inf or self.epochs < 1 or self.batch < 1 or self.micro_batch < 1:
            raise InputError(f"training: expected lr > 0 and epochs, batch, micro_batch ≥ 1; got {self}")


def wsd(update: int, updates: int, training: Training) -> float:
    """Warm-up–stable–decay factor of update 0..updates − 1: linear ends of at least one update, never 0."""
    warm, cool = (max(1, round(share * updates)) for share in (training.warmup, training.decay))
    return min(1.0, (update + 1) / (warm + 1), (updates - update) / (cool + 1))


def cosine(update: int, updates: int, training: Training) -> float:
    """Linear warm-up, then half a cosine towards 0."""
    warm = max(1, round(training.warmup * updates))
    if update < warm:
        return (update + 1) / (warm + 1)
    return 0.5 * (1 + math.cos(math.pi * (update - warm) / max(1, updates - warm)))


SCHEDULES: dict[str, Callable[[int, int, Training], float]] = {"wsd": wsd, "cosine": cosine}


def updates_of(rows: int, training: Training) -> int:
    """How many updates a training of so many rows makes."""
    return training.epochs * math.ceil(rows / training.batch)


def likelihood(logp: Tensor, ref_logp: Tensor, length: Tensor) -> Tensor:
    """The learning objective, L = −log π(y|x) per example."""
    return -logp


def batches(count: int, training: Training, *, seed: tuple[object, ...]) -> list[Tensor]:
    """Row indices of every update: each epoch shuffled anew, its last batch kept even if smaller."""
    shuffle = generator(*seed, "shuffle")
    return [
        batch
        for _ in range(training.epochs)
        for batch in torch.randperm(count, generator=shuffle).split(training.batch)
    ]


@torch.enable_grad()
def _backward(
    model: PreTrainedModel, rows: Sequence[Row], reference: Tensor, loss: Loss, *, reduction: str, micro_batch: int
) -> float:
    """Accumulate the gradient of the reduced loss of one batch; each micro-batch weighs its share of the whole."""
    whole = len(rows) if reduction == "mean" else sum(len(row.answer) for row in rows)
    total = 0.0
    for start in range(0, len(rows), micro_batch):
        batch = collate(rows[start : start + micro_batch], pad=model.config.pad_token_id)
        losses = loss(answer_logprobs(model, batch), reference[start : start + micro_batch], batch.length)  # (B,)
        part = len(losses) if reduction == "mean" else int(batch.length.sum())
        reduced = reduce_losses(losses, batch.length, reduction=reduction) * (part / whole)
        reduced.backward()
        total += float(reduced.detach())
    return total


def gradient_norm(model: PreTrainedModel) -> float:
    """Euclidean norm of the gradient over all trained parameters."""
    return float(torch.stack([p.grad.square().sum() for p in trainable(model) if p.grad is not None]).sum().sqrt())


def updates(
    model: PreTrainedModel,
    rows: Sequence[Row],
    training: Training,
    *,
    loss: Loss = likelihood,
    reduction: str = "tokens",
    reference: Tensor | None = None,
    seed: tuple[object, ...],
    checkpoints: Checkpoints | None = None,
) -> Iterator[float]:
    """Train in place; after each update yield the gradient norm it was made with.

    reference: log π_ref of every row, (len(rows),), where the loss needs it · seed: what the shuffling derives from ·
    checkpoints: where to go on from, and to write to.
    Raises InputError where nothing can be learned (no rows, no answer, no trainable parameter, rows longer than the
    context), FloatingPointError naming update and rows where the loss is not finite.
    """
    check(model, rows)
    reference = torch.zeros(len(rows)) if reference is None else reference
    plan = batches(len(rows), training, seed=seed)
    parameters = trainable(model)
    optimizer = torch.optim.AdamW(parameters, lr=training.lr, weight_decay=0.0, fused=True)
    done = resume(checkpoints, parameters, optimizer) if checkpoints else 0
    for update, batch in list(enumerate(plan))[done:]:
        for group in optimizer.param_groups:
            group["lr"] = training.lr * SCHEDULES[training.schedule](update, len(plan), training)
        optimizer.zero_grad(set_to_none=True)
        chosen = [rows[i] for i in batch.tolist()]
        value = _backward(
            model, chosen, reference[batch], loss, reduction=reduction, micro_batch=training.micro_batch
        )  # fmt: skip
        if not math.isfinite(value):
            raise FloatingPointError(
                f"update {update + 1} of {len(plan)}: the loss is {value} on the rows {batch.tolist()}; "
                f"lower lr ({training.lr})"
            )
        norm = gradient_norm(model)
        optimizer.step()
        if checkpoints and (update + 1) % checkpoints.every == 0:
            write(checkpoints, update + 1, parameters, optimizer)
        yield norm


def check(model: PreTrainedModel, rows: Sequence[Row]) -> None:
    """InputError where nothing can be learned: no rows, no trainable parameter, an empty mask, rows that do not fit."""
    if not rows:
        raise InputError("rows: expected at least one training row; got none")
    if not trainable(model):
        raise InputError("model: expected trainable parameters; all are frozen: an adapter was loaded to be read only")
    empty = sum(not row.answer for row in rows)
    if empty:
        raise InputError(f"rows: expected an answer in every row; {empty} of {len(rows)} have none")
    longest, context = max(len(row.prompt) + len(row.answer) for row in rows), model.config.max_position_embeddings
    if longest > context:
        raise InputError(f"rows: expected at most {context} tokens, the model's context; got {longest}; cut them first")


def train(
    model: PreTrainedModel,
    rows: Sequence[Row],
    training: Training,
    *,
    seed: tuple[object, ...],
    checkpoints: Checkpoints | None = None,
) -> None:
    """Learn the rows: `updates` with the likelihood, run to its end; RuntimeError if the first changes no weight."""
    before = [parameter.detach().clone() for parameter in trainable(model)]
    for norm in updates(model, rows, training, seed=seed, checkpoints=checkpoints):
        if before and all(torch.equal(old, new) for old, new in zip(before, trainable(model), strict=True)):
            raise RuntimeError(f"training: one update with gradient norm {norm:.3g} changed no weight")
        before = []
