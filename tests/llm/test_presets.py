"""Presets: what they are by the paper, its Table 2 and its code, and that each makes updates as long as it says."""

from dataclasses import replace

import micro
import pytest
import torch
from safetensors.torch import load_file

from llm.experiments import depth
from llm.measuring import Start
from llm.methods import METHODS
from llm.models import Pretrained
from llm.models.adapters import PROJECTIONS, trainable
from llm.nodes import leaf, node, node_folder
from llm.options import Options, base_experiment, preset_of, settings_of
from llm.presets import STAGES
from llm.stages import Lab
from llm.unlearning import unlearned
from paper_figs import published
from protocol.errors import InputError
from protocol.spec import canonical

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
def test_every_preset_makes_an_update_of_a_stage_and_one_of_unlearning(lab: Lab, preset, learned, unlearned_by) -> None:
    """AdamW's first step moves a weight of gradient g by lr·f₀·|g|/(|g| + 1e-8), so the farthest by lr·f₀.

    f₀ is the first factor of the warm-up, one update of WSD (1/2), 10 or 5 updates in the authors' code (1/11, 1/6).
    An adapter's B starts at 0: what it holds after one update is its step.
    """
    lab = replace(lab, experiment=micro.shrunk(base_experiment("tiny-llama", replace(FEW, preset=preset))))
    adaptation, order = lab.settings.adaptation, ("safety@1",)
    if adaptation.kind == "full":
        step = moved(list(node(lab, ()).parameters()), list(node(lab, order).parameters()))
    else:
        adapter = load_file(node_folder(lab, order) / "adapter_model.safetensors")
        names = [name for name in adapter if "lora_B" in name]
        assert {next(p for p in PROJECTIONS if f".{p}." in name) for name in names} == set(adaptation.targets)
        step = max(float(adapter[name].abs().max()) for name in names)
    assert step == pytest.approx(learned, rel=0.02)
    start = Start(lab, order)
    before = trainable(leaf(lab, order))
    norm, model = next(unlearned(start, METHODS["GA"]))
    assert norm is not None and norm > 0
    assert moved(before, trainable(model)) == pytest.approx(unlearned_by, rel=0.02)


@pytest.mark.parametrize(("preset", "kind"), [("embedded", "full"), ("paper", "qlora")])
def test_the_depth_of_a_preset_makes_an_update_of_each(lab: Lab, preset, kind) -> None:
    (experiment,) = depth("tiny-llama", Options(preset=preset, seeds=1))
    lab = replace(lab, experiment=micro.shrunk(experiment))
    assert lab.settings.adaptation.kind == kind
    start = Start(lab, ("U@1",))
    before = trainable(leaf(lab, start.order))
    norm, model = next(unlearned(start, METHODS["GA"]))
    assert norm is not None and norm > 0
    assert moved(before, trainable(model)) > 0


PAPERS = {
    "Llama1B": "llama-3.2-1b", "Llama8B": "llama-3.1-8b", "Llama13B": "llama-2-13b", "Qwen1B": "qwen2.5-1.5b",
    "Qwen14B": "qwen2.5-14b",
}  # fmt: skip


def test_the_papers_models_have_table_2s_settings() -> None:
    """Published: learning rates and batches of learning and unlearning, rank and alpha, by model."""
    table = published.table2()
    assert set(table["model"]) == set(PAPERS)
    for row in table.iter_rows(named=True):
        settings = settings_of(PAPERS[row["model"]], Options())
        how, adapter = settings.unlearning, settings.adaptation
        learned = {(stage.training.lr, stage.training.batch) for stage in settings.stages.values()}
        assert learned == {(float(row["sft_lr"]), int(row["sft_batch"]))}
        assert (how.lr, how.batch) == (float(row["unlearn_lr"]), int(row["unlearn_batch"]))
        assert (adapter.kind, adapter.rank, adapter.alpha) == ("lora", int(row["lora_rank"]), int(row["lora_alpha"]))


def test_the_paper_preset_is_section_4() -> None:
    """4000 instructions for 10 epochs, 4000 TOFU answers for 4, 8000 sums for 2, 4500 refusals for 2; WSD with 2% at
    both ends, AdamW; LoRA on all projections; one epoch of unlearning: ⌈4500/128⌉ = 36 updates.
    """
    experiment = base_experiment("llama-3.2-1b", Options())
    settings = experiment.settings
    assert {name: (stage.train, stage.training.epochs) for name, stage in settings.stages.items()} == {
        "inst": (4000, 10), "tofu": (4000, 4), "math": (8000, 2), "safety": (4500, 2),
    }  # fmt: skip
    how = [settings.unlearning, *(stage.training for stage in settings.stages.values())]
    assert {(each.schedule, each.warmup, each.decay, each.floor) for each in how} == {("wsd", 0.02, 0.02, 0)}
    assert {each.optimizer for each in how} == {"adamw"}
    assert (settings.unlearning.epochs, experiment.steps) == (1, 36)
    assert settings.adaptation.targets == PROJECTIONS
    assert settings.model == Pretrained("meta-llama/Llama-3.2-1B", template="meta-llama/Llama-3.2-1B-Instruct")
    assert (settings.shuffle, settings.probes.label) == ("stage", "Sorry, I can not assist you")


AUTHORS = base_experiment("llama-3.2-1b", Options(preset="authors-code"))


def test_the_authors_code_differs_where_it_does() -> None:
    """Epochs 8/2/2/5 at 5e-5, cosine after 10 updates, batch 64; unlearning by 160, 5 updates up, the last 80% down to
    0.1; no adapter on the keys; shuffled by the running epoch; a system message; a shorter label.
    """
    settings = AUTHORS.settings
    assert [stage.training.epochs for stage in settings.stages.values()] == [8, 2, 2, 5]
    assert {
        (how.lr, how.schedule, how.warmup, how.batch) for how in (s.training for s in settings.stages.values())
    } == {(5e-5, "cosine", 10, 64)}
    how = settings.unlearning
    assert (how.batch, how.schedule, how.warmup, how.decay, how.floor) == (160, "wsd", 5, 0.8, 0.1)
    assert set(PROJECTIONS) - set(settings.adaptation.targets) == {"k_proj"}
    assert (settings.shuffle, settings.probes.label) == ("epoch", "Sorry, I can not assist")
    assert settings.model.system == "You are a helpful assistant."


def test_the_authors_code_averages_ga_over_tokens() -> None:
    reductions = {method.name: method.reduction for method in AUTHORS.methods}
    assert (reductions["GA"], reductions["NPO"], reductions["SimNPO"]) == ("tokens", "mean", "mean")


@pytest.mark.parametrize(
    ("model", "preset"),
    [("tiny-qwen2", "embedded"), ("llama-3.1-8b", "paper"), ("owner/name", "embedded"), (".", "embedded")],
)
def test_a_model_has_its_preset(model, preset) -> None:
    assert preset_of(model, Options()) == preset
    assert canonical(settings_of(model, Options())) == canonical(settings_of(model, Options(preset=preset)))


def test_the_depth_of_a_preset_that_has_none_is_one_line() -> None:
    with pytest.raises(InputError, match="preset: expected one of embedded, paper; got 'authors-code'"):
        depth("tiny-llama", Options(preset="authors-code"))
