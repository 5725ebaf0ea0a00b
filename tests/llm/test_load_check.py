"""The one check of a loaded model: what it measures, what it refuses, how it is kept, and what is said of it."""

from dataclasses import replace
from pathlib import Path

import architectures
import pytest
import torch

from llm import load_check, nodes, packing, probes, scoring
from llm.chat import Row
from llm.load_check import Checked
from llm.models import Architecture, build
from llm.models.adapters import Adaptation
from protocol.errors import InputError

ROWS = [Row((5, 6, 7, 8, 9, 10, 11, 12), (20, 21, 22, 2)), Row((5,), (30, 2))]
PHRASES = [(20, 21), (20, 22, 23), (30,)]


@pytest.fixture
def model():
    """A small model with sharp attention, so that what is left out of a row shows."""
    made = build(Architecture("llama", 32, 2, 4, 2, 48, vocabulary=64), seed=1).eval()
    with torch.no_grad():
        for weight in made.parameters():
            if weight.ndim > 1:
                weight.mul_(8)
    return made


@torch.no_grad()
def test_the_error_is_relative_to_the_larger_of_1_and_the_value() -> None:
    """|−20.2 + 20| / 20 = 0.01; |−0.3 + 0.1| / 1 = 0.2; what is not finite is NaN or more than any limit."""
    assert load_check.error_of(torch.tensor([-20.2]), torch.tensor([-20.0])) == pytest.approx(0.01, rel=1e-5)
    assert load_check.error_of(torch.tensor([-20.2, -0.3]), torch.tensor([-20.0, -0.1])) == pytest.approx(0.2, rel=1e-5)
    assert not load_check.error_of(torch.tensor([torch.nan]), torch.tensor([-1.0])) <= 1e9
    assert not load_check.error_of(torch.tensor([-1.0]), torch.tensor([-torch.inf])) <= 1e9


@torch.no_grad()
def test_a_model_that_is_scored_as_it_predicts_passes(model) -> None:
    assert load_check.check_rows(model, ROWS, limit=1e-3) < 1e-5
    assert load_check.packing_fault(model, ROWS, PHRASES, limit=1e-3) is None


@torch.no_grad()
def test_a_scorer_that_goes_around_the_models_logits_is_refused(model, monkeypatch) -> None:
    """Logits of half the size, as if a model's scale were lost."""
    own = scoring.answer_logits
    monkeypatch.setattr(scoring, "answer_logits", lambda *parts: own(*parts) / 2)
    with pytest.raises(InputError, match="model: expected padded rows to be scored as each row alone"):
        load_check.check_rows(model, ROWS, limit=1e-3)


@torch.no_grad()
def test_predictions_that_see_later_tokens_are_refused() -> None:
    with pytest.raises(InputError, match="model: expected a causal language model, whose predictions do not depend on"):
        load_check.check_rows(architectures.built("bert"), ROWS, limit=1e-3)


@torch.no_grad()
def test_a_model_without_finite_numbers_is_refused(model) -> None:
    model.lm_head.weight.fill_(torch.nan)
    with pytest.raises(InputError, match="log-probabilities differ by nan"):
        load_check.check_rows(model, ROWS, limit=1e-3)


@torch.no_grad()
def test_an_adapter_that_acts_only_when_merged_is_refused(model) -> None:
    """A layer whose weight is read past the layer, as Mamba's dt_proj is."""
    load_check.adapters.attach(model, Adaptation("lora", rank=2), seed=(0,))
    layer = model.model.layers[0].mlp.up_proj
    layer.forward = layer.base_layer.forward
    with pytest.raises(InputError, match="model: expected an adapter to do the same merged and beside its layers"):
        load_check.check_merge(model, ROWS, limit=1e-4)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("mistral", "its attention reaches 6 tokens, a row has 11"),
        ("llama4_text", "its attention reaches 8 tokens, a row has 11"),
        ("gpt_neo", "its attention reaches 6 tokens, a row has 11"),
        ("mamba", "it has layers of linear_attention"),
        ("lfm2", "it has layers of conv"),
        ("falcon_h1", "it has layers of hybrid"),
        ("bloom", "the model does not take them packed (too many values to unpack (expected 2))"),
        ("mpt", "packed they differ by"),
        ("rwkv", "packed they differ by"),
    ],
)
@torch.no_grad()
def test_completions_are_not_packed_where_that_would_be_wrong(kind, says) -> None:
    found = load_check.packing_fault(architectures.built(kind), ROWS, PHRASES, limit=1e-3)
    assert found is not None and found.startswith(says)


@torch.no_grad()
def test_a_window_as_long_as_a_row_does_not_matter() -> None:
    """A prompt of 8 tokens and 3 of a completion: 11 fit into a window of 11, not into one of 10."""
    for window, fits in ((11, True), (10, False)):
        model = architectures.built("mistral")
        model.config.sliding_window = window
        assert (packing.obstacle(model.config, 11) is None) == fits


@torch.no_grad()
def test_an_attention_that_takes_no_masks_is_an_obstacle(model) -> None:
    model.config._attn_implementation = "flash_attention_2"
    assert (
        packing.obstacle(model.config, 5) == "its attention (flash_attention_2) takes no mask of its own for every row"
    )


def test_the_rows_of_the_check_are_the_longest_and_the_shortest_of_all_probes(lab) -> None:
    probed = probes.probe_set(lab)
    every = [*probed.forget, *probed.answered["tofu"], *probed.answered["math"]]
    every += [row for rows in probed.parts.values() for row in rows]
    lengths = [len(row.prompt) + len(row.answer) for row in every]
    found = [len(row.prompt) + len(row.answer) for row in load_check.probe_rows(probed)]
    assert found == [max(lengths), min(lengths)]


def test_the_outcome_is_kept_and_made_once(lab, monkeypatch) -> None:
    probed = probes.probe_set(lab)
    first = load_check.checked(lab, probed)
    assert first.packed and first.why_not == "" and first.worst < 1e-4
    monkeypatch.setattr(load_check, "_check", None)
    assert load_check.checked(lab, probed) == first


def test_another_adaptation_or_other_phrases_are_checked_anew(lab, monkeypatch) -> None:
    """Neither is said to be right on the strength of the other's check."""
    load_check.checked(lab, probes.probe_set(lab))
    adapted = replace(lab, experiment=replace(lab.experiment, settings=replace(
        lab.settings, adaptation=Adaptation("lora", rank=2)
    )))  # fmt: skip
    asked: list[str] = []

    def record(lab, *_) -> Checked:
        asked.append(lab.settings.adaptation.kind)
        return Checked(True, "", "", 0.0)

    monkeypatch.setattr(load_check, "_check", record)
    load_check.checked(adapted, probes.probe_set(adapted))
    load_check.checked(lab, replace(probes.probe_set(lab), phrases=((5, 6),)))
    assert asked == ["lora", "full"]


def test_what_is_said_of_a_model() -> None:
    packed = Checked(True, "", "lora of rank 2 on 4 linear layers", 0.0)
    assert packed.notices("mine") == ["mine: lora of rank 2 on 4 linear layers"]
    plain = replace(packed, packed=False, why_not="it has layers of conv")
    assert plain.notices("mine")[1] == "mine: completions are scored as plain rows: it has layers of conv"


def test_a_model_that_cannot_be_scored_at_all_is_one_line(lab, tmp_path: Path, monkeypatch) -> None:
    def broken(*_) -> None:
        raise ValueError("a shape\nthat does not fit")

    monkeypatch.setattr(load_check, "_check", broken)
    probed = replace(probes.probe_set(lab), phrases=((7, 8),))
    with pytest.raises(InputError, match=r"model: tiny-llama cannot be scored: a shape$"):
        load_check.checked(lab, probed)


@torch.no_grad()
def test_bfloat16_passes_within_its_own_rounding(lab) -> None:
    """8 bits of mantissa: the same model in bfloat16 is within 5e-2, and not within 1e-3."""
    model = nodes.node(lab, ()).bfloat16()
    rows = load_check.probe_rows(probes.probe_set(lab))
    assert load_check.check_rows(model, rows, limit=load_check.TOLERANCE["bf16"]) < 5e-2
