"""Log-probabilities of many completions after many prompts: packed by prompt, or in plain rows.

Packed tree attention: one forward pass holds a prompt and the tree of all completions, whose tokens
see the prompt and their own ancestors, with positions counted along their branch. That is right for
attention to everything before, with positions given by `position_ids`. It is wrong for windows
shorter than a row, for layers that carry a state through padding and siblings, and for positions
that a model counts by itself; there the completions are scored as plain rows. N prompts of P
tokens, K completions, L tokens in their tree, S = P + L columns, V vocabulary.
"""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

from llm.data.chat import Row
from llm.models.loading import text_config
from llm.training import logprobs
from protocol.errors import InputError

CHUNK = 16  # prompts in one packed forward pass
WINDOWED = {"sliding_attention", "chunked_attention"}
WINDOWS = ("sliding_window", "attention_chunk_size", "window_size", "attention_window_size")


def obstacle(config: PretrainedConfig, tokens: int) -> str | None:
    """Why rows of so many tokens cannot be packed under a configuration; None if they can."""
    text = config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ())
    if text._attn_implementation not in ("sdpa", "eager"):
        return f"its attention ({text._attn_implementation}) takes no mask of its own for every row"
    if kinds - WINDOWED - {"full_attention"}:
        return f"it has layers of {', '.join(sorted(kinds - WINDOWED - {'full_attention'}))}"
    windows = [getattr(text, name, None) for name in WINDOWS]
    shortest = min((window for window in windows if window), default=tokens)
    if shortest < tokens and (kinds & WINDOWED or not kinds):
        return f"its attention reaches {shortest} tokens, a row has {tokens}"
    return None


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
    if text_config(model)._attn_implementation == "sdpa":
        return sees
    lowest = torch.finfo(model.dtype).min
    return torch.zeros_like(sees, dtype=model.dtype).masked_fill(~sees, lowest)


def _tree_logprobs(model: PreTrainedModel, prompts: Sequence[Sequence[int]], tree: _Tree) -> Tensor:
    """Token log-probabilities (N, L) of one forward pass: left-padded prompts, then the tree."""
    widths = torch.tensor([len(prompt) for prompt in prompts])  # (N,)
    width = int(widths.max())
    padding = width - widths  # (N,)
    rows = [
        [0] * int(pad) + list(prompt) + tree.tokens.tolist()
        for pad, prompt in zip(padding, prompts, strict=True)
    ]
    depth = tree.sees.sum(dim=1) - 1  # (L,)
    prompt_position = (torch.arange(width) - padding[:, None]).clamp(min=0)  # (N, P)
    # A token is predicted at its parent, a first token at the prompt's end; U distinct places
    # predict all L tokens.
    places, place_of = torch.unique(width + tree.parent, return_inverse=True)  # (U,), (L,)
    logits = logprobs.logits_at(
        model,
        torch.arange(len(rows)).repeat_interleave(len(places)),
        places.repeat(len(rows)),
        input_ids=torch.tensor(rows, device=model.device),
        attention_mask=_attention(model, _tree_mask(tree, padding, width)),
        position_ids=torch.cat([prompt_position, widths[:, None] + depth], dim=1).to(model.device),
    )  # (N · U, V)
    by_place = torch.log_softmax(logits, dim=-1).cpu()  # (N · U, V)
    at_places = by_place.unflatten(0, (len(rows), len(places)))  # (N, U, V)
    return at_places[:, place_of, tree.tokens]  # (N, L)


def _packed(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    chunk: int,
) -> Tensor:
    tree = _tree(completions)
    chunks = [prompts[start : start + chunk] for start in range(0, len(prompts), chunk)]
    token = torch.cat([_tree_logprobs(model, part, tree) for part in chunks])  # (N, L)
    return token @ tree.member.T.to(token)  # (N, K)


@torch.no_grad()
def completion_logprobs(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    *,
    packed: bool = True,
    pad: int = 0,
    batch: int = 64,
) -> tuple[Tensor, Tensor]:
    """log π(completion | prompt), summed (N, K), and the completions' token counts (K,).

    packed: in one tree a prompt, else in plain rows padded with `pad` · batch: rows of one forward
    pass at most. Equal to one plain forward pass a pair. Raises InputError without prompts or
    completions, and for an empty prompt or completion.
    """
    for name, lists in (("prompts", prompts), ("completions", completions)):
        if not lists or not all(lists):
            raise InputError(
                f"{name}: expected at least one list of token ids, none of them empty; got "
                f"{lists!r}"
            )
    length = torch.tensor([len(completion) for completion in completions])  # (K,)
    if packed:
        return _packed(model, prompts, completions, min(CHUNK, batch)), length
    pairs = product(prompts, completions)
    rows = [Row(tuple(prompt), tuple(completion)) for prompt, completion in pairs]
    summed, _ = logprobs.row_logprobs(model, rows, pad=pad, chunk=batch)  # (N · K,)
    return summed.unflatten(0, (len(prompts), len(completions))), length
