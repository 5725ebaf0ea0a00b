"""Adapters, the catalogue, and models from directories: sizes, masks of what is trained, merges,
refusals.
"""

import copy
import json
import shutil
from pathlib import Path

import architectures
import pytest
import torch
from safetensors.torch import load_file, save_file

from llm import models
from llm.data.chat import Row
from llm.models import Architecture, Pretrained, adapters, hub, loading
from llm.models.adapters import Adaptation
from llm.models.catalogue import CATALOGUE, memory, table
from llm.models.embedded import EMBEDDED
from llm.training import logprobs, trainer
from llm.training.recipe import Recipe
from protocol import notices
from protocol.errors import InputError

SMALL = Architecture(
    "qwen2", hidden=32, layers=2, heads=4, kv_heads=2, intermediate=48, vocabulary=64, tied=False
)
ROWS = [Row((5, 6, 7, i), (9 + i, 10, 4)) for i in range(8)]
STORIES = Path(__file__).parents[4] / "shared" / "data" / "models" / "stories260k-hf"


@pytest.fixture
def model():
    return models.build(SMALL, seed=1).eval()


def scores(model) -> torch.Tensor:
    return logprobs.row_logprobs(model, ROWS, pad=0)[0]


@pytest.mark.parametrize("family", ["llama", "qwen2"])
@pytest.mark.parametrize("tied", [True, False])
def test_the_parameter_count_is_the_built_models(family, tied) -> None:
    arch = Architecture(
        family, hidden=32, layers=3, heads=4, kv_heads=2, intermediate=48, vocabulary=64, tied=tied
    )
    model = models.build(arch, seed=0)
    assert arch.parameters == sum(p.numel() for p in model.parameters())
    adapters.attach(model, Adaptation("lora", rank=3), seed=(0,))
    assert arch.lora_parameters(3) == sum(p.numel() for p in adapters.trainable(model))


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(InputError, match="family: expected one of llama, qwen2; got 'gpt'"):
        models.build(Architecture("gpt"), seed=0)


def test_the_catalogue_has_the_published_sizes() -> None:
    """Totals as the hub's safetensors headers give them."""
    expected = {
        "llama-3.2-1b": 1_235_814_400,
        "llama-3.2-3b": 3_212_749_824,
        "llama-3.1-8b": 8_030_261_248,
        "llama-2-13b": 13_015_864_320,
        "qwen2.5-1.5b": 1_543_714_304,
        "qwen2.5-14b": 14_770_033_664,
    }
    assert {name: paper.architecture.parameters for name, paper in CATALOGUE.items()} == expected
    header, *rows = table()
    assert [row[0] for row in rows] == [*EMBEDDED, *expected]
    assert all(len(row) == len(header) for row in rows)


def test_memory_by_hand() -> None:
    need = memory(SMALL, 2)
    trainable = SMALL.lora_parameters(2)
    kept = 2 * 64 * 32 + 5 * 32
    assert need.full == 16 * SMALL.parameters
    assert need.lora == 4 * SMALL.parameters + 16 * trainable
    assert need.qlora == round((SMALL.parameters - kept) * 0.5625) + 4 * kept + 16 * trainable


@pytest.mark.parametrize("kind", ["lora", "qlora"])
def test_an_adapter_learns_is_disabled_merged_and_loaded_again(model, tmp_path, kind) -> None:
    how, before = Adaptation(kind, rank=4), scores(model)
    trained = copy.deepcopy(model)
    handle = adapters.attach(trained, how, seed=(1,))
    fresh = scores(trained)
    if kind == "lora":
        assert torch.equal(fresh, before), "B starts at 0"
    else:
        assert 0 < float((fresh - before).abs().max()) < 0.5, "NF4 moves the base a little"
    frozen = {name: p.clone() for name, p in trained.named_parameters() if not p.requires_grad}
    trainer.train(trained, ROWS, Recipe(lr=1e-2, epochs=5), seed=(0, "test"))
    after = scores(trained)
    assert after.mean() > fresh.mean()
    assert all(
        torch.equal(p, frozen[name])
        for name, p in trained.named_parameters()
        if not p.requires_grad
    )
    with handle.disable_adapter():
        assert torch.equal(scores(trained), fresh), "disabled = reference"
    adapters.save(handle, tmp_path)
    again = copy.deepcopy(model)
    adapters.attach(again, how, seed=(2,), parent=tmp_path)
    assert torch.equal(scores(again), after)
    assert len(adapters.trainable(again)) == len(adapters.trainable(trained)) > 0
    merged = adapters.merged(copy.deepcopy(model), tmp_path)
    assert type(merged) is type(model)
    difference = float((scores(merged) - after).abs().max())
    assert difference < (1e-5 if kind == "lora" else 0.5), (
        "merged = base + adapter, the base without quantization"
    )


def test_an_adapter_is_drawn_from_its_seed(model) -> None:
    def drawn(seed: int) -> torch.Tensor:
        each = copy.deepcopy(model)
        state = torch.get_rng_state()
        adapters.attach(each, Adaptation("lora"), seed=(seed,))
        assert torch.equal(state, torch.get_rng_state())
        return torch.cat([p.flatten() for p in adapters.trainable(each)])

    assert torch.equal(drawn(1), drawn(1)) and not torch.equal(drawn(1), drawn(2))


def test_wrong_adapters_are_named(model, tmp_path) -> None:
    with pytest.raises(InputError, match=r"kind: expected one of full, lora, qlora; got 'prefix'"):
        Adaptation("prefix")
    with pytest.raises(InputError, match="rank: expected at least 1; got 0"):
        Adaptation("lora", rank=0)
    with pytest.raises(
        InputError,
        match=r"adaptation.targets: expected names of the model's layers \(q_.*; got 'c_attn'",
    ):
        adapters.attach(model, Adaptation("lora", targets=("c_attn",)), seed=(0,))
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        with pytest.raises(InputError, match=rf"merge: expected a model in float32; got {dtype}"):
            adapters.merged(model.to(dtype), tmp_path)


def test_a_directory_is_loaded_and_its_digest_follows_its_bytes(model, tmp_path) -> None:
    models.save(model, tmp_path)
    loaded = models.load(hub.snapshot(str(tmp_path)))
    assert torch.equal(scores(loaded), scores(model))
    before = hub.files_digest(tmp_path)
    (tmp_path / "notes.txt").write_text("not read, not counted")
    assert hub.files_digest(tmp_path) == before
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    models.save(model, tmp_path)
    assert hub.files_digest(tmp_path) != before


def test_a_model_without_a_pad_token_is_given_one(model, tmp_path) -> None:
    model.config.pad_token_id = None
    model.config.eos_token_id = [4, 5]
    models.save(model, tmp_path)
    assert models.load(tmp_path).config.pad_token_id == 4


def test_what_cannot_be_loaded_is_named(model, tmp_path, monkeypatch) -> None:
    with pytest.raises(InputError, match=r"model: expected a directory with config\.json"):
        hub.snapshot(str(tmp_path))
    models.save(model, tmp_path)
    with pytest.raises(InputError, match="revision: expected none for the directory"):
        hub.snapshot(str(tmp_path), "main")
    with pytest.raises(InputError, match="model: expected a tokenizer in"):
        loading.load_tokenizer(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"model: expected weights in \*\.safetensors"):
        hub.snapshot(str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        InputError, match="model: expected a directory or a hub id OWNER/NAME; no/such:"
    ):
        hub.snapshot("no/such")


@pytest.mark.parametrize(
    ("named", "theirs"),
    [("auto", "sdpa"), ("eager", "eager"), ("sdpa", "sdpa"), ("flex", "flex_attention")],
)
def test_attention_is_that_of_its_name(model, tmp_path, named, theirs) -> None:
    models.save(model, tmp_path)
    assert models.load(tmp_path, attention=named).config._attn_implementation == theirs


def test_attention_that_a_model_or_machine_has_not_is_one_line(model, tmp_path) -> None:
    """Flash attention needs a GPU and its package; GPT-J has no SDPA."""
    models.save(model, tmp_path)
    with pytest.raises(
        InputError, match=r"model: expected one .* with flash attention; .*[Ff]lash"
    ):
        models.load(tmp_path, attention="flash")
    other = architectures.built("gptj")
    models.save(other, tmp_path / "other")
    with pytest.raises(
        InputError, match="model: expected one that transformers reads with sdpa attention; "
    ):
        models.load(tmp_path / "other", attention="sdpa")


@pytest.mark.parametrize("change", ["missing", "smaller"])
def test_weights_that_are_not_all_there_are_refused(model, tmp_path, change) -> None:
    """A model would go on with random numbers in their place."""
    models.save(model, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    if change == "missing":
        del weights[name]
    else:
        weights[name] = weights[name][:-1].contiguous()
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="model: expected "):
        models.load(tmp_path)


def test_an_adapter_beside_a_models_weights_is_refused(model, tmp_path) -> None:
    """transformers would attach it, and what is trained would not be the model."""
    models.save(model, tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(
        InputError, match=r"model: expected a model's own weights; .* holds an adapter, too"
    ):
        models.load(tmp_path)


def test_tensors_that_are_no_weights_of_the_model_are_told(model, tmp_path, caplog) -> None:
    """One layer more in the file than in the configuration."""
    models.save(model, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"num_hidden_layers": 1, "layer_types": ["full_attention"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    notices.reset()
    models.load(tmp_path)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "retrace"]
    assert "tensors of its files are no weights of the model: model.layers.1." in said


def test_quantized_weights_are_refused(model, tmp_path) -> None:
    models.save(model, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        InputError, match=r"model: expected weights in float32, bfloat16 or float16; .* quantized"
    ):
        models.load(tmp_path)


def test_code_of_a_model_is_never_run(model, tmp_path) -> None:
    models.save(model, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": {"AutoModelForCausalLM": "mine.Mine", "AutoConfig": "mine.Config"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "mine.py").write_text("raise SystemExit('code from outside was run')")
    with pytest.raises(InputError, match="model: expected a model that transformers knows"):
        models.load(tmp_path)


@pytest.mark.skipif(not STORIES.is_dir(), reason="the small pretrained Llama is not at hand")
def test_a_real_pretrained_llama(tmp_path) -> None:
    model, tokenizer = models.load(STORIES), loading.load_tokenizer(STORIES)
    loading.check_vocabulary(model, tokenizer)
    text = tokenizer.encode("Once upon a time, there was a little girl named Lily.")
    known, _ = logprobs.row_logprobs(model, [Row((1,), tuple(text[1:]))], pad=0)
    assert float(known / (len(text) - 1)) > -1.5, "stories begin like this"
    copied = tmp_path / "copy"
    shutil.copytree(STORIES, copied)
    assert hub.files_digest(copied) == hub.files_digest(STORIES)
    tokenizer.add_tokens(["brand-new"])
    with pytest.raises(
        InputError,
        match="tokenizer: expected at most 512 tokens, as many as the model's embeddings",
    ):
        loading.check_vocabulary(model, tokenizer)


def test_pretrained_is_plain_data() -> None:
    assert Pretrained("a/b") == Pretrained("a/b", None, None, None)
