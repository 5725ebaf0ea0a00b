"""Log-probabilities of answers under a model: the forward pass that learning, unlearning and every probe share.

Conventions: natural logarithms; logp is summed over an answer's tokens, length counts them. Logits are computed at
answer tokens only: the hidden states that predict an answer token are gathered before the output layer. B rows, S
columns, A answer tokens in the whole batch, V vocabulary, N prompts, K completions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm.chat import Row

CHUNK = 16  # prompts in one packed forward pass


class Batch(NamedTuple):
    """Rows padded on the right; `row` and `column` say where each answer token is predicted."""

    tokens: Tensor  # (B, S)
    attention: Tensor  # (B, S), 1 on tokens, 0 on padding
    row: Tensor  # (A,)
    column: Tensor  # (A,), the position before the answer token
    target: Tensor  # (A,)
    length: Tensor  # (B,), answer tokens of each row


def collate(rows: Sequence[Row], *, pad: int) -> Batch:
    """Pad rows to the longest; predicted positions run from the prompt's last token to the answer's last but one."""
    width = max(len(row.prompt) + len(row.answer) for row in rows)
    tokens = torch.full((len(rows), width), pad)  # (B, S)
    attention = torch.zeros((len(rows), width), dtype=torch.long)  # (B, S)
    for i, row in enumerate(rows):
        ids = row.prompt + row.answer
        tokens[i, : len(ids)] = torch.tensor(ids)
        attention[i, : len(ids)] = 1
    length = torch.tensor([len(row.answer) for row in rows])  # (B,)
    index = torch.repeat_interleave(torch.arange(len(rows)), length)  # (A,)
    column = torch.cat([torch.arange(len(row.answer)) + len(row.prompt) - 1 for row in rows])  # (A,)
    return Batch(tokens, attention, index, column, tokens[index, column + 1], length)


def answer_logits(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Logits (A, V) that predict the answer tokens."""
    hidden = model.model(input_ids=batch.tokens, attention_mask=batch.attention, use_cache=False)[0]  # (B, S, H)
    return model.lm_head(hidden[batch.row, batch.column])  # (A, V)


def answer_logprobs(model: PreTrainedModel, batch: Batch) -> Tensor:
    """log π(y|x) = Σ_t log π(y_t | x, y_<t) of each row, (B,), differentiable."""
    token = -torch.nn.functional.cross_entropy(answer_logits(model, batch), batch.target, reduction="none")  # (A,)
    return torch.zeros(len(batch.length)).index_add(0, batch.row, token)  # (B,)


@torch.no_grad()
def row_logprobs(model: PreTrainedModel, rows: Sequence[Row], *, pad: int, chunk: int = 64) -> tuple[Tensor, Tensor]:
    """Summed log-probabilities and lengths of many rows, each (N,), without gradients."""
    batches = [collate(rows[start : start + chunk], pad=pad) for start in range(0, len(rows), chunk)]
    return torch.cat([answer_logprobs(model, b) for b in batches]), torch.cat([b.length for b in batches])


class _Tree(NamedTuple):
    """K completions packed behind one prompt: where each token stands, what it sees, what predicts it."""

    tokens: Tensor  # (L,), all completions end to end
    offset: Tensor  # (L,), position inside its completion
    branch: Tensor  # (L,), which completion it belongs to


def _pack(completions: Sequence[Sequence[int]]) -> _Tree:
    return _Tree(
        torch.tensor([token for completion in completions for token in completion]),
        torch.cat([torch.arange(len(completion)) for completion in completions]),
        torch.repeat_interleave(torch.arange(len(completions)), torch.tensor([len(c) for c in completions])),
    )


def _tree_logprobs(model: PreTrainedModel, prompts: Sequence[Sequence[int]], tree: _Tree) -> Tensor:
    """Token log-probabilities (N, L) from one forward pass: prompts padded on the left, then every branch."""
    widths = torch.tensor([len(prompt) for prompt in prompts])  # (N,)
    width, count = int(widths.max()), len(prompts)
    padding = width - widths  # (N,)
    tokens = torch.zeros((count, width + len(tree.tokens)), dtype=torch.long)  # (N, S)
    for i, prompt in enumerate(prompts):
        tokens[i, width - len(prompt) : width] = torch.tensor(prompt)
    tokens[:, width:] = tree.tokens
    column = torch.arange(width)
    prompt_position = (column - padding[:, None]).clamp(min=0)  # (N, P)
    position = torch.cat([prompt_position, widths[:, None] + tree.offset], dim=1)  # (N, S)

    branch = torch.cat([torch.full((width,), -1), tree.branch])  # (S,)
    order = torch.arange(len(branch))
    sees = (order[:, None] >= order) & ((branch == -1) | (branch == branch[:, None]))  # (S, S), query by key
    real = order >= padding[:, None]  # (N, S)
    # A padding column sees itself, or its softmax would be over nothing.
    mask = (sees & real[:, None, :]) | torch.eye(len(order), dtype=torch.bool)  # (N, S, S)
    hidden = model.model(
        input_ids=tokens, attention_mask=mask[:, None], position_ids=position, use_cache=False
    )[0]  # (N, S, H)  # fmt: skip
    predictor = torch.where(tree.offset == 0, width - 1, width + torch.arange(len(tree.tokens)) - 1)  # (L,)
    logprobs = torch.log_softmax(model.lm_head(hidden[:, predictor]), dim=-1)  # (N, L, V)
    return logprobs.gather(2, tree.tokens.expand(count, -1)[..., None])[..., 0]  # (N, L)


@torch.no_grad()
def completion_logprobs(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
) -> tuple[Tensor, Tensor]:
    """log π(completion | prompt) of every completion after every prompt: summed (N, K) and token counts (K,).

    Packed tree attention: one forward pass holds a prompt and all completions as branches that see the prompt and
    themselves but not each other, with positions that restart after the prompt. Equal to one plain forward a pair.
    """
    tree = _pack(completions)
    chunks = [prompts[start : start + CHUNK] for start in range(0, len(prompts), CHUNK)]
    token = torch.cat([_tree_logprobs(model, chunk, tree) for chunk in chunks])  # (N, L)
    summed = torch.zeros(len(prompts), len(completions)).index_add(1, tree.branch, token)  # (N, K)
    return summed, torch.bincount(tree.branch, minlength=len(completions))
