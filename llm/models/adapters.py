"""How a model is trained: whole, through a LoRA adapter, or through one on layers quantized to NF4
(QLoRA).

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

from llm.models import nf4
from llm.models.randomness import seeded
from llm.models.targets import Targets, targets_of
from protocol.errors import InputError, known

if TYPE_CHECKING:  # peft and bitsandbytes are slow to load, and full fine-tuning needs neither
    import peft

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
    """Start a new adapter in every stage, on what was learned before, instead of one adapter
    through all stages.
    """

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
    """Make a model trainable in place; returns the adapter's handle, None where the whole model is
    trained.

    seed: what a fresh adapter derives from · parent: folder of an adapter to go on with instead ·
    learned: folders of adapters that are part of the model and stay as they are, beneath a fresh
    one. Raises InputError where a chosen target is no layer of the model, or dropout is asked of
    experts.
    """
    if how.kind == "full":
        model.requires_grad_(True)
        return None
    targets = targets_of(model, how.targets)
    if targets.parameters and how.dropout:
        raise InputError(
            "adaptation.dropout: expected 0 for a model of experts, whose adapters have none; name "
            "--adaptation.targets"
        )
    if how.kind == "qlora":
        nf4.quantize(model, targets.layers)
    import peft

    with seeded(model.device, *seed), _names_as_they_are():
        if parent is not None:
            return peft.PeftModel.from_pretrained(model, parent, is_trainable=True)
        config = _config(how, targets)
        return _beneath(model, learned, config) if learned else peft.get_peft_model(model, config)


@contextlib.contextmanager
def _names_as_they_are() -> Iterator[None]:
    """Inside, PEFT takes targets and saved weights by the names the model has, and says nothing of
    what it does right.

    It would convert adapters that were made with transformers 4: in a mixture of experts the
    `up_proj` of a dense layer would stand for the experts' weights, at twice the rank, and the
    dense layer would be left out.
    """
    from peft.utils import transformers_weight_conversion as conversion

    lookup = conversion.get_checkpoint_conversion_mapping
    conversion.get_checkpoint_conversion_mapping = lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "fan_in_fan_out is set to"
            )  # GPT-2's layers; set by peft as it must be
            warnings.filterwarnings(
                "ignore", "`is_gradient_checkpointing` is deprecated"
            )  # peft asks by the old name
            yield
    finally:
        conversion.get_checkpoint_conversion_mapping = lookup


def _config(how: Adaptation, targets: Targets) -> "peft.LoraConfig":
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
    """The adapters of the folders, frozen, and a fresh one: all add their products to a layer's
    output.
    """
    import peft

    names = [f"learned{i}" for i in range(len(learned))]
    adapter = peft.PeftModel.from_pretrained(model, learned[0], adapter_name=names[0])
    for name, folder in zip(names[1:], learned[1:], strict=True):
        adapter.load_adapter(folder, name)
    for layer in model.modules():
        if hasattr(
            layer, "lora_dropout"
        ):  # what was learned is part of the model, in training as in evaluation
            layer.lora_dropout.update(
                {name: torch.nn.Identity() for name in names if name in layer.lora_dropout}
            )
    adapter.add_adapter(FRESH, config)
    adapter.base_model.set_adapter([*names, FRESH])
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(f".{FRESH}." in name)
    return adapter


def coverage(model: PreTrainedModel, how: Adaptation) -> str:
    """How much of a prepared model is trained, in words: layers and parameters."""
    trained = sum(parameter.numel() for parameter in trainable(model))
    whole = sum(
        nf4.size_of(weight) for name, weight in model.named_parameters() if ".lora_" not in name
    )
    if how.kind == "full":
        return f"trains all {trained:,} parameters"
    on = [layer for layer in model.modules() if FRESH in getattr(layer, "lora_A", {})]
    experts = sum(hasattr(layer, "parameter_name") for layer in on)
    beside = f" and {experts} weights of experts" if experts else ""
    return (
        f"{how.kind} of rank {how.rank} on {len(on) - experts} linear layers{beside}: "
        f"{trained:,} parameters are trained beside {whole:,}"
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
    """All weights as one float32 vector on the CPU, the products of all adapters added to their
    layers' weights.

    Not of a quantized model: `Settings` refuses parameters under QLoRA.
    """
    added: dict[int, torch.Tensor] = {}  # by the weight's identity
    for layer in model.modules():
        if hasattr(layer, "get_delta_weight"):
            weight = layer.get_param() if hasattr(layer, "get_param") else layer.base_layer.weight
            added[id(weight)] = sum(layer.get_delta_weight(name) for name in layer.active_adapters)
    own = [weight for name, weight in model.named_parameters() if ".lora_" not in name]
    whole = [weight + added.get(id(weight), 0) for weight in own]
    return torch.cat([weight.detach().float().cpu().flatten() for weight in whole])
