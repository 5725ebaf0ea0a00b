"""How a model is trained: whole, through a LoRA adapter, or an adapter on NF4 layers (QLoRA).

An adapter adds (α/r)·B·A to the weight of each layer it is on (see `llm.models.targets`), B (out,
r) starting at 0, so a fresh adapter changes nothing. Adapters are merged in float32 only. Over a
base in four bits or in bfloat16 (where a merge moves log-probabilities by 8e-3 and more) adapters
that were learned stay beside its weights, frozen, and a fresh one is added. Layers are replaced in
place, so the caller's model keeps its parts and names.
"""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel

from llm.models.randomness import seeded
from protocol.errors import InputError, known

if TYPE_CHECKING:  # full fine-tuning needs none of it, and peft and bitsandbytes are slow to load
    import peft

    from llm.models.targets import Targets

KINDS = ("full", "lora", "qlora")
FRESH = "default"  # the name of the adapter that is trained


@dataclass(frozen=True)
class Adaptation:
    """What is trained; rank, alpha, dropout and targets are the adapter's."""

    kind: str = "full"
    """full (all weights), lora, or qlora (LoRA on NF4 layers)."""
    rank: int = 16
    """Rank of the adapter."""
    alpha: int = 32
    """Scale of the adapter, alpha / rank; by default twice the rank if a rank is chosen."""
    dropout: float = 0.0
    """Dropout of the adapter in training."""
    targets: tuple[str, ...] = ()
    """Names of the linear layers that get an adapter; by default all of the decoder except the
    output layer."""
    new_adapter_each_stage: bool = False
    """Start a new adapter in every stage, on what was learned before; by default one adapter learns
    all stages."""

    def __post_init__(self) -> None:
        known("kind", self.kind, list(KINDS))
        if self.rank < 1:
            raise InputError(f"rank: expected at least 1; got {self.rank}")
        if self.alpha <= 0:
            raise InputError(f"alpha: expected a number > 0; got {self.alpha}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout: expected 0 or more and less than 1; got {self.dropout}")


def attach(
    model: PreTrainedModel,
    how: Adaptation,
    *,
    seed: tuple[object, ...],
    parent: Path | None = None,
    learned: Sequence[Path] = (),
) -> "peft.PeftModel | None":
    """Make a model trainable in place; returns the adapter's handle, None for the whole model.

    seed: a fresh adapter derives from it · parent: folder of an adapter that is trained on, in
    place of a fresh one · learned: folders of adapters that are part of the model and stay as they
    are, beneath a fresh one. Raises InputError if a chosen target is no layer of the model, and for
    dropout on a model of experts.
    """
    if how.kind == "full":
        model.requires_grad_(True)
        return None
    from llm.models.targets import targets_of

    targets = targets_of(model, how.targets)
    if targets.parameters and how.dropout:
        raise InputError(
            "adaptation.dropout: expected 0 for a model of experts, whose adapters have none; name "
            "--adaptation.targets"
        )
    if how.kind == "qlora":
        from llm.models import nf4

        nf4.quantize(model, targets.layers)
    import peft

    with seeded(model.device, *seed), _names_as_they_are():
        if parent is not None:
            return peft.PeftModel.from_pretrained(model, parent, is_trainable=True)
        config = _config(how, targets)
        return _beneath(model, learned, config) if learned else peft.get_peft_model(model, config)


@contextlib.contextmanager
def _names_as_they_are() -> Iterator[None]:
    """Inside, PEFT takes targets and saved weights by the model's own names, without warnings.

    It would convert adapters that were made with transformers 4: in a mixture of experts the
    `up_proj` of a dense layer would stand for the experts' weights, at twice the rank, and the
    dense layer would be left out.
    """
    from peft.utils import transformers_weight_conversion as conversion

    lookup = conversion.get_checkpoint_conversion_mapping
    conversion.get_checkpoint_conversion_mapping = lambda _: None
    try:
        with warnings.catch_warnings():
            # GPT-2's layers: peft sets the flag as it must be
            warnings.filterwarnings("ignore", "fan_in_fan_out is set to")
            # peft uses the old name
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")
            yield
    finally:
        conversion.get_checkpoint_conversion_mapping = lookup


def _config(how: Adaptation, targets: "Targets") -> "peft.LoraConfig":
    import peft

    return peft.LoraConfig(
        r=how.rank,
        lora_alpha=how.alpha,
        lora_dropout=how.dropout,
        target_modules=list(targets.layers),
        target_parameters=list(targets.parameters) or None,
        bias="none",
        task_type="CAUSAL_LM",
    )


def _beneath(
    model: PreTrainedModel, learned: Sequence[Path], config: "peft.LoraConfig"
) -> "peft.PeftModel":
    """The frozen adapters of the folders and a fresh one; all add to their layers' outputs."""
    import peft

    names = [f"learned{i}" for i in range(len(learned))]
    adapter = peft.PeftModel.from_pretrained(model, learned[0], adapter_name=names[0])
    for name, folder in zip(names[1:], learned[1:], strict=True):
        adapter.load_adapter(folder, name)
    # What was learned is part of the model, in training as in evaluation: it has no dropout.
    for layer in model.modules():
        dropouts = getattr(layer, "lora_dropout", {})
        for name in set(names) & set(dropouts):
            dropouts[name] = torch.nn.Identity()
    adapter.add_adapter(FRESH, config)
    adapter.base_model.set_adapter([*names, FRESH])
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(f".{FRESH}." in name)
    return adapter


def _size_of(parameter: torch.nn.Parameter) -> int:
    """How many weights a parameter holds; one byte of an NF4 parameter holds two."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else state.shape.numel()


def coverage(model: PreTrainedModel, how: Adaptation) -> str:
    """How much of a prepared model is trained, in words: layers and parameters."""
    trained = sum(parameter.numel() for parameter in trainable(model))
    own = [weight for name, weight in model.named_parameters() if ".lora_" not in name]
    whole = sum(map(_size_of, own))
    if how.kind == "full":
        return f"trains all {trained:,} parameters"
    on = [layer for layer in model.modules() if FRESH in getattr(layer, "lora_A", {})]
    experts = sum(hasattr(layer, "parameter_name") for layer in on)
    of_experts = f" and {experts} weights of experts" if experts else ""
    return (
        f"{how.kind} of rank {how.rank} on {len(on) - experts} linear layers{of_experts}: "
        f"{trained:,} parameters are trained, {whole:,} are frozen"
    )


def save(adapter: "peft.PeftModel", folder: Path) -> None:
    """Write the trained adapter's weights (safetensors) and configuration into `folder`."""
    adapter.save_pretrained(folder, selected_adapters=[FRESH], save_embedding_layers=False)


def merged(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """The float32 model with the adapter of `folder` added to its weights."""
    if model.dtype != torch.float32:
        raise InputError(f"merge: expected a model in float32; got {model.dtype}")
    import peft

    with _names_as_they_are():
        return peft.PeftModel.from_pretrained(model, folder).merge_and_unload().eval()


def trainable(model: PreTrainedModel) -> list[torch.nn.Parameter]:
    """The parameters a training changes."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


@torch.no_grad()
def effective_weights(model: PreTrainedModel) -> torch.Tensor:
    """All weights as one float32 vector (d,) on the CPU, adapters' products added to their layers.

    Not for a quantized model: `Settings` refuses parameters under QLoRA.
    """
    added: dict[int, torch.Tensor] = {}  # by the weight's identity
    for layer in model.modules():
        if hasattr(layer, "get_delta_weight"):
            weight = layer.get_param() if hasattr(layer, "get_param") else layer.base_layer.weight
            added[id(weight)] = sum(layer.get_delta_weight(name) for name in layer.active_adapters)
    own = [weight for name, weight in model.named_parameters() if ".lora_" not in name]
    whole = [weight + added.get(id(weight), 0) for weight in own]
    return torch.cat([weight.detach().float().cpu().flatten() for weight in whole])
