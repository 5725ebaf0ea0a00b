"""What an adapter goes on: all linear layers of the decoder but its output layer, whatever their
names.
"""

import architectures
import pytest
from torch import nn

from llm.models import adapters
from llm.models.adapters import Adaptation
from llm.models.targets import expert_weights, linear_layers, targets_of
from protocol.errors import InputError


def own_names(kind: str) -> set[str]:
    return {name.rpartition(".")[2] for name in linear_layers(architectures.built(kind))}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("llama", {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}),
        ("phi3", {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"}),
        ("gpt_neox", {"query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"}),
        # forward passes of its own
        ("falcon", {"query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"}),
        ("gpt2", {"c_attn", "c_proj", "c_fc"}),
        ("opt", {"q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"}),
        ("mamba", {"in_proj", "x_proj"}),  # dt_proj and out_proj are read past their layers
        (
            "jamba",
            {
                "q_proj",
                "k_proj",
                "v_proj",
                "o_proj",
                "gate_proj",
                "up_proj",
                "down_proj",
                "in_proj",
                "x_proj",
                "out_proj",
            },
        ),
    ],
)
def test_layers_are_found_by_what_they_are(kind, names) -> None:
    assert own_names(kind) == names


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma3", "gpt_neox"])
def test_the_output_layer_and_other_parts_are_left_out(kind) -> None:
    """GPT-NeoX calls its output layer embed_out; Gemma 3 has a tower for images, too."""
    model = architectures.built(kind)
    layers = linear_layers(model)
    output = next(
        name for name, module in model.named_modules() if module is model.get_output_embeddings()
    )
    assert output not in layers
    everything = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    outside = {name for name in everything if "vision" in name}
    assert not outside & set(layers)
    assert bool(outside) == (kind == "gemma3")


def test_experts_are_adapted_and_their_routers_are_not() -> None:
    """Two layers of a fused gate and up projection and a down projection each: 4 tensors; Llama 4's
    router is a linear layer that returns choices, too.
    """
    assert len(expert_weights(architectures.built("mixtral"))) == 4
    model = architectures.built("llama4_text")
    assert not any("router" in name for name in linear_layers(model))
    assert any(
        "router" in name for name, module in model.named_modules() if isinstance(module, nn.Linear)
    )


def test_a_dense_layer_beside_experts_keeps_its_adapter_at_its_rank() -> None:
    """PEFT would take the dense `up_proj` of such a family for its experts' weights of before, at
    twice the rank.
    """
    model = architectures.built("glm4_moe")
    adapters.attach(model, Adaptation("lora", rank=2), seed=(0,))
    dense = [
        name
        for name, module in model.named_modules()
        if name.endswith("up_proj") and hasattr(module, "lora_A")
    ]
    assert len(dense) == 2  # the first layer's, and the shared expert's of the second
    ranks = {
        layer.r["default"]
        for layer in model.modules()
        if hasattr(layer, "lora_A") and "default" in layer.r
    }
    assert ranks == {2}


def test_experts_have_no_dropout() -> None:
    with pytest.raises(
        InputError, match="dropout: expected 0 for a model of experts, whose adapters have none"
    ):
        adapters.attach(architectures.built("mixtral"), Adaptation("lora", dropout=0.1), seed=(0,))
    named = Adaptation("lora", dropout=0.1, targets=("q_proj",))
    adapters.attach(architectures.built("mixtral"), named, seed=(0,))


def test_named_targets_must_all_be_there() -> None:
    model = architectures.built("phi3")
    assert {name.rpartition(".")[2] for name in targets_of(model, ("qkv_proj",)).layers} == {
        "qkv_proj"
    }
    assert len(targets_of(model, ("0.mlp.down_proj",)).layers) == 1
    with pytest.raises(
        InputError, match=r"adaptation.targets: expected names of .* \(.*qkv_proj.*\); got 'q_proj'"
    ):
        targets_of(model, ("qkv_proj", "q_proj"))


def test_a_model_without_linear_layers_is_refused() -> None:
    """One whose only linear layer is the output layer."""
    model = architectures.built("llama")
    model.model.layers = nn.ModuleList()
    with pytest.raises(
        InputError, match="adaptation: expected a model with linear layers; it has none"
    ):
        targets_of(model, ())


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (Adaptation(), "trains all 48,288 parameters"),
        # rank · (in + out) of each layer: 2 · (2 · 64 + 2 · 48 + 3 · 80) = 928, in two layers
        (
            Adaptation("lora", rank=2),
            "lora of rank 2 on 14 linear layers: 1,856 parameters are trained, 48,288 are frozen",
        ),
    ],
)
def test_coverage_in_words(how, says) -> None:
    """Embeddings and output layer 2 · 512 · 32; a layer 32 · (2 · 32 + 2 · 16) + 3 · 32 · 48 + 2 ·
    32; a last norm.
    """
    model = architectures.built("llama")
    assert 2 * 512 * 32 + 2 * (32 * 96 + 3 * 32 * 48 + 64) + 32 == 48_288
    adapters.attach(model, how, seed=(0,))
    assert adapters.coverage(model, how) == says


def test_weights_of_four_bits_are_counted_as_weights_not_as_bytes() -> None:
    model = architectures.built("llama")
    how = Adaptation("qlora", rank=2)
    adapters.attach(model, how, seed=(0,))
    assert adapters.coverage(model, how).endswith("1,856 parameters are trained, 48,288 are frozen")
