"""Where a training stands, written every N updates, so that a killed stage goes on in its middle, equal to the bit.

One safetensors file: the trained parameters by index, the optimizer's state of each, the number of updates done and the
state of torch's generator (dropout draws from it). It is written beside its place and renamed into it.
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
        """The checkpoint's place."""
        return self.folder / "checkpoint.safetensors"


def write(
    place: Checkpoints, done: int, parameters: Sequence[torch.nn.Parameter], optimizer: torch.optim.Optimizer
) -> None:
    """Keep where the training stands after `done` updates."""
    state = {"done": torch.tensor(done), "generator": torch.get_rng_state()}
    if parameters[0].is_cuda:
        state["cuda generator"] = torch.cuda.get_rng_state(parameters[0].device)
    for i, parameter in enumerate(parameters):
        state[f"parameter {i}"] = parameter.detach().contiguous()
        kept = {name: value for name, value in optimizer.state[parameter].items() if value is not None}
        state |= {f"state {i} {name}": value.contiguous() for name, value in kept.items()}
    place.folder.mkdir(parents=True, exist_ok=True)
    partial = place.file.with_suffix(".partial")
    save_file(state, partial)
    partial.replace(place.file)


@torch.no_grad()
def resume(place: Checkpoints, parameters: Sequence[torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> int:
    """Put parameters, optimizer and generator where the checkpoint left them; returns the updates done, or 0."""
    if not place.file.exists():
        return 0
    state = load_file(place.file)
    for i, parameter in enumerate(parameters):
        parameter.copy_(state[f"parameter {i}"])
        head = f"state {i} "
        optimizer.state[parameter] = {
            key.removeprefix(head): value.to(parameter.device) for key, value in state.items() if key.startswith(head)
        }
    torch.set_rng_state(state["generator"])
    if "cuda generator" in state:
        torch.cuda.set_rng_state(state["cuda generator"], parameters[0].device)
    return int(state["done"])
