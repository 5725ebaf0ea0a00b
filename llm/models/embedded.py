"""Llama and Qwen2 of any size, transformers' own classes; two of half a million parameters.

These two, the embedded models, differ as the real families do: Qwen2 has biases on query, key and
value and a larger rotary base.
"""

from dataclasses import dataclass

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from protocol.errors import known


@dataclass(frozen=True)
class Architecture:
    """Sizes of a model of one of FAMILIES; tied: output and input embeddings are one matrix."""

    family: str
    hidden: int = 96
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    intermediate: int = 256
    context: int = 512
    vocabulary: int = 768
    tied: bool = True

    @property
    def parameters(self) -> int:
        """Number of parameters: embeddings V·H (twice if untied), layers, a last norm.

        A layer has attention, an MLP and two norms.
        """
        attended = self.hidden // self.heads * self.kv_heads  # width of keys and of values
        biases = self.hidden + 2 * attended if self.family == "qwen2" else 0
        attention = 2 * self.hidden * (self.hidden + attended) + biases
        layer = attention + 3 * self.hidden * self.intermediate + 2 * self.hidden
        embeddings = (1 if self.tied else 2) * self.vocabulary * self.hidden
        return embeddings + self.layers * layer + self.hidden

    def lora_parameters(self, rank: int) -> int:
        """Trainable parameters of LoRA on all seven projections: rank · (inputs + outputs) each."""
        attended = self.hidden // self.heads * self.kv_heads
        attention = 2 * (self.hidden + self.hidden) + 2 * (self.hidden + attended)
        mlp = 3 * (self.hidden + self.intermediate)
        return self.layers * rank * (attention + mlp)


EMBEDDED = {"tiny-llama": Architecture("llama"), "tiny-qwen2": Architecture("qwen2")}
FAMILIES: dict[str, tuple[type[PretrainedConfig], type[PreTrainedModel]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
}


def build(arch: Architecture, *, seed: int) -> PreTrainedModel:
    """A new model in float32, drawn from `seed` alone; InputError for an unknown family."""
    config_class, model_class = FAMILIES[known("family", arch.family, list(FAMILIES))]
    config = config_class(
        vocab_size=arch.vocabulary,
        hidden_size=arch.hidden,
        intermediate_size=arch.intermediate,
        num_hidden_layers=arch.layers,
        num_attention_heads=arch.heads,
        num_key_value_heads=arch.kv_heads,
        max_position_embeddings=arch.context,
        tie_word_embeddings=arch.tied,
        bos_token_id=1,
        pad_token_id=0,
        eos_token_id=4,
        attn_implementation="sdpa",
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU as well
        return model_class(config).float()
