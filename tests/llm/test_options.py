"""What can be chosen: every choice has its place in the configuration, and a wrong one is one line."""

import math
from dataclasses import fields, replace

import pytest
import torch

from llm.experiments import positions
from llm.models import EMBEDDED, Pretrained
from llm.models.adapters import Adaptation
from llm.options import Options, base_experiment, settings_of
from llm.settings import Files, Probes, Stage
from llm.training import Training
from protocol.errors import InputError
from protocol.spec import canonical

CHOSEN = {
    "preset": "authors-code", "stages": ("math", "inst", "safety"), "forget": "math", "data": {"inst": "a.json"},
    "test_data": {"inst": "b.json"}, "rows": {"inst": 7}, "held_out": {"inst": 3}, "epochs": {"math": 9}, "lr": 0.1,
    "unlearning_lr": 0.1, "batch": 5, "micro_batch": 5, "adaptation": "lora", "rank": 3, "anew": True,
    "methods": ("NPO",), "include_mixture": True, "seeds": 7, "base": 1, "precision": "bf16", "device": "cuda",
    "probes": {"every": 2}, "math_prompt": "Sum: {question}", "quick": True, "revision": "main", "template": "plain",
    "system": "Be brief.",
}  # fmt: skip


@pytest.mark.parametrize("name", [field.name for field in fields(Options)])
def test_no_option_is_without_effect(name, monkeypatch) -> None:
    """Each changes the configuration, by which an experiment is named in records and store."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    base = {"data": {"inst": "a.json"}} if name == "test_data" else {}
    base |= {"device": "cpu", "adaptation": "qlora"}
    configurations = [
        canonical(positions("owner/name", Options(**options))[0]) for options in (base, {**base, name: CHOSEN[name]})
    ]
    assert configurations[0] != configurations[1]


def test_every_option_stands_in_its_place() -> None:
    chosen = Options(
        stages=("math", "safety", "inst"), forget="inst", rows={"math": 10}, held_out={"inst": 5},
        epochs={"safety": 3}, lr=0.01, unlearning_lr=0.02, batch=7, micro_batch=3, adaptation="lora", rank=5, anew=True,
        methods=("NPO", "rewind"), seeds=2, base=9, precision="bf16", device="cpu", data={"math": "a.jsonl"},
        test_data={"math": "b.jsonl"}, probes={"every": 2, "temperature": 0.5, "parameters": 1, "sums": 0},
        math_prompt="Sum: {question}",
    )  # fmt: skip
    experiment = base_experiment("tiny-qwen2", chosen)
    assert (experiment.name, experiment.world, experiment.model) == ("positions", "llm", "tiny-qwen2")
    assert (experiment.retain, experiment.forget) == (("math", "safety"), "inst")
    assert (experiment.seeds, experiment.base) == ((0, 1), 9)
    assert [method.name for method in experiment.methods] == ["NPO", "rewind"]
    assert experiment.steps == 46  # ⌈320 rows / 7⌉
    settings = experiment.settings
    learning = Training(lr=0.01, batch=7, micro_batch=3)
    assert settings.stages == {
        "math": Stage(10, 100, replace(learning, epochs=2), Files(("a.jsonl",), ("b.jsonl",))),
        "safety": Stage(640, 32, replace(learning, epochs=3)),
        "inst": Stage(320, 5, replace(learning, epochs=6)),
    }
    assert list(settings.stages) == ["math", "safety", "inst"]
    assert settings.unlearning == replace(learning, lr=0.02)
    assert settings.adaptation == Adaptation("lora", rank=5, alpha=10, anew=True)
    assert (settings.model, settings.precision, settings.device) == (EMBEDDED["tiny-qwen2"], "bf16", "cpu")
    assert settings.probes == Probes(every=2, temperature=0.5, parameters=True, sums=0, prompt="Sum: {question}")
    hub = settings_of("owner/name", Options(revision="v1", template="plain", system="Be brief."))
    assert hub.model == Pretrained("owner/name", "v1", "plain", "Be brief.")


def test_another_forget_stage_and_fewer_stages_can_be_chosen() -> None:
    experiment = base_experiment("tiny-qwen2", Options(stages=("math", "inst"), forget="inst", seeds=1))
    assert experiment.orders == (("inst", "math"), ("math", "inst"))


def test_a_stage_of_another_name_takes_its_rows_from_a_file() -> None:
    """It is learned once, the way the preset's stages are, where nothing else is chosen."""
    options = Options(stages=("inst", "poems", "safety"), data={"poems": "a.json"}, rows={"poems": 50}, seeds=1)
    experiment = base_experiment("tiny-llama", options)
    assert experiment.orders == (("safety", "inst", "poems"), ("inst", "safety", "poems"), ("inst", "poems", "safety"))
    assert experiment.settings.stages["poems"] == Stage(50, 32, Training(lr=5e-4), Files(("a.json",)))
    chosen = settings_of("llama-3.2-1b", replace(options, held_out={"poems": 5}, epochs={"poems": 3}, forget="poems"))
    learned = replace(chosen.stages["inst"].training, epochs=3)
    assert chosen.stages["poems"] == Stage(50, 5, learned, Files(("a.json",)))


def test_quick_leaves_what_was_chosen() -> None:
    quick = base_experiment("tiny-llama", Options(quick=True))
    assert (quick.seeds, quick.settings.pretraining_rows, quick.settings.probes.sums) == ((0,), 9600, 40)
    chosen = base_experiment("tiny-llama", Options(quick=True, seeds=2, probes={"sums": 90, "forget": 9}))
    assert (chosen.seeds, chosen.settings.probes.sums, chosen.settings.probes.forget) == ((0, 1), 90, 9)


UNMEASURABLE = (("tofu", -1), ("sums", -5), ("sums", math.nan), ("temperature", 0.0), ("max_tokens", 0))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": "gpt-5"}, "model: expected one of tiny-llama, tiny-qwen2, llama.* a hub id OWNER/NAME; got 'gpt-5'"),
        ({"preset": "mine"}, "preset: expected one of embedded, paper, authors-code; got 'mine'"),
        ({"methods": ("DPO",)}, "methods: expected one of GA, NPO, SimNPO, .*, negation, rewind; got 'DPO'"),
        ({"methods": ()}, "methods: expected at least one unlearning method; got none"),
        ({"stages": ("inst", "poems")}, "stages: expected one of inst, tofu, math, safety; got 'poems'"),
        ({"stages": ("safety",)}, "stages: expected the forget stage and at least one other; got safety"),
        ({"stages": ("inst", "inst", "safety")}, "retain: expected every stage once; got inst, inst"),
        ({"stages": ("inst", "math")}, "forget: expected one of inst, math; got 'safety'"),
        ({"system": "Be kind."}, "system: expected to be left out, as the embedded tiny-llama has a format of its own"),
        ({"template": "plain"}, "template: expected to be left out"),
        ({"seeds": 0}, "seeds: expected at least 1; got 0"),
        ({"data": {"poems": "a.json"}}, "data: expected one of inst, tofu, math, safety; got 'poems'"),
        ({"test_data": {"poems": "a.json"}}, "test-data: expected one of inst, tofu, math, safety; got 'poems'"),
        ({"test_data": {"inst": "a.json"}}, "test-data: expected training rows in data, too; inst has none"),
        (
            {"stages": ("inst", "poems", "safety"), "data": {"poems": "a.json"}},
            "rows: expected a number for poems, as the preset has none; got none",
        ),
        (
            {"stages": ("inst", "a+b", "safety"), "data": {"a+b": "a.json"}, "rows": {"a+b": 9}},
            r"stages: expected names of letters, digits, dots, - and _; got 'a\+b'",
        ),
        ({"rows": {"poems": 1}}, "rows: expected one of inst, tofu, math, safety; got 'poems'"),
        ({"held_out": {"poems": 1}}, "held-out: expected one of inst, tofu, math, safety; got 'poems'"),
        ({"epochs": {"poems": 1}}, "epochs: expected one of inst, tofu, math, safety; got 'poems'"),
        ({"epochs": {"inst": 0}}, "training: expected lr > 0 and epochs, batch, micro_batch ≥ 1"),
        ({"lr": -1.0}, "training: expected lr > 0"),
        ({"probes": {"colour": 1}}, "probes: expected one of every, forget, tofu, .*, max_tokens; got 'colour'"),
        ({"probes": {"label": 1}}, "probes: expected one of every, forget, tofu, .*, max_tokens; got 'label'"),
        ({"probes": {"samples": 2.5}}, "probes: expected a whole number for samples; got 2.5"),
        ({"probes": {"parameters": 0.5}}, "probes: expected a whole number for parameters; got 0.5"),
        ({"probes": {"every": 0}}, "probes.every: expected a number > 0; got 0"),
        ({"math_prompt": "Reckon."}, r"probes.prompt: expected \{question\} in it; got 'Reckon.'"),
        ({"device": "cuda"}, "device: expected a CUDA GPU; torch finds none: take cpu"),
        ({"device": "tpu"}, "device: expected one of auto, cpu, cuda; got 'tpu'"),
        ({"adaptation": "prefix"}, "adaptation.kind: expected one of full, lora, qlora; got 'prefix'"),
        ({"adaptation": "lora", "rank": 0}, "adaptation: expected rank ≥ 1"),
        ({"rank": 8}, "rank: expected with --adaptation lora or qlora; all weights are trained: leave it out"),
        ({"anew": True}, "anew: expected with --adaptation lora or qlora"),
        ({"precision": "fp16"}, "precision: expected one of fp32, bf16; got 'fp16'"),
        ({"precision": "bf16"}, "precision: expected fp32 for full fine-tuning.* got bf16: take an adapter"),
        (
            {"adaptation": "qlora", "probes": {"parameters": 1}},
            "probes.parameters: expected full fine-tuning or LoRA; got qlora, whose weights are NF4",
        ),
        *(({"probes": {name: number}}, f"probes: expected|probes.{name}: expected") for name, number in UNMEASURABLE),
    ],
)  # fmt: skip
def test_a_wrong_choice_is_one_line(wrong, message, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    wrong = dict(wrong)
    with pytest.raises(InputError, match=message) as raised:
        base_experiment(wrong.pop("model", "tiny-llama"), Options(**{"seeds": 1, **wrong}))
    assert "\n" not in str(raised.value)
