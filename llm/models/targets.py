"""Which weights of a model an adapter goes on: by default all linear layers of the decoder except the output layer.

Layers are found by their kind, not by their names, which differ between families (`q_proj`, `qkv_proj`,
`query_key_value`, `c_attn` …). The experts of a mixture of experts keep their weights in one tensor (E, out, in), which
is no layer; an adapter goes on that parameter. Routers that are no linear layers stay as they are.
"""

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from llm.models.parts import language_part
from protocol.errors import InputError

# Their fused kernels read the weight of `out_proj` past its layer, so PEFT refuses to adapt it.
PAST_THE_LAYER = {"mamba", "mamba2", "falcon_mamba", "falcon_h1", "nemotron_h"}


class Targets(NamedTuple):
    """Full names of linear layers, and of the experts' weights."""

    layers: tuple[str, ...]
    parameters: tuple[str, ...]


def _language_modules(model: PreTrainedModel) -> Iterator[tuple[str, nn.Module]]:
    inside = {id(module) for module in language_part(model).modules()}
    return ((name, module) for name, module in model.named_modules() if id(module) in inside)


def linear_layers(model: PreTrainedModel) -> tuple[str, ...]:
    """Full names of all linear layers of the decoder, the output layer left out."""
    output, past = model.get_output_embeddings(), model.config.model_type in PAST_THE_LAYER
    linear = [(name, layer) for name, layer in _language_modules(model) if isinstance(layer, (nn.Linear, Conv1D))]
    return tuple(name for name, layer in linear if layer is not output and not (past and name.endswith(".out_proj")))


def expert_weights(model: PreTrainedModel) -> tuple[str, ...]:
    """Full names of the three-dimensional weights of experts."""
    experts = [pair for pair in _language_modules(model) if "expert" in type(pair[1]).__name__.lower()]
    return tuple(
        f"{name}.{parameter}"
        for name, module in experts
        for parameter, weight in module.named_parameters(recurse=False)
        if weight.ndim == 3
    )


def _named(name: str, chosen: str) -> bool:
    return name == chosen or name.endswith(f".{chosen}")


def targets_of(model: PreTrainedModel, chosen: tuple[str, ...]) -> Targets:
    """What an adapter goes on: the layers and experts' weights whose names end on a chosen name, all where none is.

    Raises InputError for a chosen name that no layer has, and where there is nothing to adapt.
    """
    layers, parameters = linear_layers(model), expert_weights(model)
    for name in chosen:
        if not any(_named(each, name) for each in layers + parameters):
            there = ", ".join(dict.fromkeys(each.rpartition(".")[2] for each in layers + parameters))
            raise InputError(f"lora-targets: expected names of the model's layers ({there}); got {name!r}")
    if not layers + parameters:
        raise InputError("adaptation: expected a model with linear layers; it has none: take --adaptation full")
    if not chosen:
        return Targets(layers, parameters)
    return Targets(
        tuple(each for each in layers if any(_named(each, name) for name in chosen)),
        tuple(each for each in parameters if any(_named(each, name) for name in chosen)),
    )
