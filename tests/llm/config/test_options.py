"""Options: each changes its place in the settings, and a wrong option is one line."""

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
import torch

import retrace
from llm.config.experiments import positions
from llm.config.options import (
    GROUPS,
    READ_FROM_FILES,
    SCALARS,
    Options,
    base_experiment,
    settings_of,
)
from llm.config.presets import STAGES
from llm.config.settings import Files, Probes, Settings, Stage, replaced
from llm.corpora.refusals import PARAPHRASES
from llm.models import EMBEDDED, Pretrained
from llm.models.adapters import Adaptation
from llm.training.recipe import Recipe
from protocol.errors import InputError
from protocol.spec import canonical
from retrace import run_llm

CHOSEN = {
    "preset": "authors-code",
    "stages": ("math", "inst", "safety"),
    "forget": "math",
    "data": {"inst": "a.json"},
    "test_data": {"inst": "b.json"},
    "rows": {"inst": 7},
    "held_out": {"inst": 3},
    "epochs": {"math": 9},
    "methods": ("NPO",),
    "include_mixture": True,
    "seeds": 7,
    "base": 1,
    "precision": "bf16",
    "device": "cuda",
    "quick": True,
    "revision": "main",
    "template": "plain",
    "system": "Be brief.",
    "skip_bad_rows": True,
    "seed_list": (3, 7),
    "attention": "eager",
    "max_length": 99,
    "eval_batch": 3,
    "paraphrases": "p.txt",
    "retained": 9,
    "shuffle": "epoch",
    "pretraining_rows": 99,
}
RECIPE = {
    "lr": 0.1,
    "epochs": 7,
    "batch": 5,
    "micro_batch": 5,
    "schedule": "cosine",
    "warmup": 0.1,
    "decay": 3,
    "floor": 0.1,
    "optimizer": "sgd",
}
FIELDS = {
    "learning": RECIPE,
    "unlearning": RECIPE,
    "pretraining": RECIPE,
    "adaptation": {
        "kind": "lora",
        "rank": 3,
        "alpha": 3,
        "dropout": 0.1,
        "targets": ["q_proj"],
        "new_adapter_each_stage": True,
    },
    "probes": {
        "every": 2,
        "label": "No",
        "forget": 3,
        "tofu": 3,
        "distance": 3,
        "fixed": 3,
        "parameters": True,
        "sums": 3,
        "samples": 3,
        "temperature": 0.1,
        "max_tokens": 3,
        "prompt": "Sum: {question}",
    },
}
GROUP_FIELDS = [(group, field.name) for group, kind in GROUPS.items() for field in fields(kind)]
GROUP_FIELDS = [(group, name) for group, name in GROUP_FIELDS if name not in READ_FROM_FILES]


@pytest.mark.parametrize("name", sorted({field.name for field in fields(Options)} - {*GROUPS}))
def test_no_option_is_without_effect(name, monkeypatch, tmp_path) -> None:
    """Each changes the configuration, by which an experiment is named in records and store."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.chdir(tmp_path)
    Path("p.txt").write_text("I will not\n", encoding="utf-8")
    base = {"data": {"inst": "a.json"}} if name in ("test_data", "skip_bad_rows") else {}
    base |= {"device": "cpu", "adaptation": {"kind": "qlora"}}
    model = "tiny-llama" if name == "pretraining_rows" else "owner/name"
    configurations = [
        canonical(positions(model, Options(**options))[0])
        for options in (base, {**base, name: CHOSEN[name]})
    ]
    assert configurations[0] != configurations[1]


@pytest.mark.parametrize(("group", "name"), GROUP_FIELDS)
def test_every_field_of_the_settings_is_an_option_of_python(group, name) -> None:
    """The field has the given value, and all other fields keep the preset's value."""
    value = FIELDS[group][name]
    base = {"adaptation": {"kind": "qlora"}} if group == "adaptation" else {}
    changes = {**base, group: {**base.get(group, {}), name: value}}
    before = settings_of("tiny-llama", Options(**base))
    after = settings_of("tiny-llama", Options(**changes))
    expected = tuple(value) if isinstance(value, list) else value
    if group == "learning":
        stages = before.stages.items()
        recipes = {stage: replace(old.recipe, **{name: expected}) for stage, old in stages}
        assert {stage: new.recipe for stage, new in after.stages.items()} == recipes
        assert replace(after, stages=before.stages) == before
        return
    old = getattr(before, group)
    changed = {name: expected} | ({"alpha": 6} if name == "rank" else {})
    assert getattr(after, group) == replace(old, **changed) != old
    assert replace(after, **{group: old}) == before


@pytest.mark.parametrize(("group", "name"), GROUP_FIELDS)
def test_every_field_of_the_settings_is_an_option_of_the_command_line(group, name) -> None:
    """The option is named by its path, and reads its value as the field's type."""
    value = FIELDS[group][name]
    words = [str(each) for each in (value if isinstance(value, list) else [value])]
    flag = f"--{group}.{name}".replace("_", "-")
    typed = [flag] if value is True else [flag, *words]
    options = retrace._parse(["llm", "positions", *typed]).options
    given = getattr(options, group)
    assert given == {name: tuple(value) if isinstance(value, list) else value}
    assert type(given[name]) is (tuple if isinstance(value, list) else hint_of(group, name))
    others = {other: getattr(options, other) for other in GROUPS if other != group}
    assert not any(others.values())


def hint_of(group: str, name: str) -> type:
    """The type of a field, str for `str | None`."""
    hint = get_type_hints(GROUPS[group])[name]
    return str if hint == str | None else hint


def test_options_name_every_setting_once() -> None:
    """A field that is added to `Settings` becomes an option."""
    settings = {field.name for field in fields(Settings)} - {"model", "stages"}
    assert {*SCALARS, *GROUPS} == settings | {"learning"}
    own, hints = get_type_hints(Options), get_type_hints(Settings)
    for name in SCALARS:
        assert own[name] == hints[name] | None
        assert getattr(Options(), name) is None


def test_every_field_of_the_settings_has_a_docstring() -> None:
    for settings in (*GROUPS.values(), Settings, Files, Stage):
        texts = run_llm._documented(settings)
        assert set(texts) == {field.name for field in fields(settings)}
        assert all(text.endswith(".") for text in texts.values())


@pytest.mark.parametrize("typed", ["--lr 1", "--batch=4", "--lora_targets q_proj"])
def test_an_option_of_an_earlier_version_names_the_new_option(typed) -> None:
    flag = typed.replace("=", " ").split()[0].replace("_", "-")
    with pytest.raises(InputError) as raised:
        retrace._parse(["llm", "positions", *typed.split()])
    assert str(raised.value) == f"{flag}: expected {run_llm.RENAMED[flag]} in place of {flag}"


def test_the_options_that_replace_others_exist() -> None:
    """Every --NAME in the messages is a field of a group."""
    known = {f"--{group}.{name}".replace("_", "-") for group, name in GROUP_FIELDS}
    named = {word for text in run_llm.RENAMED.values() for word in text.split() if "." in word}
    assert {word for word in named if "NAME" not in word} <= known
    assert not known & set(run_llm.RENAMED)


def test_every_option_stands_in_its_place() -> None:
    chosen = Options(
        stages=("math", "safety", "inst"),
        forget="inst",
        rows={"math": 10},
        held_out={"inst": 5},
        epochs={"safety": 3},
        learning={"lr": 0.01, "batch": 7, "micro_batch": 3},
        unlearning={"lr": 0.02, "batch": 7, "micro_batch": 3},
        adaptation={
            "kind": "lora",
            "rank": 5,
            "new_adapter_each_stage": True,
            "dropout": 0.1,
            "targets": ("q_proj", "up_proj"),
        },
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
        probes={
            "every": 2,
            "temperature": 0.5,
            "parameters": 1,
            "sums": 0,
            "prompt": "Sum: {question}",
        },
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
    options = Options(adaptation={"kind": "lora", **chosen})
    adapter = settings_of("tiny-llama", options).adaptation
    assert (adapter.rank, adapter.alpha) == (rank, alpha)


def test_no_named_target_means_the_default_of_no_names() -> None:
    """`--adaptation.targets` with nothing behind it: every linear layer of the decoder."""
    options = Options(adaptation={"kind": "lora", "targets": ()})
    assert settings_of("tiny-llama", options).adaptation.targets == ()


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
        ({"probes": {"label": " I won't "}}, ("I won't", *PARAPHRASES)),
        ({"probes": {"label": PARAPHRASES[0]}}, PARAPHRASES),
        ({"paraphrases": "p.txt"}, (REFUSAL, "Never", "No")),
        ({"probes": {"label": "I won't"}, "paraphrases": "p.txt"}, ("I won't", "Never", "No")),
        ({"forget": "tofu"}, ()),
        ({"forget": "tofu", "probes": {"label": "I don't know"}}, ("I don't know",)),
        (
            {"forget": "tofu", "probes": {"label": "I don't know"}, "paraphrases": "p.txt"},
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
        (
            {"probes": {"label": " "}},
            None,
            "probes.label: expected the beginning of an answer; got an",
        ),
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
            {"probes": {"label": "B"}},
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
            "paraphrases: expected with --probes.label, as the stage tofu has no label; add one",
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
        match=f"attention: expected auto, eager or sdpa on a CPU; {named} needs a GPU",
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
        ({"learning": {"lr": -1.0}}, "learning.lr: expected a number > 0; got -1.0"),
        (
            {"probes": {"colour": 1}},
            "probes: expected one of every, label, .*, max_tokens, prompt; got 'colour'",
        ),
        (
            {"probes": {"label": 1}},
            "probes.label: expected a text; got 1",
        ),
        ({"probes": {"samples": 2.5}}, "probes.samples: expected a whole number; got 2.5"),
        (
            {"probes": {"parameters": 0.5}},
            "probes.parameters: expected True or False; got 0.5",
        ),
        ({"probes": {"every": 0}}, "probes.every: expected a number > 0; got 0"),
        (
            {"probes": {"prompt": "Reckon."}},
            r"probes.prompt: expected \{question\} in it; got 'Reckon.'",
        ),
        ({"device": "cuda"}, "device: expected a CUDA GPU; torch finds none: take cpu"),
        ({"device": "tpu"}, "device: expected one of auto, cpu, cuda; got 'tpu'"),
        (
            {"adaptation": {"kind": "prefix"}},
            "adaptation.kind: expected one of full, lora, qlora; got 'prefix'",
        ),
        (
            {"adaptation": {"kind": "lora", "rank": 0}},
            "adaptation.rank: expected at least 1; got 0",
        ),
        (
            {"adaptation": {"alpha": 8}},
            "adaptation.alpha: expected with --adaptation.kind lora or qlora; all weights are "
            "trained: leave it out",
        ),
        ({"adaptation": {"dropout": 0.1}}, "adaptation.dropout: expected with --adaptation.kind"),
        ({"adaptation": {"targets": ["q_proj"]}}, "adaptation.targets: expected with --adaptation"),
        (
            {"adaptation": {"kind": "lora", "dropout": 1.5}},
            "adaptation.dropout: expected 0 or more and less than 1; got 1.5",
        ),
        ({"adaptation": {"kind": "lora", "alpha": 0}}, "adaptation.alpha: expected a number > 0"),
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
            {"adaptation": {"rank": 8}, "preset": "embedded"},
            "adaptation.rank: expected with --adaptation.kind lora or qlora; all weights are",
        ),
        (
            {"adaptation": {"new_adapter_each_stage": True}},
            "adaptation.new-adapter-each-stage: expected with --adaptation.kind lora or qlora",
        ),
        ({"precision": "fp16"}, "precision: expected one of fp32, bf16; got 'fp16'"),
        (
            {"precision": "bf16"},
            "precision: expected fp32 for full fine-tuning.* take an adapter .--adaptation.kind",
        ),
        (
            {"adaptation": {"kind": "qlora"}, "probes": {"parameters": 1}},
            "probes.parameters: expected full fine-tuning or LoRA; got qlora, whose weights are "
            "NF4",
        ),
        ({"adaptation": "lora"}, "adaptation: expected values by field, as in .*; got 'lora'"),
        ({"learning": 1e-4}, "learning: expected values by field .lr, epochs, .*; got 0.0001"),
        ({"unlearning": {"rate": 1}}, "unlearning: expected one of lr, epochs, .*; got 'rate'"),
        ({"learning": {"lr": "fast"}}, "learning.lr: expected a number; got 'fast'"),
        ({"learning": {"lr": math.nan}}, "learning.lr: expected a number; got nan"),
        ({"learning": {"micro_batch": 0}}, "learning.micro-batch: expected at least 1; got 0"),
        ({"unlearning": {"optimizer": "adam"}}, "unlearning.optimizer: expected one of adamw, sgd"),
        (
            {"unlearning": {"schedule": "linear"}},
            "unlearning.schedule: expected one of wsd, cosine",
        ),
        ({"learning": {"warmup": -0.1}}, "learning.warmup: expected a number ≥ 0; got -0.1"),
        ({"learning": {"decay": -2}}, "learning.decay: expected a number ≥ 0; got -2.0"),
        ({"learning": {"floor": 2}}, "learning.floor: expected a number from 0 to 1; got 2.0"),
        ({"pretraining": {"lr": 0}}, "pretraining.lr: expected a number > 0; got 0.0"),
        (
            {"model": "owner/name", "pretraining": {"lr": 1}},
            "pretraining: expected to be left out, as owner/name is pretrained already",
        ),
        (
            {"model": "owner/name", "pretraining_rows": 9},
            "pretraining-rows: expected to be left out, as owner/name is pretrained already",
        ),
        (
            {"adaptation": {"kind": "lora", "targets": "q_proj"}},
            "adaptation.targets: expected a sequence of texts; got 'q_proj'",
        ),
        (
            {"probes": {"paraphrases": ("No",)}},
            "probes.paraphrases: expected a file of them, as paraphrases=FILE",
        ),
        ({"shuffle": "day"}, "shuffle: expected one of stage, epoch; got 'day'"),
        ({"retained": 0}, "retained: expected at least 1; got 0"),
        ({"pretraining_rows": 0}, "pretraining-rows: expected at least 1; got 0"),
        *(
            ({"probes": {name: number}}, f"probes.{name.replace('_', '-')}: expected")
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


def test_a_value_is_read_as_its_fields_type_and_none_leaves_the_field() -> None:
    """Notebooks give 1 for 1.0, lists for tuples, and numbers of NumPy."""
    changes = {"lr": 1, "batch": np.int64(8), "warmup": np.float32(0.5), "epochs": None}
    changed = replaced(Recipe(lr=0.1, epochs=3), changes, "learning")
    assert changed == Recipe(lr=1.0, epochs=3, batch=8, warmup=0.5)
    kinds = [type(value) for value in (changed.lr, changed.batch, changed.warmup)]
    assert kinds == [float, int, float]


def test_a_nested_dataclass_takes_a_mapping() -> None:
    settings = Settings(EMBEDDED["tiny-llama"])
    changed = replaced(settings, {"probes": {"every": 7}, "unlearning": {"lr": 0.5}})
    assert changed.probes == replace(settings.probes, every=7)
    assert changed.unlearning == replace(settings.unlearning, lr=0.5)
    with pytest.raises(InputError, match=r"^unlearning\.lr: expected a number > 0; got -1.0$"):
        replaced(settings, {"unlearning": {"lr": -1}})
    with pytest.raises(InputError, match=r"^settings: expected one of model, adaptation, "):
        replaced(settings, {"speed": 11})
