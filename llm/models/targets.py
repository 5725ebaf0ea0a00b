"""Which weights of a model an adapter goes on: by default all linear layers of the decoder except
the output layer.

Layers are found by their kind, not by their names, which differ between families (`q_proj`,
`qkv_proj`, `query_key_value`, `c_attn` …). The experts of a mixture of experts keep their weights
in one tensor (E, out, in), which is no layer; an adapter goes on that parameter. Routers that are
no linear layers stay as they are.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from llm.models.parts import language_part
from protocol.errors import InputError

# Mamba multiplies by this layer's weight without calling the layer, so an adapter on it would act
# when merged only.
PAST_THE_LAYER = {"dt_proj"}
# The fused kernels of these families read the weight of `out_proj` past its layer; PEFT refuses to
# adapt it.
FUSED_MAMBA = {"mamba", "mamba2", "falcon_mamba", "falcon_h1", "nemotron_h"}


class Targets(NamedTuple):
    """Full names of linear layers, and of the experts' weights."""

    layers: tuple[str, ...]
    parameters: tuple[str, ...]


def _language_modules(model: PreTrainedModel) -> Iterator[tuple[str, nn.Module]]:
    inside = {id(module) for module in language_part(model).modules()}
    return ((name, module) for name, module in model.named_modules() if id(module) in inside)


@torch.no_grad()
def _is_linear(layer: nn.Module) -> bool:
    """Whether the layer computes xWᵀ + b: a router may inherit from a linear layer and return
    choices of experts.
    """
    if not isinstance(layer, nn.Linear):
        return isinstance(layer, Conv1D)
    if type(layer).forward is nn.Linear.forward:
        return True
    unit = torch.ones(1, layer.in_features, device=layer.weight.device, dtype=layer.weight.dtype)
    found = layer(unit)
    return isinstance(found, torch.Tensor) and torch.allclose(
        found, nn.functional.linear(unit, layer.weight, layer.bias)
    )


def linear_layers(model: PreTrainedModel) -> tuple[str, ...]:
    """Full names of all linear layers of the decoder, without the output layer and those in
    PAST_THE_LAYER.
    """
    output, modules = model.get_output_embeddings(), dict(_language_modules(model))
    linear = [name for name, layer in modules.items() if _is_linear(layer) and layer is not output]
    return tuple(name for name in linear if not _read_past(name, modules, model.config.model_type))


def _read_past(name: str, modules: dict[str, nn.Module], family: str) -> bool:
    above, _, own = name.rpartition(".")
    around = type(modules.get(above)).__name__
    return ("Mamba" in around and own in PAST_THE_LAYER) or (
        own == "out_proj" and family in FUSED_MAMBA
    )


def expert_weights(model: PreTrainedModel) -> tuple[str, ...]:
    """Full names of the three-dimensional weights of experts."""
    experts = [
        pair for pair in _language_modules(model) if "expert" in type(pair[1]).__name__.lower()
    ]
    return tuple(
        f"{name}.{parameter}"
        for name, module in experts
        for parameter, weight in module.named_parameters(recurse=False)
        if weight.ndim == 3
    )


def _named(name: str, chosen: str) -> bool:
    return name == chosen or name.endswith(f".{chosen}")


def targets_of(model: PreTrainedModel, chosen: tuple[str, ...]) -> Targets:
    """What an adapter goes on: the layers and experts' weights whose names end on a chosen name,
    all where none is.

    Raises InputError for a chosen name that no layer has, and where there is nothing to adapt.
    """
    layers, parameters = linear_layers(model), expert_weights(model)
    for name in chosen:
        if not any(_named(each, name) for each in layers + parameters):
            there = ", ".join(
                dict.fromkeys(each.rpartition(".")[2] for each in layers + parameters)
            )
            raise InputError(
                f"adaptation.targets: expected names of the model's layers ({there}); got {name!r}"
            )
    if not layers + parameters:
        raise InputError(
            "adaptation: expected a model with linear layers; it has none: take "
            "--adaptation.kind full"
        )
    if not chosen:
        return Targets(layers, parameters)
    return Targets(
        tuple(each for each in layers if any(_named(each, name) for name in chosen)),
        tuple(each for each in parameters if any(_named(each, name) for name in chosen)),
    )
