"""The one check of a loaded model: what it measures, what it refuses, how it is kept, and what is
said of it.
"""

from dataclasses import replace
from pathlib import Path

import architectures
import pytest
import torch

from llm.data.chat import Row
from llm.lab import load_check
from llm.lab.load_check import Checked
from llm.lab.questions import probe_set
from llm.measuring import agreement, packing
from llm.models import Architecture, adapters, build
from llm.models.adapters import Adaptation
from llm.training import logprobs
from protocol.errors import InputError

ROWS = [Row((5, 6, 7, 8, 9, 10, 11, 12), (20, 21, 22, 2)), Row((5,), (30, 2))]
PROMPTS = [row.prompt for row in ROWS]
PHRASES = [(20, 21), (20, 22, 23), (30,)]


@pytest.fixture
def model():
    """A small model with sharp attention, so that what is left out of a row shows."""
    made = build(Architecture("llama", 32, 2, 4, 2, 48, vocabulary=64, tied=False), seed=1).eval()
    with torch.no_grad():
        for weight in made.parameters():
            if weight.ndim > 1:
                weight.mul_(8)
    return made


@torch.no_grad()
def test_the_error_is_relative_to_the_larger_of_1_and_the_value() -> None:
    """|−20.2 + 20| / 20 = 0.01; |−0.3 + 0.1| / 1 = 0.2; what is not finite is NaN or more than any
    limit.
    """
    assert agreement.error_of(torch.tensor([-20.2]), torch.tensor([-20.0])) == pytest.approx(
        0.01, rel=1e-5
    )
    assert agreement.error_of(
        torch.tensor([-20.2, -0.3]), torch.tensor([-20.0, -0.1])
    ) == pytest.approx(0.2, rel=1e-5)
    assert not agreement.error_of(torch.tensor([torch.nan]), torch.tensor([-1.0])) <= 1e9
    assert not agreement.error_of(torch.tensor([-1.0]), torch.tensor([-torch.inf])) <= 1e9


@torch.no_grad()
def test_a_model_that_is_scored_as_it_predicts_passes(model) -> None:
    assert agreement.check_rows(model, ROWS, limit=1e-3) < 1e-5
    assert agreement.packing_fault(model, PROMPTS, PHRASES, limit=1e-3) is None


@torch.no_grad()
def test_a_scorer_that_goes_around_the_models_logits_is_refused(model, monkeypatch) -> None:
    """Logits of half the size, as if a model's scale were lost."""
    own = logprobs.answer_logits
    monkeypatch.setattr(logprobs, "answer_logits", lambda *parts: own(*parts) / 2)
    with pytest.raises(
        InputError, match="model: expected padded rows to be scored as each row alone"
    ):
        agreement.check_rows(model, ROWS, limit=1e-3)


@torch.no_grad()
def test_predictions_that_see_later_tokens_are_refused() -> None:
    with pytest.raises(
        InputError, match="model: expected a causal language model, whose predictions"
    ):
        agreement.check_rows(architectures.built("bert"), ROWS, limit=1e-3)


@torch.no_grad()
def test_a_model_without_finite_numbers_is_refused(model) -> None:
    model.lm_head.weight.fill_(torch.nan)
    with pytest.raises(
        InputError, match="model: expected finite log-probabilities; got nan or inf: its weights"
    ):
        agreement.check_rows(model, ROWS, limit=1e-3)


@torch.no_grad()
def test_an_adapter_that_acts_only_when_merged_is_refused(model) -> None:
    """A layer whose weight is read past the layer, as Mamba's dt_proj is."""
    adapters.attach(model, Adaptation("lora", rank=2), seed=(0,))
    layer = model.model.layers[0].mlp.up_proj
    layer.forward = layer.base_layer.forward
    with pytest.raises(
        InputError, match="model: expected an adapter to do the same merged and unmerged"
    ):
        agreement.check_merge(model, ROWS, limit=1e-4)


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
    found = agreement.packing_fault(architectures.built(kind), PROMPTS, PHRASES, limit=1e-3)
    assert found is not None and found.startswith(says)


@torch.no_grad()
def test_a_window_as_long_as_a_row_does_not_matter() -> None:
    """A prompt of 8 tokens and a completion of 3 fit into a window of 11, not of 10."""
    for window, fits in ((11, True), (10, False)):
        model = architectures.built("mistral")
        model.config.sliding_window = window
        assert (packing.obstacle(model.config, 11) is None) == fits


@torch.no_grad()
def test_an_attention_that_takes_no_masks_is_an_obstacle(model) -> None:
    model.config._attn_implementation = "flash_attention_2"
    assert (
        packing.obstacle(model.config, 5)
        == "its attention (flash_attention_2) takes no mask of its own for every row"
    )


def test_the_rows_of_the_check_are_the_longest_and_the_shortest_of_all_probes(lab) -> None:
    probed = probe_set(lab)
    every = [*probed.forget, *probed.answered["tofu"], *probed.answered["math"]]
    every += [row for rows in probed.parts.values() for row in rows]
    lengths = [len(row.prompt) + len(row.answer) for row in every]
    sample = load_check.sample_of(probed)
    found = [len(row.prompt) + len(row.answer) for row in sample.rows]
    assert found == [max(lengths), min(lengths)]
    prompts = [len(row.prompt) for row in probed.forget]
    assert [len(prompt) for prompt in sample.prompts] == [max(prompts), min(prompts)]


def test_the_outcome_is_kept_and_made_once(lab, monkeypatch) -> None:
    probed = probe_set(lab)
    first = load_check.checked(lab, probed)
    assert first.packed and first.why_not == "" and first.worst < 1e-4
    monkeypatch.setattr(load_check, "_check", None)
    assert load_check.checked(lab, probed) == first


def test_another_adaptation_or_other_phrases_are_checked_anew(lab, monkeypatch) -> None:
    """Neither is said to be right on the strength of the other's check."""
    load_check.checked(lab, probe_set(lab))
    adapted = replace(
        lab,
        experiment=replace(
            lab.experiment, settings=replace(lab.settings, adaptation=Adaptation("lora", rank=2))
        ),
    )
    asked: list[str] = []

    def record(lab, *_) -> Checked:
        asked.append(lab.settings.adaptation.kind)
        return Checked(True, "", "", 0.0)

    monkeypatch.setattr(load_check, "_check", record)
    load_check.checked(adapted, probe_set(adapted))
    load_check.checked(lab, replace(probe_set(lab), phrases=((5, 6),)))
    assert asked == ["lora", "full"]


def test_what_is_said_of_a_model() -> None:
    packed = Checked(True, "", "lora of rank 2 on 4 linear layers", 0.0)
    assert packed.notices("mine") == ["mine: lora of rank 2 on 4 linear layers"]
    plain = replace(packed, packed=False, why_not="it has layers of conv")
    assert (
        plain.notices("mine")[1]
        == "mine: completions are scored as plain rows: it has layers of conv"
    )


def test_a_model_that_cannot_be_scored_at_all_is_one_line(lab, tmp_path: Path, monkeypatch) -> None:
    def broken(*_) -> None:
        raise ValueError("a shape\nthat does not fit")

    monkeypatch.setattr(load_check, "_check", broken)
    probed = replace(probe_set(lab), phrases=((7, 8),))
    with pytest.raises(InputError, match=r"model: tiny-llama cannot be scored: a shape$"):
        load_check.checked(lab, probed)


@torch.no_grad()
def test_bfloat16_passes_within_its_own_rounding(lab) -> None:
    """8 bits of mantissa: the same model in bfloat16 is within 5e-2, and not within 1e-3."""
    model = lab.model(()).bfloat16()
    rows = load_check.sample_of(probe_set(lab)).rows
    assert agreement.check_rows(model, rows, limit=load_check.TOLERANCE["bf16"]) < 5e-2


@torch.no_grad()
def test_the_longest_prompt_of_a_label_decides_on_packing_not_the_longest_row(lab) -> None:
    """A window of 12: a row of 2 + 11 tokens is longest, but labels follow a prompt of 10, which
    the window cuts.
    """
    model = architectures.built("mistral")
    model.config.sliding_window = 12
    probed = replace(
        probe_set(lab),
        forget=(Row(tuple(range(5, 15)), (2,)),),
        answered={},
        depth={},
        phrases=((20, 21, 22),),
        parts={"inst": (Row((5, 6), tuple(range(20, 31))),)},
    )
    sample = load_check.sample_of(probed)
    assert sample.rows[0].prompt == (5, 6)
    fault = agreement.packing_fault(model, sample.prompts, sample.phrases, limit=1e-3)
    assert fault == "its attention reaches 12 tokens, a row has 13"


@torch.no_grad()
def test_bfloat16_is_held_against_the_size_of_its_logits(model) -> None:
    """Between 16 and 32 numbers of 8 bits are 0.125 apart: a right model with such logits is no
    wrong one.
    """
    model.lm_head.weight.mul_(25 / agreement.largest_logit(model, ROWS))
    model = model.bfloat16()
    scale = agreement.largest_logit(model, ROWS)
    assert 24 < scale < 26
    limit = load_check.TOLERANCE["bf16"]
    assert agreement.check_rows(model, ROWS, limit=limit, scale=scale) < limit


@torch.no_grad()
def test_bfloat16_still_finds_logits_of_another_scale(model, monkeypatch) -> None:
    """A tenth of the logits' size lost, as a multiplier of 0.9 would."""
    model = model.bfloat16()
    scale, own = agreement.largest_logit(model, ROWS), logprobs.answer_logits
    monkeypatch.setattr(logprobs, "answer_logits", lambda *parts: 0.9 * own(*parts))
    with pytest.raises(InputError, match="padded rows"):
        agreement.check_rows(model, ROWS, limit=load_check.TOLERANCE["bf16"], scale=scale)


@torch.no_grad()
def test_a_hint_of_later_tokens_is_enough() -> None:
    """BERT with the small weights it starts from: later tokens change little, yet more than
    rounding does.
    """
    model = architectures.built("bert")
    for weight in model.parameters():
        weight.mul_(0.25)
    with pytest.raises(InputError, match="model: expected a causal language model"):
        agreement.check_rows(model, ROWS, limit=1e-3)
