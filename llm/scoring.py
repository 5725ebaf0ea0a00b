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
from protocol.errors import InputError

CHUNK = 16  # prompts in one packed forward pass


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


def _at_least_float32(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits


def answer_logits(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Logits (A, V) that predict the answer tokens."""
    hidden = model.model(input_ids=batch.tokens, attention_mask=batch.attention, use_cache=False)[0]  # (B, S, H)
    return _at_least_float32(model.lm_head(hidden[batch.row, batch.column]))  # (A, V)


def answer_logprobs(model: PreTrainedModel, batch: Batch) -> Tensor:
    """log π(y|x) = Σ_t log π(y_t | x, y_<t) of each row, (B,), differentiable."""
    token = -torch.nn.functional.cross_entropy(answer_logits(model, batch), batch.target, reduction="none")  # (A,)
    return token.new_zeros(len(batch.length)).index_add(0, batch.row, token)  # (B,)


@torch.no_grad()
def row_logprobs(model: PreTrainedModel, rows: Sequence[Row], *, pad: int, chunk: int = 64) -> tuple[Tensor, Tensor]:
    """Summed log-probabilities and lengths of many rows, each (N,), without gradients."""
    batches = [collate(rows[start : start + chunk], pad=pad) for start in range(0, len(rows), chunk)]
    logprobs = [answer_logprobs(model, batch.to(model.device)).cpu() for batch in batches]
    return torch.cat(logprobs), torch.cat([batch.length for batch in batches])


class _Tree(NamedTuple):
    """K completions as one tree of L tokens: completions that begin alike share that beginning."""

    tokens: Tensor  # (L,)
    parent: Tensor  # (L,), −1 at a first token
    sees: Tensor  # (L, L), a token's ancestors and itself
    member: Tensor  # (K, L), the tokens of each completion


def _tree(completions: Sequence[Sequence[int]]) -> _Tree:
    nodes: dict[tuple[int, int], int] = {}  # (parent, token) -> node
    paths: list[list[int]] = []
    for completion in completions:
        path: list[int] = []
        for token in completion:
            path.append(nodes.setdefault((path[-1] if path else -1, token), len(nodes)))
        paths.append(path)
    sees, member = torch.eye(len(nodes), dtype=torch.bool), torch.zeros(len(paths), len(nodes))
    for (parent, _), node in nodes.items():  # parents come before their children
        if parent >= 0:
            sees[node] |= sees[parent]
    for k, path in enumerate(paths):
        member[k, path] = 1
    parent, tokens = torch.tensor(list(nodes)).T
    return _Tree(tokens, parent, sees, member)


def _tree_mask(tree: _Tree, padding: Tensor, width: int) -> Tensor:
    """Who sees whom, (N, 1, S, S): a prompt causally, a tree token the prompt and its ancestors."""
    columns = width + len(tree.tokens)
    sees = torch.zeros(columns, columns, dtype=torch.bool)  # (S, S), query by key
    sees[:width, :width] = torch.ones(width, width, dtype=torch.bool).tril()
    sees[width:, :width] = True
    sees[width:, width:] = tree.sees
    real = torch.arange(columns) >= padding[:, None]  # (N, S)
    # A padding column sees itself, or its softmax would be over nothing.
    return ((sees & real[:, None, :]) | torch.eye(columns, dtype=torch.bool))[:, None]


def _attention(model: PreTrainedModel, sees: Tensor) -> Tensor:
    """A boolean mask as the model's attention takes it: eager attention adds it to the scores."""
    sees = sees.to(model.device)
    if model.config._attn_implementation == "sdpa":
        return sees
    return torch.zeros_like(sees, dtype=model.dtype).masked_fill(~sees, torch.finfo(model.dtype).min)


def _tree_logprobs(model: PreTrainedModel, prompts: Sequence[Sequence[int]], tree: _Tree) -> Tensor:
    """Token log-probabilities (N, L) from one forward pass: prompts padded on the left, then the tree."""
    widths = torch.tensor([len(prompt) for prompt in prompts])  # (N,)
    width = int(widths.max())
    padding = width - widths  # (N,)
    rows = [[0] * int(pad) + list(prompt) + tree.tokens.tolist() for pad, prompt in zip(padding, prompts, strict=True)]
    depth = tree.sees.sum(dim=1) - 1  # (L,)
    prompt_position = (torch.arange(width) - padding[:, None]).clamp(min=0)  # (N, P)
    hidden = model.model(
        input_ids=torch.tensor(rows, device=model.device),
        attention_mask=_attention(model, _tree_mask(tree, padding, width)),
        position_ids=torch.cat([prompt_position, widths[:, None] + depth], dim=1).to(model.device),
        use_cache=False,
    )[0]  # (N, S, H)
    # A token is predicted at its parent, a first token at the prompt's end; U distinct places predict all L tokens.
    places, place_of = torch.unique(width + tree.parent, return_inverse=True)  # (U,), (L,)
    logits = _at_least_float32(model.lm_head(hidden[:, places]))  # (N, U, V)
    logprobs = torch.log_softmax(logits, dim=-1).cpu()  # (N, U, V)
    return logprobs[:, place_of, tree.tokens]  # (N, L)


@torch.no_grad()
def completion_logprobs(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
) -> tuple[Tensor, Tensor]:
    """log π(completion | prompt) of every completion after every prompt: summed (N, K) and token counts (K,).

    Packed tree attention: one forward pass holds a prompt and the tree of all completions, whose tokens see the prompt
    and their own ancestors, with positions counted along their branch. Equal to one plain forward pass a pair.
    Raises InputError where there is no prompt, no completion, or one of no tokens.
    """
    for name, lists in (("prompts", prompts), ("completions", completions)):
        if not lists or not all(lists):
            raise InputError(f"{name}: expected at least one list of token ids, none of them empty; got {lists!r}")
    tree = _tree(completions)
    chunks = [prompts[start : start + CHUNK] for start in range(0, len(prompts), CHUNK)]
    token = torch.cat([_tree_logprobs(model, chunk, tree) for chunk in chunks])  # (N, L)
    return token @ tree.member.T.to(token), tree.member.sum(dim=1).long()
