"""What can be chosen: every choice has its place in the configuration, and a wrong one is one line."""

import math
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

import retrace
from llm.config.experiments import positions
from llm.config.options import Options, base_experiment, settings_of
from llm.config.presets import STAGES
from llm.config.settings import Files, Probes, Settings, Stage
from llm.corpora.refusals import PARAPHRASES
from llm.models import EMBEDDED, Pretrained
from llm.models.adapters import Adaptation
from llm.training.recipe import Recipe
from protocol.errors import InputError
from protocol.spec import canonical

CHOSEN = {
    "preset": "authors-code",
    "stages": ("math", "inst", "safety"),
    "forget": "math",
    "data": {"inst": "a.json"},
    "test_data": {"inst": "b.json"},
    "rows": {"inst": 7},
    "held_out": {"inst": 3},
    "epochs": {"math": 9},
    "lr": 0.1,
    "unlearning_lr": 0.1,
    "batch": 5,
    "micro_batch": 5,
    "adaptation": "lora",
    "rank": 3,
    "new_adapter_each_stage": True,
    "methods": ("NPO",),
    "include_mixture": True,
    "seeds": 7,
    "base": 1,
    "precision": "bf16",
    "device": "cuda",
    "probes": {"every": 2},
    "math_prompt": "Sum: {question}",
    "quick": True,
    "revision": "main",
    "template": "plain",
    "system": "Be brief.",
    "skip_bad_rows": True,
    "alpha": 3,
    "dropout": 0.1,
    "lora_targets": ("q_proj",),
    "seed_list": (3, 7),
    "attention": "eager",
    "max_length": 99,
    "eval_batch": 3,
    "label": "No",
    "paraphrases": "p.txt",
}


@pytest.mark.parametrize("name", [field.name for field in fields(Options)])
def test_no_option_is_without_effect(name, monkeypatch, tmp_path) -> None:
    """Each changes the configuration, by which an experiment is named in records and store."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.chdir(tmp_path)
    Path("p.txt").write_text("I will not\n", encoding="utf-8")
    base = {"data": {"inst": "a.json"}} if name in ("test_data", "skip_bad_rows") else {}
    base |= {"device": "cpu", "adaptation": "qlora"}
    configurations = [
        canonical(positions("owner/name", Options(**options))[0])
        for options in (base, {**base, name: CHOSEN[name]})
    ]
    assert configurations[0] != configurations[1]


def test_every_option_stands_in_its_place() -> None:
    chosen = Options(
        stages=("math", "safety", "inst"),
        forget="inst",
        rows={"math": 10},
        held_out={"inst": 5},
        epochs={"safety": 3},
        lr=0.01,
        unlearning_lr=0.02,
        batch=7,
        micro_batch=3,
        adaptation="lora",
        rank=5,
        new_adapter_each_stage=True,
        dropout=0.1,
        lora_targets=("q_proj", "up_proj"),
        attention="eager",
        max_length=200,
        eval_batch=9,
        methods=("NPO", "rewind"),
        seeds=2,
        base=9,
        precision="bf16",
        device="cpu",
        data={"math": "a.jsonl"},
        test_data={"math": "b.jsonl"},
        probes={"every": 2, "temperature": 0.5, "parameters": 1, "sums": 0},
        math_prompt="Sum: {question}",
    )
    experiment = base_experiment("tiny-qwen2", chosen)
    assert (experiment.name, experiment.world, experiment.model) == (
        "positions",
        "llm",
        "tiny-qwen2",
    )
    assert (experiment.retain, experiment.forget) == (("math", "safety"), "inst")
    assert (experiment.seeds, experiment.base) == ((0, 1), 9)
    assert [method.name for method in experiment.methods] == ["NPO", "rewind"]
    assert experiment.steps == 46  # ⌈320 rows / 7⌉
    settings = experiment.settings
    learning = Recipe(lr=0.01, batch=7, micro_batch=3)
    assert settings.stages == {
        "math": Stage(10, 100, replace(learning, epochs=2), Files(("a.jsonl",), ("b.jsonl",))),
        "safety": Stage(640, 32, replace(learning, epochs=3)),
        "inst": Stage(320, 5, replace(learning, epochs=6)),
    }
    assert list(settings.stages) == ["math", "safety", "inst"]
    assert settings.unlearning == replace(learning, lr=0.02)
    assert settings.adaptation == Adaptation(
        "lora",
        rank=5,
        alpha=10,
        dropout=0.1,
        targets=("q_proj", "up_proj"),
        new_adapter_each_stage=True,
    )
    assert (settings.attention, settings.max_length, settings.eval_batch) == ("eager", 200, 9)
    assert (settings.model, settings.precision, settings.device) == (
        EMBEDDED["tiny-qwen2"],
        "bf16",
        "cpu",
    )
    assert settings.probes == Probes(
        every=2, temperature=0.5, parameters=True, sums=0, prompt="Sum: {question}"
    )
    hub = settings_of("owner/name", Options(revision="v1", template="plain", system="Be brief."))
    assert hub.model == Pretrained("owner/name", "v1", "plain", "Be brief.")


@pytest.mark.parametrize(
    ("chosen", "rank", "alpha"),
    [({}, 16, 32), ({"rank": 4}, 4, 8), ({"alpha": 5}, 16, 5), ({"rank": 4, "alpha": 5}, 4, 5)],
)
def test_alpha_is_twice_a_chosen_rank_unless_chosen_itself(chosen, rank, alpha) -> None:
    adapter = settings_of("tiny-llama", Options(adaptation="lora", **chosen)).adaptation
    assert (adapter.rank, adapter.alpha) == (rank, alpha)


def test_no_named_target_means_the_default_of_no_names() -> None:
    """`--lora-targets` with nothing behind it: every linear layer of the decoder."""
    assert (
        settings_of("tiny-llama", Options(adaptation="lora", lora_targets=())).adaptation.targets
        == ()
    )


def test_seeds_can_be_named_one_by_one() -> None:
    assert base_experiment("tiny-llama", Options(seed_list=(3, 7, 11))).seeds == (3, 7, 11)
    assert base_experiment("tiny-llama", Options(seed_list=(5,), quick=True)).seeds == (5,)


@pytest.mark.parametrize(
    ("typed", "files"),
    [
        ("tofu a.json", {"tofu": ("a.json",)}),
        (
            "tofu a.json inst b.json tofu c,d.json",
            {"tofu": ("a.json", "c,d.json"), "inst": ("b.json",)},
        ),
        ("tofu hf://datasets/o/n@v1/a+b/c.json", {"tofu": ("hf://datasets/o/n@v1/a+b/c.json",)}),
    ],
)
def test_a_stage_stands_once_for_each_of_its_files(typed, files) -> None:
    command = retrace._parse(
        ["llm", "positions", "--data", *typed.split(), "--test-data", *typed.split()]
    )
    settings = settings_of("tiny-llama", command.options)
    for stage, names in files.items():
        assert settings.stages[stage].files == Files(names, names)
    assert [name for name, stage in settings.stages.items() if stage.files] == sorted(
        files, key=STAGES.index
    )


def test_files_need_their_stage_on_the_command_line() -> None:
    with pytest.raises(
        InputError, match=r"--data: expected STAGE FILE for each file; got tofu a\.json inst; see"
    ):
        retrace._parse(["llm", "positions", "--data", "tofu", "a.json", "inst"])


def test_bad_rows_are_skipped_in_every_file() -> None:
    chosen = settings_of(
        "tiny-llama", Options(data={"inst": "a", "tofu": ("b", "c")}, skip_bad_rows=True)
    )
    assert [stage.files and stage.files.skip_bad_rows for stage in chosen.stages.values()] == [
        True,
        True,
        None,
        None,
    ]
    public = settings_of("llama-3.2-1b", Options(skip_bad_rows=True))
    assert all(stage.files.skip_bad_rows for stage in public.stages.values())


REFUSAL = "Sorry, I can not assist you"


@pytest.mark.parametrize(
    ("options", "phrases"),
    [
        ({}, (REFUSAL, *PARAPHRASES)),
        ({"label": " I won't "}, ("I won't", *PARAPHRASES)),
        ({"label": PARAPHRASES[0]}, PARAPHRASES),
        ({"paraphrases": "p.txt"}, (REFUSAL, "Never", "No")),
        ({"label": "I won't", "paraphrases": "p.txt"}, ("I won't", "Never", "No")),
        ({"forget": "tofu"}, ()),
        ({"forget": "tofu", "label": "I don't know"}, ("I don't know",)),
        (
            {"forget": "tofu", "label": "I don't know", "paraphrases": "p.txt"},
            ("I don't know", "Never", "No"),
        ),
        ({"preset": "authors-code"}, ("Sorry, I can not assist", *PARAPHRASES)),
        ({"preset": "authors-code", "forget": "tofu"}, ()),
    ],
)
def test_a_label_is_the_chosen_one_else_the_refusals_of_safety_alone(
    options, phrases, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.txt").write_text("Never\nNo \n", encoding="utf-8")
    chosen = Options(**options)
    assert settings_of("tiny-llama", chosen).probes.phrases(chosen.forget) == phrases


@pytest.mark.parametrize(
    ("options", "content", "message"),
    [
        ({"label": " "}, None, "label: expected the beginning of an answer; got an empty one"),
        (
            {"paraphrases": "none.txt"},
            None,
            "paraphrases: expected a file with one phrase a line; none.txt: No such",
        ),
        ({}, b"A\n\nB\n", "paraphrases: expected a phrase in every line; line 2 of p.txt is empty"),
        ({}, b"", "paraphrases: expected a phrase in every line; line 1 of p.txt is empty"),
        (
            {},
            b"\xff\xfeA\n",
            "paraphrases: expected a file with one phrase a line; p.txt: its text is not UTF-8",
        ),
        (
            {},
            b"A\nB\nA\n",
            "paraphrases: expected phrases other than the label and one another; got 'A' twice",
        ),
        (
            {"label": "B"},
            b"A\nB\n",
            "paraphrases: expected phrases other than the label .*; got 'B' twice",
        ),
        (
            {},
            f"A\n{REFUSAL}\n".encode(),
            f"paraphrases: expected phrases other than .*; got '{REFUSAL}' twice",
        ),
        (
            {"forget": "tofu"},
            b"A\n",
            "paraphrases: expected with --label, as the stage tofu has no label; add one",
        ),
    ],
)
def test_a_phrase_that_cannot_be_followed_is_one_line(
    options, content, message, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("p.txt").write_bytes(content)
        options = {**options, "paraphrases": "p.txt"}
    with pytest.raises(InputError, match=message) as raised:
        settings_of("tiny-llama", Options(**options))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("named", ["flash", "flex"])
def test_attention_that_a_cpu_does_not_train_on_is_refused(named) -> None:
    with pytest.raises(
        InputError,
        match=f"attention: expected auto, eager or sdpa on a CPU, which {named} does not",
    ):
        settings_of("owner/name", Options(attention=named, device="cpu"))


def test_attention_of_a_notebook_is_checked_too() -> None:
    with pytest.raises(
        InputError, match="attention: expected one of auto, eager, sdpa, flash, flex; got"
    ):
        Settings(EMBEDDED["tiny-llama"], attention="flash_attention_2")


def test_phrases_of_a_notebook_are_checked_too() -> None:
    with pytest.raises(InputError, match="paraphrases: expected phrases; number 2 is empty"):
        Probes(label="A", paraphrases=("B", " "))


def test_another_forget_stage_and_fewer_stages_can_be_chosen() -> None:
    experiment = base_experiment(
        "tiny-qwen2", Options(stages=("math", "inst"), forget="inst", seeds=1)
    )
    assert experiment.orders == (("inst", "math"), ("math", "inst"))


def test_a_stage_of_another_name_takes_its_rows_from_a_file() -> None:
    """It is learned once, the way the preset's stages are, where nothing else is chosen."""
    options = Options(
        stages=("inst", "poems", "safety"), data={"poems": "a.json"}, rows={"poems": 50}, seeds=1
    )
    experiment = base_experiment("tiny-llama", options)
    assert experiment.orders == (
        ("safety", "inst", "poems"),
        ("inst", "safety", "poems"),
        ("inst", "poems", "safety"),
    )
    assert experiment.settings.stages["poems"] == Stage(50, 32, Recipe(lr=5e-4), Files(("a.json",)))
    chosen = settings_of(
        "llama-3.2-1b", replace(options, held_out={"poems": 5}, epochs={"poems": 3}, forget="poems")
    )
    learned = replace(chosen.stages["inst"].recipe, epochs=3)
    assert chosen.stages["poems"] == Stage(50, 5, learned, Files(("a.json",)))


def test_quick_leaves_what_was_chosen() -> None:
    quick = base_experiment("tiny-llama", Options(quick=True))
    assert (quick.seeds, quick.settings.pretraining_rows, quick.settings.probes.sums) == (
        (0,),
        9600,
        40,
    )
    chosen = base_experiment(
        "tiny-llama", Options(quick=True, seeds=2, probes={"sums": 90, "forget": 9})
    )
    assert (chosen.seeds, chosen.settings.probes.sums, chosen.settings.probes.forget) == (
        (0, 1),
        90,
        9,
    )


UNMEASURABLE = (
    ("tofu", -1),
    ("sums", -5),
    ("sums", math.nan),
    ("temperature", 0.0),
    ("max_tokens", 0),
)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"model": "gpt-5"},
            "model: expected one of tiny-llama, tiny-qwen2, llama.* a hub id OWNER/NAME; got "
            "'gpt-5'",
        ),
        ({"preset": "mine"}, "preset: expected one of embedded, paper, authors-code; got 'mine'"),
        (
            {"methods": ("DPO",)},
            "methods: expected one of GA, NPO, SimNPO, .*, negation, rewind; got 'DPO'",
        ),
        ({"methods": ()}, "methods: expected at least one unlearning method; got none"),
        (
            {"stages": ("inst", "poems")},
            "stages: expected one of inst, tofu, math, safety; got 'poems'",
        ),
        (
            {"stages": ("safety",)},
            "stages: expected the forget stage and at least one other; got safety",
        ),
        (
            {"stages": ("inst", "inst", "safety")},
            "retain: expected every stage once; got inst, inst",
        ),
        ({"stages": ("inst", "math")}, "forget: expected one of inst, math; got 'safety'"),
        (
            {"system": "Be kind."},
            "system: expected to be left out, as the embedded tiny-llama has a format of its own",
        ),
        ({"template": "plain"}, "template: expected to be left out"),
        ({"seeds": 0}, "seeds: expected at least 1; got 0"),
        (
            {"data": {"poems": "a.json"}},
            "data: expected one of inst, tofu, math, safety; got 'poems'",
        ),
        (
            {"test_data": {"poems": "a.json"}},
            "test-data: expected one of inst, tofu, math, safety; got 'poems'",
        ),
        (
            {"test_data": {"inst": "a.json"}},
            "test-data: expected training rows in data, too; inst has none",
        ),
        (
            {"stages": ("inst", "poems", "safety"), "data": {"poems": "a.json"}},
            "rows: expected a number for poems, as the preset has none; got none",
        ),
        (
            {"stages": ("inst", "a+b", "safety"), "data": {"a+b": "a.json"}, "rows": {"a+b": 9}},
            r"stages: expected names of letters, digits, dots, - and _; got 'a\+b'",
        ),
        ({"rows": {"poems": 1}}, "rows: expected one of inst, tofu, math, safety; got 'poems'"),
        (
            {"held_out": {"poems": 1}},
            "held-out: expected one of inst, tofu, math, safety; got 'poems'",
        ),
        ({"epochs": {"poems": 1}}, "epochs: expected one of inst, tofu, math, safety; got 'poems'"),
        ({"epochs": {"inst": 0}}, "epochs: expected at least 1; got 0"),
        ({"lr": -1.0}, "lr: expected a number > 0; got -1.0"),
        (
            {"probes": {"colour": 1}},
            "probes: expected one of every, forget, tofu, .*, max_tokens; got 'colour'",
        ),
        (
            {"probes": {"label": 1}},
            "probes: expected one of every, forget, tofu, .*, max_tokens; got 'label'",
        ),
        ({"probes": {"samples": 2.5}}, "probes: expected a whole number for samples; got 2.5"),
        (
            {"probes": {"parameters": 0.5}},
            "probes: expected a whole number for parameters; got 0.5",
        ),
        ({"probes": {"every": 0}}, "probes.every: expected a number > 0; got 0"),
        ({"math_prompt": "Reckon."}, r"probes.prompt: expected \{question\} in it; got 'Reckon.'"),
        ({"device": "cuda"}, "device: expected a CUDA GPU; torch finds none: take cpu"),
        ({"device": "tpu"}, "device: expected one of auto, cpu, cuda; got 'tpu'"),
        (
            {"adaptation": "prefix"},
            "adaptation.kind: expected one of full, lora, qlora; got 'prefix'",
        ),
        ({"adaptation": "lora", "rank": 0}, "rank: expected at least 1; got 0"),
        (
            {"alpha": 8},
            "alpha: expected with --adaptation lora or qlora; all weights are trained: leave it "
            "out",
        ),
        ({"dropout": 0.1}, "dropout: expected with --adaptation lora or qlora"),
        ({"lora_targets": ("q_proj",)}, "lora-targets: expected with --adaptation lora or qlora"),
        (
            {"adaptation": "lora", "dropout": 1.5},
            "dropout: expected 0 or more and less than 1; got 1.5",
        ),
        ({"adaptation": "lora", "alpha": 0}, "alpha: expected a number > 0; got 0"),
        (
            {"attention": "paged"},
            "attention: expected one of auto, eager, sdpa, flash, flex; got 'paged'",
        ),
        ({"max_length": 1}, "max-length: expected at least 2; got 1"),
        ({"eval_batch": 0}, "eval-batch: expected at least 1; got 0"),
        ({"seed_list": (1, 2)}, "seed-list: expected in place of seeds; got both: leave one out"),
        (
            {"seed_list": (), "seeds": None},
            "seed-list: expected seeds from 0 on, each once; got none",
        ),
        (
            {"seed_list": (1, 2, 1), "seeds": None},
            "seed-list: expected seeds from 0 on, each once; got 1, 2, 1",
        ),
        (
            {"seed_list": (-1,), "seeds": None},
            "seed-list: expected seeds from 0 on, each once; got -1",
        ),
        (
            {"skip_bad_rows": True},
            "skip-bad-rows: expected with --data; all rows are generated: leave it out",
        ),
        (
            {"data": {"inst": ("a", "b", "a")}},
            "data: expected files for inst, each once; got a, b, a",
        ),
        ({"data": {"inst": ()}}, "data: expected files for inst, each once; got none"),
        (
            {"data": {"inst": "a"}, "test_data": {"inst": ("b", "b")}},
            "test-data: expected files for inst, each once",
        ),
        (
            {"rank": 8},
            "rank: expected with --adaptation lora or qlora; all weights are trained: leave it out",
        ),
        (
            {"new_adapter_each_stage": True},
            "new_adapter_each_stage: expected with --adaptation lora or qlora",
        ),
        ({"precision": "fp16"}, "precision: expected one of fp32, bf16; got 'fp16'"),
        (
            {"precision": "bf16"},
            "precision: expected fp32 for full fine-tuning.* got bf16: take an adapter",
        ),
        (
            {"adaptation": "qlora", "probes": {"parameters": 1}},
            "probes.parameters: expected full fine-tuning or LoRA; got qlora, whose weights are "
            "NF4",
        ),
        *(
            ({"probes": {name: number}}, f"probes: expected|probes.{name}: expected")
            for name, number in UNMEASURABLE
        ),
    ],
)
def test_a_wrong_choice_is_one_line(wrong, message, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    wrong = dict(wrong)
    with pytest.raises(InputError, match=message) as raised:
        base_experiment(wrong.pop("model", "tiny-llama"), Options(**{"seeds": 1, **wrong}))
    assert "\n" not in str(raised.value)
