"""How one stage is trained: rate, epochs, batches, schedule, optimizer. The trainer itself:
llm.training.trainer.

A schedule gives the factor of the learning rate for every update, 0-based; it is never 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from llm.models.randomness import generator
from protocol.errors import InputError, known


@dataclass(frozen=True)
class Recipe:
    """How one stage is trained.

    warmup, decay: shares of its updates, or numbers of them from 1 on (WSD: warm up, stay, decay) ·
    floor: where the decay ends, as a share of lr · optimizer: adamw (β 0.9, 0.999, no weight
    decay), sgd (plain), or normalized (sgd on the gradient scaled to norm 1).
    """

    lr: float
    epochs: int = 1
    batch: int = 32
    micro_batch: int = 32  # rows in one forward pass; smaller ones accumulate to the same update
    schedule: str = "wsd"
    warmup: float = 0.02
    decay: float = 0.02
    floor: float = 0.0
    optimizer: str = "adamw"

    def __post_init__(self) -> None:
        known("optimizer", self.optimizer, list(OPTIMIZERS))
        known("schedule", self.schedule, list(SCHEDULES))
        if not 0 < self.lr < math.inf:
            raise InputError(f"lr: expected a number > 0; got {self.lr}")
        for name in ("epochs", "batch", "micro_batch"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name.replace('_', '-')}: expected at least 1; got {getattr(self, name)}"
                )


def _count(share: float, updates: int) -> int:
    """A share of the updates, or a number of them, as a number of at least 1."""
    return max(1, round(share if share >= 1 else share * updates))


def wsd(update: int, updates: int, training: Recipe) -> float:
    """Warm-up–stable–decay factor of update 0..updates − 1: linear ends of at least one update,
    never 0.
    """
    warm, cool = (_count(share, updates) for share in (training.warmup, training.decay))
    falling = min(1.0, (updates - update) / (cool + 1))
    return min((update + 1) / (warm + 1), training.floor + (1 - training.floor) * falling)


def cosine(update: int, updates: int, training: Recipe) -> float:
    """Linear warm-up, then half a cosine towards the floor."""
    warm = _count(training.warmup, updates)
    if update < warm:
        return (update + 1) / (warm + 1)
    falling = 0.5 * (1 + math.cos(math.pi * (update - warm) / max(1, updates - warm)))
    return training.floor + (1 - training.floor) * falling


def constant(update: int, updates: int, training: Recipe) -> float:
    """Linear warm-up, then 1."""
    return min(1.0, (update + 1) / (_count(training.warmup, updates) + 1))


SCHEDULES: dict[str, Callable[[int, int, Recipe], float]] = {
    "wsd": wsd,
    "cosine": cosine,
    "constant": constant,
}


def _adamw(parameters: list[torch.nn.Parameter], lr: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=lr, weight_decay=0.0, fused=True)


def _sgd(parameters: list[torch.nn.Parameter], lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=lr)


OPTIMIZERS: dict[str, Callable[[list[torch.nn.Parameter], float], torch.optim.Optimizer]] = {
    "adamw": _adamw, "sgd": _sgd, "normalized": _sgd
}  # fmt: skip


def updates_of(rows: int, training: Recipe) -> int:
    """How many updates a training of so many rows makes."""
    return training.epochs * math.ceil(rows / training.batch)


def batches(count: int, training: Recipe, *, seed: tuple[object, ...]) -> list[Tensor]:
    """Row indices of every update: each epoch shuffled anew, a smaller last batch kept."""
    shuffle = generator(*seed, "shuffle")
    return [
        batch
        for _ in range(training.epochs)
        for batch in torch.randperm(count, generator=shuffle).split(training.batch)
    ]
