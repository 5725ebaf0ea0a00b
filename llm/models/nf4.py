"""Linear layers on weights of four bits (NF4, bitsandbytes): w ≈ code[i] · max|w| of 64 weights.

The rounding is done once, on the base; `dequantized` gives the weights that were trained on,
without another rounding. Source: Dettmers et al., QLoRA (arXiv 2305.14314), without double
quantization.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

if TYPE_CHECKING:  # bitsandbytes is slow to load
    import bitsandbytes


def quantize(model: PreTrainedModel, layers: Sequence[str]) -> None:
    """Replace linear layers of these full names by NF4 layers, in place, and no others."""
    for name in layers:
        _replace(model, name, _packed(model.get_submodule(name)))
    model.is_loaded_in_4bit = True  # where peft looks before it wraps a 4-bit layer


def dequantized(model: PreTrainedModel) -> PreTrainedModel:
    """The model with every NF4 layer replaced by a float32 layer of the rounded weights."""
    import bitsandbytes

    kind = bitsandbytes.nn.Linear4bit
    packed = [name for name, layer in model.named_modules() if isinstance(layer, kind)]
    for name in packed:
        _replace(model, name, _unpacked(model.get_submodule(name)))
    model.is_loaded_in_4bit = False
    return model.float()


def _replace(model: PreTrainedModel, name: str, layer: nn.Module) -> None:
    above, _, own = name.rpartition(".")
    setattr(model.get_submodule(above), own, layer)


def _packed(layer: Any) -> "bitsandbytes.nn.Linear4bit":
    import bitsandbytes

    weight: torch.Tensor = layer.weight.data
    if isinstance(layer, Conv1D):  # GPT-2 keeps its weight as (in, out)
        weight = weight.T.contiguous()
    packed = bitsandbytes.nn.Linear4bit(
        weight.shape[1],
        weight.shape[0],
        bias=layer.bias is not None,
        compute_dtype=weight.dtype,
        quant_type="nf4",
        compress_statistics=False,
    )
    packed.weight = bitsandbytes.nn.Params4bit(
        weight.clone(), requires_grad=False, quant_type="nf4"
    )
    if layer.bias is not None:
        packed.bias = nn.Parameter(layer.bias.detach().clone(), requires_grad=False)
    # In evaluation on a CPU with AVX-512 BF16 the layer would repack its weight for a kernel
    # without a backward pass.
    packed.support_avx512bf16_for_cpu = False
    return packed.to(weight.device)


def _unpacked(packed: "bitsandbytes.nn.Linear4bit") -> nn.Linear:
    from bitsandbytes.functional import dequantize_4bit

    layer = nn.Linear(
        packed.in_features, packed.out_features, bias=packed.bias is not None, device="meta"
    )
    weight = dequantize_4bit(packed.weight.data, packed.weight.quant_state)
    layer.weight = nn.Parameter(weight.float())
    if packed.bias is not None:
        layer.bias = nn.Parameter(packed.bias.detach().float())
    return layer
