"""Tiny random models of many architectures of transformers, and what is checked of each, as the
rows of a table.

Each has weights large enough that attention, positions and windows matter, and a window, where it
has one, that is shorter than the rows. The checks compare with plain forward passes of one row
each, to 1e-4.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import greedy
import templates
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from llm.config.settings import Probes, Settings, Stage
from llm.data.chat import Row
from llm.lab import load_check
from llm.lab.lab import Lab
from llm.lab.questions import probe_set
from llm.measuring import agreement, distances, packing
from llm.models import Pretrained, adapters, nf4
from llm.models.adapters import Adaptation
from llm.models.targets import linear_layers
from llm.store.artifacts import open_store
from llm.training import trainer
from llm.training.recipe import Recipe
from protocol.errors import InputError
from protocol.spec import METHODS, Experiment

BOUND = 1e-4
HEADER = ("model type", "template", "loaded", "scored", "completions", "LoRA", "QLoRA", "sampled")
USUAL = {
    "vocab_size": 512,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
MOE = {
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
}
ROUTED = {
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "n_group": 2,
    "topk_group": 1,
    "first_k_dense_replace": 1,
}
LATENT = {
    "q_lora_rank": 8,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 4,
    "v_head_dim": 8,
    "num_key_value_heads": 4,
    "head_dim": 4,
}
OWN = {"num_key_value_heads": None, "head_dim": None}  # every head has keys of its own
OLD = {**OWN, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}
MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 2, "mamba_d_state": 4}
DELTA = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
WINDOW = {"sliding_window": 6}


class Kind(NamedTuple):
    """An architecture: the template family of its tokenizer, and its configuration beside USUAL."""

    template: str
    config: dict[str, Any] = {}  # noqa: RUF012 (a named tuple's field; never written)


KINDS = {
    "llama": Kind("Llama-3.2"),
    "llama4_text": Kind(
        "Llama-3", {"num_local_experts": 2, "intermediate_size_mlp": 48, "attention_chunk_size": 8}
    ),
    "mistral": Kind("Mistral v0.1", WINDOW),
    "ministral": Kind("Mistral v3 (tekken)", WINDOW),
    "mixtral": Kind("Mistral v0.1", MOE),
    "qwen2": Kind("Qwen2.5"),
    "qwen2_moe": Kind("Qwen2.5", {**MOE, "shared_expert_intermediate_size": 16}),
    "qwen3": Kind("Qwen3"),
    "qwen3_moe": Kind("Qwen3", MOE),
    "qwen3_next": Kind("Qwen3", {**MOE, **DELTA, "shared_expert_intermediate_size": 16}),
    "qwen3_5_text": Kind("Qwen3", DELTA),
    "gemma": Kind("Gemma-2"),
    "gemma2": Kind(
        "Gemma-2", {**WINDOW, "query_pre_attn_scalar": 8, "final_logit_softcapping": 1.0}
    ),
    "gemma3_text": Kind("Gemma-3", WINDOW),
    "gemma3": Kind(
        "Gemma-3",
        {
            "text_config": {"model_type": "gemma3_text", **USUAL, **WINDOW},
            "vision_config": {
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 1,
                "num_attention_heads": 4,
                "image_size": 28,
                "patch_size": 14,
            },
            "mm_tokens_per_image": 4,
        },
    ),
    "vaultgemma": Kind("Gemma-2", WINDOW),
    "recurrent_gemma": Kind(
        "Gemma-2",
        {"lru_width": 32, "attention_window_size": 6, "block_types": ["recurrent", "attention"]},
    ),
    "cohere": Kind("Command-R"),
    "cohere2": Kind("Command-R", WINDOW),
    "granite": Kind("Granite", {"logits_scaling": 3.0, "embedding_multiplier": 2.0}),
    "granitemoe": Kind("Granite", {**MOE, "logits_scaling": 3.0}),
    "granitemoehybrid": Kind(
        "Granite",
        {
            **MOE,
            **MAMBA,
            "shared_intermediate_size": 16,
            "layer_types": ["mamba", "attention"],
            "logits_scaling": 3.0,
        },
    ),
    "bamba": Kind("Granite", {**MAMBA, "attn_layer_indices": [1], "mamba_chunk_size": 4}),
    "phi": Kind("plain (Pythia)"),
    "phi3": Kind("Phi-3"),
    "phimoe": Kind("Phi-3", MOE),
    "smollm3": Kind("SmolLM3"),
    "olmo": Kind("OLMo, Tulu"),
    "olmo2": Kind("OLMo, Tulu"),
    "olmo3": Kind("OLMo, Tulu", WINDOW),
    "olmoe": Kind("OLMo, Tulu", MOE),
    "deepseek_v2": Kind("DeepSeek", {**ROUTED, **LATENT, "topk_method": "greedy"}),
    "deepseek_v3": Kind("DeepSeek", {**ROUTED, **LATENT}),
    "gpt_oss": Kind("GPT-OSS", {**MOE, **WINDOW}),
    "glm4": Kind("SmolLM2"),
    "glm4_moe": Kind("SmolLM2", ROUTED),
    "exaone4": Kind("SmolLM2", WINDOW),
    "stablelm": Kind("SmolLM2"),
    "starcoder2": Kind("plain (Pythia)", WINDOW),
    "falcon": Kind("plain (Pythia)", {"head_dim": None, "alibi": False}),
    "falcon_h1": Kind(
        "SmolLM2", {**MAMBA, "mamba_d_ssm": 64, "mamba_chunk_size": 4, "lm_head_multiplier": 0.5}
    ),
    "gpt2": Kind("plain (Pythia)", OLD),
    "gpt_neo": Kind(
        "plain (Pythia)",
        {
            **OWN,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 6,
        },
    ),
    "gpt_neox": Kind("plain (Pythia)", OWN),
    "gptj": Kind("plain (Pythia)", {**OLD, "rotary_dim": 4}),
    "opt": Kind("plain (Llama-2 base)", {**OWN, "ffn_dim": 48, "word_embed_proj_dim": 32}),
    "bloom": Kind("plain (Unigram)", {**OWN, "n_layer": 2, "n_head": 4}),
    "mpt": Kind(
        "plain (Pythia)", {**OWN, "d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 512}
    ),
    "mamba": Kind("plain (Pythia)", {"state_size": 4}),
    "mamba2": Kind(
        "plain (Pythia)",
        {
            "state_size": 4,
            "num_heads": 8,
            "head_dim": 8,
            "n_groups": 2,
            "chunk_size": 4,
            "expand": 2,
        },
    ),
    "rwkv": Kind("plain (Pythia)", {"attention_hidden_size": 32, "context_length": 512}),
    "jamba": Kind(
        "SmolLM2",
        {
            **MOE,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "expert_layer_period": 2,
            "expert_layer_offset": 1,
            "mamba_d_state": 4,
            "mamba_dt_rank": 4,
            "use_mamba_kernels": False,
        },
    ),
    "lfm2": Kind("SmolLM2", {"layer_types": ["conv", "full_attention"]}),
    "minimax": Kind(
        "SmolLM2", {**MOE, "layer_types": ["linear_attention", "full_attention"], "block_size": 4}
    ),
    "nemotron": Kind("SmolLM2"),
    "bert": Kind("plain (Pythia)"),
}


def built(kind: str) -> PreTrainedModel:
    """The model of a kind in float32, its weights four times as large as usual ones."""
    config = {
        name: value for name, value in (USUAL | KINDS[kind].config).items() if value is not None
    }
    if "text_config" in config:
        config = KINDS[kind].config
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **config)).float().eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim >= 2 and weight.std() < 0.1:
                weight.mul_(4)
    return model


def saved(kind: str, folder: Path) -> PreTrainedModel:
    """The model of a kind, in a folder with the tokenizer and template of its family."""
    model, family = built(kind), templates.FAMILIES[KINDS[kind].template]
    model.save_pretrained(folder)
    family.tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(family.template, encoding="utf-8")
    return model


TRAINING = Recipe(lr=1e-3, batch=4, micro_batch=4)


def lab_of(folder: Path, runs: Path) -> Lab:
    """A lab on the folder's model: two stages of few rows, LoRA."""
    settings = Settings(
        Pretrained(str(folder)),
        adaptation=Adaptation("lora", rank=2, alpha=4),
        stages={stage: Stage(4, 2, TRAINING) for stage in ("inst", "safety")},
        unlearning=TRAINING,
        probes=Probes(forget=2, distance=2, fixed=4, sums=0, tofu=0),
    )
    experiment = Experiment(
        "positions", "llm", folder.name, ("inst",), "safety", (METHODS["GA"],), 1, (0,), settings
    )
    return Lab(experiment, 0, open_store(runs))


@torch.no_grad()
def plain_logits(model: PreTrainedModel, row: Row) -> torch.Tensor:
    """Logits that predict the answer's tokens, (|y|, V), by a forward pass over this row alone."""
    logits = model(input_ids=torch.tensor([row.prompt + row.answer]), use_cache=False).logits[
        0
    ]  # (S, V)
    return logits[len(row.prompt) - 1 : -1].float()


def same(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether two tensors are equal to 1e-4 of the larger of 1 and the largest value."""
    return bool((found - expected).abs().max() <= BOUND * expected.abs().max().clamp(min=1))


def gradient(model: PreTrainedModel) -> torch.Tensor:
    """The gradient of all parameters as one vector."""
    return torch.cat(
        [weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]
    )


@dataclass
class Checks:
    """What is checked of one architecture."""

    model: PreTrainedModel  # as it was built
    lab: Lab

    def __post_init__(self) -> None:
        self.probed = probe_set(self.lab)
        self.checked = load_check.checked(self.lab, self.probed)
        self.loaded = self.lab.model(())

    def is_loaded(self) -> bool:
        """The folder's model has the logits of the one that was saved."""
        return all(
            same(plain_logits(self.loaded, row), plain_logits(self.model, row))
            for row in self.probed.forget
        )

    def is_scored(self) -> bool:
        """Logits of padded rows, the label's likelihood, and the gradient of learning are those of
        plain passes.
        """
        found = distances.part_logits(self.loaded, self.probed)
        expected = {
            part: torch.cat([plain_logits(self.loaded, row) for row in rows])
            for part, rows in self.probed.parts.items()
        }
        return (
            all(same(found[part], expected[part]) for part in expected)
            and self._labels_are_plain()
            and self._gradient_is_plain()
        )

    @torch.no_grad()
    def _labels_are_plain(self) -> bool:
        prompts = [row.prompt for row in self.probed.forget]
        found, _ = packing.completion_logprobs(
            self.loaded,
            prompts,
            self.probed.phrases,
            packed=self.checked.packed,
            pad=self.loaded.config.pad_token_id,
        )
        pairs = [Row(prompt, phrase) for prompt in prompts for phrase in self.probed.phrases]
        expected = torch.stack(
            [agreement.plain_logprobs(self.loaded, pair).sum() for pair in pairs]
        )
        return same(found.flatten(), expected)

    def _gradient_is_plain(self) -> bool:
        """∇ of −Σ log π / Σ|y| over rows padded together, and row by row without the output layer's
        hook.
        """
        rows, model = list(self.probed.forget), self.loaded
        model.requires_grad_(True)
        model.zero_grad()
        trainer._backward(model, rows, torch.zeros(len(rows)), trainer.LEARN, micro_batch=4)
        found = gradient(model)
        model.zero_grad()
        for row in rows:
            ids = torch.tensor([row.prompt + row.answer])
            logits = model(input_ids=ids, use_cache=False).logits[0, len(row.prompt) - 1 : -1]
            loss = torch.nn.functional.cross_entropy(
                logits, torch.tensor(row.answer), reduction="sum"
            )
            (loss / sum(len(each.answer) for each in rows)).backward()
        return bool((found - gradient(model)).norm() <= 1e-3 * found.norm())

    def lora(self) -> str:
        """How much an adapter is on; "wrong" if it does not learn, or does another thing merged
        (see load_check).
        """
        adapted = self.lab.leaf(())
        trainer._backward(
            adapted, list(self.probed.forget), torch.zeros(4), trainer.LEARN, micro_batch=4
        )
        if not trainer.gradient_norm(adapted) > 0 or self.checked.worst > BOUND:
            return "wrong"
        on, _, experts = self.checked.coverage.partition(" linear layers and ")
        layers = on.partition(" on ")[2].partition(" ")[0]
        return f"{layers} layers" + (
            f", {experts.partition(' ')[0]} experts' weights" if experts else ""
        )

    def is_quantized(self) -> bool:
        """Under QLoRA a fresh adapter learns, and logits are those of the rounded weights in
        float32.

        Raises InputError if the check of a loaded model refuses it on four bits.
        """
        settings = replace(self.lab.settings, adaptation=Adaptation("qlora", rank=2))
        quantized = replace(self.lab, experiment=replace(self.lab.experiment, settings=settings))
        load_check.checked(quantized, self.probed)
        model = self.lab.model(())
        adapters.attach(model, Adaptation("qlora", rank=2), seed=(0,))
        trainer._backward(
            model, list(self.probed.forget), torch.zeros(4), trainer.LEARN, micro_batch=4
        )
        rounded = self.lab.model(())
        nf4.quantize(rounded, linear_layers(rounded))
        rounded = nf4.dequantized(rounded)
        row = self.probed.forget[0]
        return trainer.gradient_norm(model) > 0 and same(
            plain_logits(model, row), plain_logits(rounded, row)
        )

    def is_sampled(self) -> bool:
        """Sampling at a temperature near 0 is greedy decoding by plain passes, prompts of unequal
        length together.
        """
        prompts = [row.prompt for row in self.probed.forget]
        return greedy.sampling_is_greedy(self.loaded, self.probed.form, prompts)

    def cells(self) -> Iterator[str]:
        """The cells of the table's row."""
        right = {True: "right", False: "wrong"}
        yield right[self.is_loaded()]
        yield right[self.is_scored()]
        yield "packed" if self.checked.packed else "plain rows"
        yield self.lora()
        try:
            yield right[self.is_quantized()]
        except InputError:
            yield "refused"
        yield right[self.is_sampled()]


def row(kind: str, folder: Path) -> tuple[str, ...]:
    """The table's row of an architecture; a refusal in the place of its cells."""
    place = folder / kind
    model = saved(kind, place)
    with contextlib.suppress(AttributeError):
        model.config.pad_token_id = 0
    try:
        cells = list(Checks(model, lab_of(place, folder / "runs")).cells())
    except InputError as refusal:
        said = str(refusal).replace(str(place), "PATH").partition(";")[0]
        cells = [f"refused: {said}", *[""] * (len(HEADER) - 3)]
    return (f"`{kind}`", KINDS[kind].template, *cells)
