"""How far ways of scoring agree with plain forward passes of one row (no padding, hook, mask).

Log-probabilities a of a way of scoring are compared with those of the plain pass, b, by
max |a − b| / max(s, |b|); s = 1 in float32, and in bfloat16, whose steps between numbers grow with
the logits, the largest logit. An error above the limit is refused, except for packed completions,
which are then scored as plain rows.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from llm.data.chat import Row
from llm.measuring import packing
from llm.models.randomness import seeded
from llm.training import logprobs
from protocol.errors import InputError, first_line

CAUSAL = (
    "a causal language model, whose predictions depend neither on later tokens nor on the length "
    "of a row (if they change at some length, take --max-length below)"
)


def error_of(scored: Tensor, expected: Tensor, *, scale: float = 1.0) -> float:
    """max |a − b| / max(s, |b|); NaN if a number is not finite."""
    return float(((scored - expected).abs() / expected.abs().clamp(min=scale)).max())


def largest_logit(model: PreTrainedModel, rows: Sequence[Row]) -> float:
    """The largest absolute logit at the answers' tokens, at least 1."""
    batch = logprobs.collate(rows, pad=model.config.pad_token_id).to(model.device)
    return max(1.0, float(logprobs.answer_logits(model, batch).abs().max()))


def plain_logprobs(model: PreTrainedModel, row: Row) -> Tensor:
    """log π of every answer token, (|y|,), by one forward pass over this row alone."""
    ids = torch.tensor([row.prompt + row.answer], device=model.device)
    output = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
    logits = output.logits[0].float()  # (S, V)
    by_token = torch.log_softmax(logits[len(row.prompt) - 1 : -1], dim=-1)  # (|y|, V)
    return by_token.gather(1, ids[0, len(row.prompt) :, None])[:, 0].cpu()


def _first_error(model: PreTrainedModel, begun: Row, whole: Row, *, scale: float) -> float:
    """How much the prediction of a row's first answer token changes with the tokens after it."""
    return error_of(plain_logprobs(model, begun), plain_logprobs(model, whole)[:1], scale=scale)


def check_causal(model: PreTrainedModel, row: Row, *, limit: float, scale: float = 1.0) -> None:
    """InputError if predictions change with the tokens after them.

    Checked at a row's first tokens, where one more token weighs most and only rounding may show (a
    hundredth of the limit in float32), and at the beginning of its answer, as a model may depend on
    the length of the whole row.
    """
    start = (row.prompt + row.answer)[:4]
    early = _first_error(model, Row(start[:1], start[1:2]), Row(start[:1], start[1:]), scale=scale)
    _refuse(early, limit / 100 if model.dtype == torch.float32 else limit, CAUSAL)
    _refuse(
        _first_error(model, row._replace(answer=row.answer[:1]), row, scale=scale), limit, CAUSAL
    )


def _refuse(error: float, limit: float, what: str) -> float:
    if not math.isfinite(error):
        raise InputError(
            "model: expected finite log-probabilities; got nan or inf: its weights are not finite"
        )
    if error > limit:
        raise InputError(
            f"model: expected {what}; log-probabilities differ by {error:.1e}, {limit:g} is allowed"
        )
    return error


def check_rows(
    model: PreTrainedModel, rows: Sequence[Row], *, limit: float, scale: float = 1.0
) -> float:
    """The error of rows scored together.

    Raises InputError for an error above the limit, and if a prediction depends on later tokens.
    """
    for row in rows:
        check_causal(model, row, limit=limit, scale=scale)
    expected = [plain_logprobs(model, row) for row in rows]
    batch = logprobs.collate(rows, pad=model.config.pad_token_id).to(model.device)
    token_logprobs = torch.log_softmax(logprobs.answer_logits(model, batch), dim=-1)  # (A, V)
    scored = token_logprobs.gather(1, batch.target[:, None])[:, 0].cpu()
    error = error_of(scored, torch.cat(expected), scale=scale)
    return _refuse(error, limit, "padded rows to be scored as each row alone")


def check_merge(model: PreTrainedModel, rows: Sequence[Row], *, limit: float) -> float:
    """The error of merging an adapter, drawn at random, into a model, which stays merged."""
    with seeded(model.device, "check of a merge"):
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                nn.init.normal_(parameter, std=0.02)
    expected = torch.cat([plain_logprobs(model, row) for row in rows])
    for layer in model.modules():
        if hasattr(layer, "get_delta_weight"):
            layer.merge()
    merged = torch.cat([plain_logprobs(model, row) for row in rows])
    error = error_of(merged, expected)
    return _refuse(error, limit, "an adapter to do the same merged and unmerged")


def packing_fault(
    model: PreTrainedModel,
    prompts: Sequence[tuple[int, ...]],
    phrases: Sequence[tuple[int, ...]],
    *,
    limit: float,
    scale: float = 1.0,
) -> str | None:
    """Why completions of these prompts must not be packed; None if their error is in the limit."""
    longest = max(phrases, key=len)
    known = packing.obstacle(model.config, max(map(len, prompts)) + len(longest))
    if known is not None:
        return known
    compared = sorted({0, phrases.index(longest), len(phrases) - 1})
    try:
        packed = packing.completion_logprobs(model, prompts, phrases)[0][:, compared]
    except Exception as error:  # a model without masks or positions by hand raises any class
        return f"the model does not take them packed ({first_line(error)})"
    pairs = [Row(prompt, phrases[k]) for prompt in prompts for k in compared]
    expected = torch.stack([plain_logprobs(model, pair).sum() for pair in pairs])
    largest = error_of(packed, expected.view_as(packed), scale=scale)
    return None if largest <= limit else f"packed they differ by {largest:.1e} from plain rows"
