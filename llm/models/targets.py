"""Which weights an adapter goes on: by default all linear layers but the output layer.

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

from llm.models.loading import text_config
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


def language_part(model: PreTrainedModel) -> nn.Module:
    """The module with the decoder: the whole model, or its part that is not for images."""
    if text_config(model) is model.config:
        return model
    part = model.get_decoder()
    return model if part is None else part


def _language_modules(model: PreTrainedModel) -> Iterator[tuple[str, nn.Module]]:
    inside = {id(module) for module in language_part(model).modules()}
    return ((name, module) for name, module in model.named_modules() if id(module) in inside)


@torch.no_grad()
def _is_linear(layer: nn.Module) -> bool:
    """Whether the layer computes xWᵀ + b; a router may inherit from Linear and return experts."""
    if not isinstance(layer, nn.Linear):
        return isinstance(layer, Conv1D)
    if type(layer).forward is nn.Linear.forward:
        return True
    unit = torch.ones(1, layer.in_features, device=layer.weight.device, dtype=layer.weight.dtype)
    output, expected = layer(unit), nn.functional.linear(unit, layer.weight, layer.bias)
    return isinstance(output, torch.Tensor) and torch.allclose(output, expected)


def linear_layers(model: PreTrainedModel) -> tuple[str, ...]:
    """Full names of the decoder's linear layers, without the output layer and PAST_THE_LAYER."""
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


def _chosen(names: tuple[str, ...], endings: tuple[str, ...]) -> tuple[str, ...]:
    """The full names that end on one of the chosen names; all without a choice."""
    if not endings:
        return names
    dotted = tuple(f".{ending}" for ending in endings)
    return tuple(name for name in names if f".{name}".endswith(dotted))


def targets_of(model: PreTrainedModel, wanted: tuple[str, ...]) -> Targets:
    """The layers and experts' weights an adapter goes on: those with a chosen name, all by default.

    wanted: names, or the ends of full names. Raises InputError for a chosen name that no layer has,
    and for a model with nothing to adapt.
    """
    layers, parameters = linear_layers(model), expert_weights(model)
    whole = layers + parameters
    for name in wanted:
        if not _chosen(whole, (name,)):
            there = ", ".join(dict.fromkeys(full.rpartition(".")[2] for full in whole))
            raise InputError(
                f"adaptation.targets: expected names of the model's layers ({there}); got {name!r}"
            )
    if not whole:
        raise InputError(
            "adaptation: expected a model with linear layers; it has none: take "
            "--adaptation.kind full"
        )
    return Targets(_chosen(layers, wanted), _chosen(parameters, wanted))
