"""The embedded default: a tiny Llama and a tiny Qwen2 of about half a million parameters, transformers' own classes.

They differ as the real families do: Qwen2 has biases on query, key and value and a larger rotary base.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from protocol.errors import known


@dataclass(frozen=True)
class Architecture:
    """Sizes of a tiny model; `family` is llama or qwen2."""

    family: str
    hidden: int = 96
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    intermediate: int = 256
    context: int = 512
    vocabulary: int = 768


MODELS = {"tiny-llama": Architecture("llama"), "tiny-qwen2": Architecture("qwen2")}


def architecture(name: str) -> Architecture:
    """The embedded architecture of that name; InputError lists the names there are."""
    return MODELS[known("model", name, list(MODELS))]


def build(arch: Architecture, *, seed: int) -> PreTrainedModel:
    """A freshly initialised model in float32 with tied embeddings, drawn from `seed` alone."""
    config_class, model_class = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    }[arch.family]
    config = config_class(
        vocab_size=arch.vocabulary,
        hidden_size=arch.hidden,
        intermediate_size=arch.intermediate,
        num_hidden_layers=arch.layers,
        num_attention_heads=arch.heads,
        num_key_value_heads=arch.kv_heads,
        max_position_embeddings=arch.context,
        tie_word_embeddings=True,
        bos_token_id=1,
        pad_token_id=0,
        eos_token_id=4,
        attn_implementation="sdpa",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return model_class(config).float()


def save(model: PreTrainedModel, folder: Path) -> None:
    """Write configuration and weights (safetensors) into `folder`."""
    model.save_pretrained(folder)


def load(folder: Path) -> PreTrainedModel:
    """Read what `save` wrote: float32, on the CPU, evaluation mode."""
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="sdpa", local_files_only=True
    ).eval()
