"""How a model is trained: whole, through a LoRA adapter, or through one on projections quantized to NF4 (QLoRA).

An adapter adds (α/r)·B·A to each projection's weight, B (out, r) starting at 0, so a fresh adapter changes nothing.
Adapters are merged in float32: in bfloat16 a merge moves log-probabilities by 8e-3. Layers are replaced in place, so
the caller's model keeps its parts and names.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel

from protocol.errors import InputError, known

if TYPE_CHECKING:  # peft and bitsandbytes are slow to load, and full fine-tuning needs neither
    import peft

KINDS = ("full", "lora", "qlora")
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Adaptation:
    """What is trained; rank, alpha, dropout and targets are the adapter's."""

    kind: str = "full"
    """full, lora, or qlora (LoRA on NF4 projections)."""
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: tuple[str, ...] = PROJECTIONS
    anew: bool = False
    """Merge after every stage and start a new adapter, instead of one adapter through all stages."""

    def __post_init__(self) -> None:
        known("adaptation.kind", self.kind, list(KINDS))
        if self.rank < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1:
            raise InputError(f"adaptation: expected rank ≥ 1, alpha > 0 and 0 ≤ dropout < 1; got {self}")


def quantize(model: PreTrainedModel, targets: tuple[str, ...]) -> None:
    """Replace the target projections by NF4 ones, in place; embeddings, norms and biases stay as they are."""
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if name in targets and isinstance(layer, torch.nn.Linear):
                setattr(parent, name, _nf4(layer))
    model.is_loaded_in_4bit = True  # where peft looks before it wraps a 4-bit layer


def _nf4(layer: torch.nn.Linear) -> torch.nn.Module:
    import bitsandbytes

    packed = bitsandbytes.nn.Linear4bit(
        layer.in_features, layer.out_features, bias=layer.bias is not None, compute_dtype=layer.weight.dtype,
        quant_type="nf4", compress_statistics=False,
    )  # fmt: skip
    weight = layer.weight.detach()
    packed.weight = bitsandbytes.nn.Params4bit(weight.clone(), requires_grad=False, quant_type="nf4")
    if layer.bias is not None:
        packed.bias = torch.nn.Parameter(layer.bias.detach().clone(), requires_grad=False)
    # In evaluation on a CPU with AVX-512 BF16 the layer would repack its weight for a kernel without a backward pass.
    packed.support_avx512bf16_for_cpu = False
    return packed.to(weight.device)


def attach(
    model: PreTrainedModel, how: Adaptation, *, seed: int, parent: Path | None = None
) -> "peft.PeftModel | None":
    """Make a model trainable in place; returns the adapter's handle, None where the whole model is trained.

    seed: what a fresh adapter is drawn from · parent: folder of an adapter to go on with instead.
    Raises InputError where no layer of the model has a name among the targets.
    """
    if how.kind == "full":
        model.requires_grad_(True)
        return None
    if not any(name.rpartition(".")[2] in how.targets for name, _ in model.named_modules()):
        raise InputError(f"adaptation.targets: expected names of layers of the model; got {', '.join(how.targets)}")
    if how.kind == "qlora":
        quantize(model, how.targets)
    import peft

    if parent is not None:
        return peft.PeftModel.from_pretrained(model, parent, is_trainable=True)
    config = peft.LoraConfig(
        r=how.rank, lora_alpha=how.alpha, lora_dropout=how.dropout, target_modules=list(how.targets), bias="none",
        task_type="CAUSAL_LM",
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return peft.get_peft_model(model, config)


def save(adapter: "peft.PeftModel", folder: Path) -> None:
    """Write the adapter's weights (safetensors) and configuration into `folder`."""
    adapter.save_pretrained(folder)


def merged(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """The float32 model with the adapter of `folder` added to its weights."""
    if model.dtype != torch.float32:
        raise InputError(f"merge: expected a model in float32; got {model.dtype}")
    import peft

    return peft.PeftModel.from_pretrained(model, folder).merge_and_unload().eval()


def trainable(model: PreTrainedModel) -> list[torch.nn.Parameter]:
    """The parameters a training changes."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


@torch.no_grad()
def effective_weights(model: PreTrainedModel) -> torch.Tensor:
    """All weights as one float32 vector on the CPU, an adapter's product added to its layer's weight."""
    weights = {name: weight for name, weight in model.named_parameters() if ".lora_" not in name}
    for name, layer in model.named_modules():
        if hasattr(layer, "get_delta_weight") and layer.active_adapters:
            weights[f"{name}.base_layer.weight"] = layer.base_layer.weight + layer.get_delta_weight("default")
    return torch.cat([weight.detach().float().cpu().flatten() for weight in weights.values()])
