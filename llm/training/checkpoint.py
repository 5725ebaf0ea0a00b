"""Checkpoints of a training every N updates: a killed stage continues from it, equal to the bit.

One safetensors file: the trained parameters by index, the optimizer's state of each, and the number
of updates done, from which all that is random derives. It is written under another name in the same
folder, then renamed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


@dataclass(frozen=True)
class Checkpoints:
    """A folder for the one checkpoint of a stage, and how many updates lie between two writings."""

    folder: Path
    every: int = 100

    @property
    def file(self) -> Path:
        """The file of the checkpoint."""
        return self.folder / "checkpoint.safetensors"


def write(
    place: Checkpoints,
    done: int,
    parameters: Sequence[torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write the checkpoint of a training after `done` updates."""
    state = {"done": torch.tensor(done)}
    for i, parameter in enumerate(parameters):
        state[f"parameter {i}"] = parameter.detach().contiguous()
        kept = {
            name: value for name, value in optimizer.state[parameter].items() if value is not None
        }
        state |= {f"state {i} {name}": value.contiguous() for name, value in kept.items()}
    place.folder.mkdir(parents=True, exist_ok=True)
    partial = place.file.with_suffix(".partial")
    save_file(state, partial)
    partial.replace(place.file)


@torch.no_grad()
def resume(
    place: Checkpoints, parameters: Sequence[torch.nn.Parameter], optimizer: torch.optim.Optimizer
) -> int:
    """Restore parameters and optimizer from the checkpoint; returns the updates done, or 0."""
    if not place.file.exists():
        return 0
    state = load_file(place.file)
    for i, parameter in enumerate(parameters):
        parameter.copy_(state[f"parameter {i}"])
        head = f"state {i} "
        optimizer.state[parameter] = {
            key.removeprefix(head): value.to(parameter.device)
            for key, value in state.items()
            if key.startswith(head)
        }
    return int(state["done"])
