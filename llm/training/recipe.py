"""How one stage is trained: rate, epochs, batches, schedule, optimizer.

The trainer itself is in llm.training.trainer. A schedule gives the factor of the learning rate for
every update, 0-based; it is never 0.
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
    """How one stage is trained."""

    lr: float
    """Learning rate."""
    epochs: int = 1
    """Number of passes over the rows."""
    batch: int = 32
    """Rows of an update."""
    micro_batch: int = 32
    """Rows of one forward pass; smaller ones accumulate to the same update."""
    schedule: str = "wsd"
    """Schedule of the learning rate: wsd (warm up, stay, decay), cosine or constant."""
    warmup: float = 0.02
    """Updates of the warm-up: a share of all updates, or a number of updates from 1 on."""
    decay: float = 0.02
    """Updates of the decay of wsd: a share of all updates, or a number of updates from 1 on."""
    floor: float = 0.0
    """Learning rate at the end of wsd and cosine, as a share of lr."""
    optimizer: str = "adamw"
    """adamw (β 0.9 and 0.999, no weight decay), sgd (plain), or normalized (sgd on the gradient
    scaled to norm 1)."""

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
        for name in ("warmup", "decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name}: expected a number ≥ 0; got {getattr(self, name)}")
        if not 0 <= self.floor <= 1:
            raise InputError(f"floor: expected a number from 0 to 1; got {self.floor}")


def _count(share: float, updates: int) -> int:
    """A share of the updates, or a number of them, as a number of at least 1."""
    return max(1, round(share if share >= 1 else share * updates))


def wsd(update: int, updates: int, training: Recipe) -> float:
    """Warm-up–stable–decay factor of update 0..updates − 1, never 0.

    Both ends are linear and have at least one update.
    """
    warm, cool = _count(training.warmup, updates), _count(training.decay, updates)
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
    "adamw": _adamw,
    "sgd": _sgd,
    "normalized": _sgd,
}


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
