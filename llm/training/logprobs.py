"""Log-probabilities of answers: the one forward pass of learning, unlearning and every probe.

Conventions: natural logarithms; logp is summed over an answer's tokens, length counts them. Logits
are the model's own: its whole forward pass is run, with whatever it does to its logits after the
output layer (scales, soft caps). They are computed at answer tokens only: a hook hands the output
layer the hidden states that predict an answer token. B rows, S columns, A answer tokens in the
whole batch, H hidden size, V vocabulary. Many completions of a prompt: `llm.measuring.packing`.
"""

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from llm.data.chat import Row


class Batch(NamedTuple):
    """Rows padded on the right; `row` and `column` say where each answer token is predicted."""

    tokens: Tensor  # (B, S)
    attention: Tensor  # (B, S), 1 on tokens, 0 on padding
    row: Tensor  # (A,)
    column: Tensor  # (A,), the position before the answer token
    target: Tensor  # (A,)
    length: Tensor  # (B,), answer tokens of each row

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return Batch(*(part.to(device) for part in self))


def collate(rows: Sequence[Row], *, pad: int) -> Batch:
    """Rows padded to the longest; predictions are read from the prompt's last token on."""
    width = max(len(row.prompt) + len(row.answer) for row in rows)
    tokens = torch.full((len(rows), width), pad)  # (B, S)
    attention = torch.zeros((len(rows), width), dtype=torch.long)  # (B, S)
    for i, row in enumerate(rows):
        ids = row.prompt + row.answer
        tokens[i, : len(ids)] = torch.tensor(ids)
        attention[i, : len(ids)] = 1
    length = torch.tensor([len(row.answer) for row in rows])  # (B,)
    index = torch.repeat_interleave(torch.arange(len(rows)), length)  # (A,)
    columns = [torch.arange(len(row.answer)) + len(row.prompt) - 1 for row in rows]
    column = torch.cat(columns)  # (A,)
    return Batch(tokens, attention, index, column, tokens[index, column + 1], length)


def _at_least_float32(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits


def logits_at(model: PreTrainedModel, row: Tensor, column: Tensor, **inputs: Tensor) -> Tensor:
    """The model's logits (A, V), at least float32, at A places (row, column) of inputs (B, S)."""
    # the hidden states (1, A, H) that the output layer got in place of (B, S, H)
    read: list[Tensor] = []

    def choose(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        read.append(arguments[0][row, column][None])  # (1, A, H)
        return (read[-1], *arguments[1:])

    layer = model.get_output_embeddings()
    with contextlib.nullcontext() if layer is None else layer.register_forward_pre_hook(choose):
        logits = model(**inputs, use_cache=False).logits  # (1, A, V)
    if len(read) == 1:
        return _at_least_float32(logits[0])
    if read:  # the output layer is used for more than the logits: choose among all of them
        logits = model(**inputs, use_cache=False).logits  # (B, S, V)
    return _at_least_float32(logits[row, column])


def answer_logits(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Logits (A, V) that predict the answer tokens."""
    return logits_at(
        model, batch.row, batch.column, input_ids=batch.tokens, attention_mask=batch.attention
    )


def answer_logprobs(model: PreTrainedModel, batch: Batch) -> Tensor:
    """log π(y|x) = Σ_t log π(y_t | x, y_<t) of each row, (B,), differentiable."""
    token = -torch.nn.functional.cross_entropy(
        answer_logits(model, batch), batch.target, reduction="none"
    )  # (A,)
    return token.new_zeros(len(batch.length)).index_add(0, batch.row, token)  # (B,)


def _batches(rows: Sequence[Row], *, pad: int, chunk: int) -> list[Batch]:
    return [collate(rows[start : start + chunk], pad=pad) for start in range(0, len(rows), chunk)]


@torch.no_grad()
def row_logprobs(
    model: PreTrainedModel, rows: Sequence[Row], *, pad: int, chunk: int = 64
) -> tuple[Tensor, Tensor]:
    """Summed log-probabilities and lengths of many rows, each (N,), without gradients."""
    batches = _batches(rows, pad=pad, chunk=chunk)
    logprobs = [answer_logprobs(model, batch.to(model.device)).cpu() for batch in batches]
    return torch.cat(logprobs), torch.cat([batch.length for batch in batches])


@torch.no_grad()
def rows_logits(model: PreTrainedModel, rows: Sequence[Row], *, chunk: int = 64) -> Tensor:
    """Logits (A, V) that predict the answer tokens of many rows, on the CPU, without gradients."""
    batches = _batches(rows, pad=model.config.pad_token_id, chunk=chunk)
    return torch.cat([answer_logits(model, batch.to(model.device)).cpu() for batch in batches])
