"""Scoring against one plain forward pass per phrase, for every kind of model and attention that is
scored.

Log-probabilities are of size 10 to 40; rounding is about 4e-6, the bound 1e-5 of each.
"""

import itertools

import pytest
import torch

from llm import models
from llm.data import chat
from llm.data.chat import Row
from llm.lab.lab import Lab
from llm.measuring import packing
from llm.models import Architecture
from llm.training import logprobs
from protocol.errors import InputError

PROMPTS = [[5, 6, 7], [8, 9, 10, 11, 12, 13, 14, 15], [3]]
# uneven lengths; three share a beginning, one of them is the beginning of another; one stands there
# twice
COMPLETIONS = [[20, 21], [30], [20, 21, 22, 23, 24, 25], [20, 40, 41], [30]]


def plain(model, prompt, completion) -> float:
    """log π(completion | prompt) by one forward pass over the whole sequence, all logits."""
    ids = torch.tensor([prompt + completion])
    logp = torch.log_softmax(model(input_ids=ids).logits[0], dim=-1)
    return sum(float(logp[len(prompt) + i - 1, token]) for i, token in enumerate(completion))


def built(family: str, *, tied: bool, kv_heads: int, attention: str):
    """A small model with sharp attention, biases other than 0 and norms other than 1, or mistakes
    would not show.
    """
    arch = Architecture(family, 32, 2, 4, kv_heads, intermediate=48, vocabulary=64, tied=tied)
    model, draw = models.build(arch, seed=1).eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.5 * torch.randn(parameter.shape, generator=draw))
            else:
                parameter.mul_(8)
    model.set_attn_implementation(attention)
    return model


KINDS = list(
    itertools.product(("llama", "qwen2"), ("tied", "untied"), (1, 2, 4), ("sdpa", "eager"))
)


@pytest.fixture(params=KINDS, ids=lambda kind: "{}, {}, {} of 4 heads, {}".format(*kind))
def model(request):
    family, heads, kv_heads, attention = request.param
    return built(family, tied=heads == "tied", kv_heads=kv_heads, attention=attention)


@torch.no_grad()
def test_packed_scoring_equals_one_plain_forward_per_phrase(model) -> None:
    summed, length = packing.completion_logprobs(model, PROMPTS, COMPLETIONS)
    expected = torch.tensor([[plain(model, prompt, c) for c in COMPLETIONS] for prompt in PROMPTS])
    assert length.tolist() == [2, 1, 6, 3, 1]
    torch.testing.assert_close(summed, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_neither_other_prompts_nor_other_completions_nor_chunks_change_a_score(
    model, monkeypatch
) -> None:
    whole, _ = packing.completion_logprobs(model, PROMPTS, COMPLETIONS)
    for n, prompt in enumerate(PROMPTS):
        for k, completion in enumerate(COMPLETIONS):
            alone, _ = packing.completion_logprobs(model, [prompt], [completion])
            torch.testing.assert_close(alone[0, 0], whole[n, k], rtol=1e-5, atol=1e-5)
    monkeypatch.setattr(packing, "CHUNK", 1)
    torch.testing.assert_close(
        packing.completion_logprobs(model, PROMPTS, COMPLETIONS)[0], whole, rtol=1e-5, atol=1e-5
    )


@torch.no_grad()
def test_answers_of_rows_padding_and_order_change_nothing(model) -> None:
    rows = [Row(tuple(p), tuple(c)) for p, c in zip(PROMPTS, COMPLETIONS, strict=False)]
    expected = torch.tensor([plain(model, list(row.prompt), list(row.answer)) for row in rows])
    summed, length = logprobs.row_logprobs(model, rows, pad=0)
    torch.testing.assert_close(summed, expected, rtol=1e-5, atol=1e-5)
    assert length.tolist() == [2, 1, 6]
    backwards, _ = logprobs.row_logprobs(model, rows[::-1], pad=0, chunk=2)
    torch.testing.assert_close(backwards.flip(0), summed, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@torch.no_grad()
def test_a_loaded_model_attends_as_asked_and_scores_alike(tmp_path, attention) -> None:
    saved = built("llama", tied=True, kv_heads=2, attention="sdpa")
    models.save(saved, tmp_path)
    loaded = models.load(tmp_path, attention=attention)
    assert loaded.config._attn_implementation == attention
    expected, _ = packing.completion_logprobs(saved, PROMPTS, COMPLETIONS)
    scored, _ = packing.completion_logprobs(loaded, PROMPTS, COMPLETIONS)
    torch.testing.assert_close(scored, expected, rtol=1e-5, atol=1e-5)


def test_bad_input_is_named() -> None:
    model = built("llama", tied=True, kv_heads=2, attention="sdpa")
    with pytest.raises(InputError, match="prompts: expected at least one list of token ids"):
        packing.completion_logprobs(model, [], COMPLETIONS)
    with pytest.raises(
        InputError, match="completions: expected at least one list of token ids, none of them empty"
    ):
        packing.completion_logprobs(model, PROMPTS, [[1], []])


@torch.no_grad()
def test_logits_are_computed_at_answer_tokens_only(lab: Lab) -> None:
    model = lab.model(("inst",))
    rows = chat.encode_all(lab.base.format, lab.rows("math").train[:4])
    batch = logprobs.collate(rows, pad=0)
    logits = logprobs.answer_logits(model, batch)
    assert logits.shape == (sum(len(row.answer) for row in rows), model.config.vocab_size)
    full = model(input_ids=batch.tokens, attention_mask=batch.attention).logits
    torch.testing.assert_close(logits, full[batch.row, batch.column], rtol=1e-4, atol=1e-5)
