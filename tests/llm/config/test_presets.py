"""Presets: what they are by the paper, its Table 2 and its code, and that each makes updates as
long as it says.
"""

from dataclasses import replace

import micro
import pytest
import torch
from safetensors.torch import load_file

from llm.config.experiments import depth, positions
from llm.config.methods import METHODS
from llm.config.options import Options, base_experiment, preset_of, settings_of
from llm.config.presets import STAGES
from llm.config.public import PUBLIC, STYLES
from llm.config.settings import Files
from llm.data import purposes
from llm.lab.lab import Lab
from llm.lab.start import Start
from llm.models import Pretrained
from llm.models.adapters import Adaptation, trainable
from llm.models.catalogue import CATALOGUE
from llm.training.unlearning import unlearned
from paper_figs.published import numbers
from protocol.errors import InputError
from protocol.spec import canonical

# All linear layers of a Llama's decoder: what no named target means.
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
FEW = Options(seeds=1, rows=dict.fromkeys(STAGES, 40), held_out=dict.fromkeys(STAGES, 4))


def moved(before: list[torch.Tensor], after: list[torch.Tensor]) -> float:
    """The largest change of a weight."""
    return max(float((b - a).detach().abs().max()) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("preset", "learned", "unlearned_by"),
    [
        ("embedded", 5e-4 / 2, 2e-4 / 2),
        ("paper", 1e-5 / 2, 1e-5 / 2),
        ("authors-code", 5e-5 / 11, 1e-5 / 6),
    ],
)
def test_every_preset_makes_an_update_of_a_stage_and_one_of_unlearning(
    lab: Lab, preset, learned, unlearned_by
) -> None:
    """AdamW's first step moves a weight of gradient g by lr·f₀·|g|/(|g| + 1e-8), so the farthest by
    lr·f₀.

    f₀ is the first factor of the warm-up, one update of WSD (1/2), 10 or 5 updates in the authors'
    code (1/11, 1/6). An adapter's B starts at 0: what it holds after one update is its step.
    """
    lab = replace(
        lab, experiment=micro.shrunk(base_experiment("tiny-llama", replace(FEW, preset=preset)))
    )
    adaptation, order = lab.settings.adaptation, ("safety@1",)
    if adaptation.kind == "full":
        step = moved(list(lab.model(()).parameters()), list(lab.model(order).parameters()))
    else:
        adapter = load_file(lab.folder(order) / "adapter_model.safetensors")
        names = [name for name in adapter if "lora_B" in name]
        assert {next(p for p in PROJECTIONS if f".{p}." in name) for name in names} == set(
            adaptation.targets or PROJECTIONS
        )
        step = max(float(adapter[name].abs().max()) for name in names)
    assert step == pytest.approx(learned, rel=0.02)
    start = Start(lab, order)
    before = trainable(lab.leaf(order))
    norm, model = next(unlearned(start, METHODS["GA"]))
    assert norm is not None and norm > 0
    assert moved(before, trainable(model)) == pytest.approx(unlearned_by, rel=0.02)


@pytest.mark.parametrize(("preset", "kind"), [("embedded", "full"), ("paper", "qlora")])
def test_the_depth_of_a_preset_makes_an_update_of_each(lab: Lab, preset, kind) -> None:
    (experiment,) = depth("tiny-llama", Options(preset=preset, seeds=1))
    lab = replace(lab, experiment=micro.shrunk(experiment))
    assert lab.settings.adaptation.kind == kind
    start = Start(lab, ("U@1",))
    before = trainable(lab.leaf(start.order))
    norm, model = next(unlearned(start, METHODS["GA"]))
    assert norm is not None and norm > 0
    assert moved(before, trainable(model)) > 0


PAPERS = {
    "Llama1B": "llama-3.2-1b",
    "Llama8B": "llama-3.1-8b",
    "Llama13B": "llama-2-13b",
    "Qwen1B": "qwen2.5-1.5b",
    "Qwen14B": "qwen2.5-14b",
}


def test_the_papers_models_have_table_2s_settings() -> None:
    """Published by model: rates and batches of learning and unlearning, rank and alpha."""
    table = numbers.table2()
    assert set(table["model"]) == set(PAPERS)
    for row in table.iter_rows(named=True):
        settings = settings_of(PAPERS[row["model"]], Options())
        how, adapter = settings.unlearning, settings.adaptation
        learned = {(stage.recipe.lr, stage.recipe.batch) for stage in settings.stages.values()}
        assert learned == {(float(row["sft_lr"]), int(row["sft_batch"]))}
        assert (how.lr, how.batch) == (float(row["unlearn_lr"]), int(row["unlearn_batch"]))
        assert (adapter.kind, adapter.rank, adapter.alpha) == (
            "lora",
            int(row["lora_rank"]),
            int(row["lora_alpha"]),
        )


def test_the_paper_preset_is_section_4() -> None:
    """4000 instructions for 10 epochs, 4000 TOFU answers for 4, then sums and refusals for 2, as
    many as there are in public (the paper tells of 8000 and 4500); WSD with 2% at both ends, AdamW;
    LoRA on all projections; one epoch of unlearning: ⌈4410/128⌉ = 35 updates.
    """
    experiment = base_experiment("llama-3.2-1b", Options())
    settings = experiment.settings
    assert {
        name: (stage.train, stage.recipe.epochs) for name, stage in settings.stages.items()
    } == {
        "inst": (4000, 10),
        "tofu": (4000, 4),
        "math": (7000, 2),
        "safety": (4410, 2),
    }
    how = [settings.unlearning, *(stage.recipe for stage in settings.stages.values())]
    assert {(each.schedule, each.warmup, each.decay, each.floor) for each in how} == {
        ("wsd", 0.02, 0.02, 0)
    }
    assert {each.optimizer for each in how} == {"adamw"}
    assert (settings.unlearning.epochs, experiment.steps) == (1, 35)
    assert settings.adaptation.targets == Adaptation().targets
    assert settings.model == Pretrained(
        "meta-llama/Llama-3.2-1B", template="meta-llama/Llama-3.2-1B-Instruct"
    )
    assert settings.shuffle == "stage"
    assert settings.probes.phrases("safety")[0] == "Sorry, I can not assist you"


# Rows of the public files: TOFU and GSM8K by their cards (GSM8K's rewritten ones are counted in
# test_rows.py); 4,000 and 1,000 of Instruct-SkillMix by their names; SORRY-Bench 450 questions in
# 21 styles, of which seven are left out.
HAVE = {
    "inst": (4000, 1000),
    "tofu": (4000, 100 + 117),
    "math": (7001, 1319),
    "safety": (315 * 14, 135 * 14),
}


@pytest.mark.parametrize("preset", ["paper", "authors-code"])
def test_no_preset_asks_for_more_rows_than_the_public_files_have(preset) -> None:
    stages = settings_of("llama-3.2-1b", Options(preset=preset)).stages
    for name, (train, held_out) in HAVE.items():
        assert stages[name].train <= train and stages[name].held_out <= held_out, name
        assert stages[name].files == PUBLIC[name]
    assert len(PUBLIC["safety"].train) == 14, "the base, and 20 styles but for seven"
    assert len({*STYLES, *purposes.STYLES}) == len(STYLES) + len(purposes.STYLES) == 20


@pytest.mark.parametrize("preset", ["paper", "authors-code"])
def test_an_embedded_model_learns_generated_rows_under_every_preset(preset) -> None:
    assert not any(
        stage.files for stage in settings_of("tiny-llama", Options(preset=preset)).stages.values()
    )


def test_files_of_ones_own_take_the_place_of_the_public_ones() -> None:
    stages = settings_of("llama-3.2-1b", Options(data={"math": "a.jsonl"})).stages
    assert (stages["math"].files, stages["tofu"].files) == (Files(("a.jsonl",)), PUBLIC["tofu"])


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("case", [str, str.lower, str.upper])
def test_a_hub_id_in_any_case_is_the_catalogues_model(name, case) -> None:
    """Preset, rank, batch, rates and template hang on the entry, and records name it as the
    catalogue does.
    """
    paper = CATALOGUE[name]
    assert positions(case(paper.hub_id), Options()) == positions(name, Options())
    assert positions(case(name), Options()) == positions(name, Options())
    instruct, base = settings_of(case(paper.sibling), Options()), settings_of(name, Options())
    assert instruct.model == Pretrained(paper.sibling), "its template is its own"
    assert replace(instruct, model=base.model) == base
    assert base_experiment(case(paper.sibling), Options()).model == paper.sibling


def test_a_directory_with_a_model_of_the_papers_in_it_is_not_guessed(tmp_path) -> None:
    folder = tmp_path / "llama-3.2-1b"
    folder.mkdir()
    (folder / "config.json").write_text(
        '{"_name_or_path": "meta-llama/Llama-3.2-1B"}', encoding="utf-8"
    )
    assert preset_of(str(folder), Options()) == "embedded"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"preset": "paper"},
            "rank 16, alpha 32; learning lr 1e-05 in batches of 128; "
            "unlearning lr 1e-05 in batches of 128",
        ),
        (
            {
                "preset": "authors-code",
                "adaptation": {"rank": 4},
                "learning": {"batch": 9},
                "unlearning": {"batch": 7},
            },
            "rank 4, alpha 8; learning lr 5e-05 in batches of 9; "
            "unlearning lr 1e-05 in batches of 7",
        ),
        (
            {"preset": "paper", "adaptation": {"kind": "full"}},
            "all weights; learning lr 1e-05 in batches of 128; "
            "unlearning lr 1e-05 in batches of 128",
        ),
    ],
)
def test_a_preset_of_the_paper_says_what_an_unknown_model_takes(options, said, monkeypatch) -> None:
    notices: list[str] = []
    monkeypatch.setattr("llm.config.options.notice", notices.append)
    positions("o/unknown", Options(**options))
    preset = options["preset"]
    assert notices == [f"preset {preset}: Table 2 has no o/unknown; taken: {said}"]


@pytest.mark.parametrize(
    "model", ["tiny-llama", "llama-3.2-1b", "META-LLAMA/llama-3.2-1b", "o/unknown"]
)
def test_nothing_is_said_where_nothing_is_taken_in_silence(model, monkeypatch) -> None:
    """Of the embedded and the paper's models, of an unknown one without the paper's preset, and of
    the depth's own.
    """
    notices: list[str] = []
    monkeypatch.setattr("llm.config.options.notice", notices.append)
    positions(model, Options())
    depth("o/unknown", Options(preset="paper"))
    assert notices == []


@pytest.mark.parametrize("preset", ["paper", "authors-code"])
def test_simnpo_of_the_paper_has_beta_1_and_the_one_that_acts_another_name(preset) -> None:
    methods = {
        method.name: method
        for method in base_experiment("llama-3.2-1b", Options(preset=preset)).methods
    }
    assert list(methods) == ["GA", "NPO", "SimNPO", "SimNPO-original", "SimNPO-beta0.2"]
    assert {
        name: (m.objective, dict(m.constants)) for name, m in methods.items() if "SimNPO" in name
    } == {
        "SimNPO": ("simnpo", {"beta": 1.0}),
        "SimNPO-beta0.2": ("simnpo", {"beta": 0.2}),
        "SimNPO-original": ("simnpo_normalized", {"beta": 2.5, "gamma": 0.0}),
    }
    with pytest.raises(
        InputError,
        match=f"methods: expected SimNPO, whose β is 1 under the preset {preset}; got 'SimNPO-b",
    ):
        base_experiment("llama-3.2-1b", Options(preset=preset, methods=("GA", "SimNPO-beta1")))
    assert methods["SimNPO-beta0.2"].constants == METHODS["SimNPO"].constants, (
        "the β of the embedded preset"
    )


AUTHORS = base_experiment("llama-3.2-1b", Options(preset="authors-code"))


def test_the_authors_code_differs_where_it_does() -> None:
    """Epochs 8/2/2/5 at 5e-5, cosine after 10 updates, batch 64; unlearning by 160, 5 updates up,
    the last 80% down to 0.1; no adapter on the keys; shuffled by the running epoch; a system
    message; a shorter label.
    """
    settings = AUTHORS.settings
    assert [stage.recipe.epochs for stage in settings.stages.values()] == [8, 2, 2, 5]
    assert {
        (how.lr, how.schedule, how.warmup, how.batch)
        for how in (s.recipe for s in settings.stages.values())
    } == {(5e-5, "cosine", 10, 64)}
    how = settings.unlearning
    assert (how.batch, how.schedule, how.warmup, how.decay, how.floor) == (160, "wsd", 5, 0.8, 0.1)
    assert set(PROJECTIONS) - set(settings.adaptation.targets) == {"k_proj"}
    assert (settings.shuffle, settings.probes.phrases("safety")[0]) == (
        "epoch",
        "Sorry, I can not assist",
    )
    assert settings.model.system == "You are a helpful assistant."


def test_the_authors_code_averages_ga_over_tokens() -> None:
    reductions = {method.name: method.reduction for method in AUTHORS.methods}
    assert (reductions["GA"], reductions["NPO"], reductions["SimNPO"]) == ("tokens", "mean", "mean")


@pytest.mark.parametrize(
    ("model", "preset"),
    [
        ("tiny-qwen2", "embedded"),
        ("llama-3.1-8b", "paper"),
        ("owner/name", "embedded"),
        (".", "embedded"),
    ],
)
def test_a_model_has_its_preset(model, preset) -> None:
    assert preset_of(model, Options()) == preset
    assert canonical(settings_of(model, Options())) == canonical(
        settings_of(model, Options(preset=preset))
    )


def test_the_depth_of_a_preset_that_has_none_is_one_line() -> None:
    with pytest.raises(
        InputError, match="preset: expected one of embedded, paper; got 'authors-code'"
    ):
        depth("tiny-llama", Options(preset="authors-code"))


@pytest.mark.parametrize("preset", ["paper", "authors-code"])
def test_an_embedded_model_takes_the_papers_presets_at_its_own_size(preset) -> None:
    """Trained as the paper does it, on as many generated rows as there are, with answers that fit
    its context.
    """
    chosen, own = (settings_of("tiny-llama", Options(preset=name)) for name in (preset, "embedded"))
    assert {n: (s.train, s.held_out, s.files) for n, s in chosen.stages.items()} == {
        n: (s.train, s.held_out, None) for n, s in own.stages.items()
    }
    assert (chosen.probes.sums, chosen.probes.max_tokens) == (
        own.probes.sums,
        own.probes.max_tokens,
    )
    assert chosen.adaptation.kind == "lora"
