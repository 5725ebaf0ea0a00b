"""Scoring against one plain forward pass per phrase."""

import pytest
import torch

from llm import chat, models, scoring
from llm.chat import Row
from llm.models import Architecture
from llm.nodes import format_of, node
from llm.stages import Lab, stage_rows
from protocol.errors import InputError

PROMPTS = [[5, 6, 7], [8, 9, 10, 11, 12, 13, 14, 15], [3]]
# uneven lengths; three share a beginning, one of them is the beginning of another
COMPLETIONS = [[20, 21], [30], [20, 21, 22, 23, 24, 25], [20, 40, 41]]


def plain(model, prompt, completion) -> float:
    """log π(completion | prompt) by one forward pass over the whole sequence and its full logits."""
    ids = torch.tensor([prompt + completion])
    logp = torch.log_softmax(model(input_ids=ids).logits[0], dim=-1)
    return sum(float(logp[len(prompt) + i - 1, token]) for i, token in enumerate(completion))


@pytest.fixture(params=["llama", "qwen2"])
def model(request):
    return models.build(Architecture(request.param, vocabulary=64), seed=1).eval()


@torch.no_grad()
def test_packed_scoring_equals_one_plain_forward_per_phrase(model) -> None:
    summed, length = scoring.completion_logprobs(model, PROMPTS, COMPLETIONS)
    expected = torch.tensor([[plain(model, prompt, c) for c in COMPLETIONS] for prompt in PROMPTS])
    assert length.tolist() == [2, 1, 6, 3]
    torch.testing.assert_close(summed, expected, rtol=1e-5, atol=0)


@torch.no_grad()
def test_neither_other_prompts_nor_other_completions_nor_chunks_change_a_score(model, monkeypatch) -> None:
    whole, _ = scoring.completion_logprobs(model, PROMPTS, COMPLETIONS)
    for n, prompt in enumerate(PROMPTS):
        for k, completion in enumerate(COMPLETIONS):
            alone, _ = scoring.completion_logprobs(model, [prompt], [completion])
            torch.testing.assert_close(alone[0, 0], whole[n, k], rtol=1e-5, atol=0)
    monkeypatch.setattr(scoring, "CHUNK", 1)
    torch.testing.assert_close(scoring.completion_logprobs(model, PROMPTS, COMPLETIONS)[0], whole, rtol=1e-5, atol=0)


@torch.no_grad()
def test_answers_of_rows_padding_and_order_change_nothing(model) -> None:
    rows = [Row(tuple(p), tuple(c)) for p, c in zip(PROMPTS, COMPLETIONS, strict=False)]
    expected = torch.tensor([plain(model, list(row.prompt), list(row.answer)) for row in rows])
    summed, length = scoring.row_logprobs(model, rows, pad=0)
    torch.testing.assert_close(summed, expected, rtol=1e-5, atol=0)
    assert length.tolist() == [2, 1, 6]
    backwards, _ = scoring.row_logprobs(model, rows[::-1], pad=0, chunk=2)
    torch.testing.assert_close(backwards.flip(0), summed, rtol=1e-5, atol=0)


def test_bad_input_is_named(model) -> None:
    with pytest.raises(InputError, match="prompts: expected at least one list of token ids"):
        scoring.completion_logprobs(model, [], COMPLETIONS)
    with pytest.raises(InputError, match="completions: expected at least one list of token ids, none of them empty"):
        scoring.completion_logprobs(model, PROMPTS, [[1], []])


@torch.no_grad()
def test_logits_are_computed_at_answer_tokens_only(lab: Lab) -> None:
    model = node(lab, ("inst",))
    rows = chat.encode_all(format_of(lab), stage_rows(lab, "math").train[:4])
    batch = scoring.collate(rows, pad=0)
    logits = scoring.answer_logits(model, batch)
    assert logits.shape == (sum(len(row.answer) for row in rows), model.config.vocab_size)
    full = model(input_ids=batch.tokens, attention_mask=batch.attention).logits
    torch.testing.assert_close(logits, full[batch.row, batch.column], rtol=1e-4, atol=1e-5)
