"""Sampled answers as text, and the shares of them that are right and that were cut at the token
limit.
"""

import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm.data.chat import Format
from llm.data.grading import strict_number
from llm.measuring import batches, decoding
from llm.models.parts import context_of
from protocol.errors import InputError
from protocol.notices import LOGGER, notice
from protocol.progress import Progress, quiet


class Answer(NamedTuple):
    """A sampled answer: its text without special tokens, and whether it was cut, having no end
    token.
    """

    text: str
    cut: bool


def check_room(context: int, prompts: Sequence[Sequence[int]], max_tokens: int) -> None:
    """InputError if a prompt and its answer go beyond the `context` tokens that a model takes."""
    longest = max(len(prompt) for prompt in prompts)
    if longest + max_tokens > context:
        raise InputError(
            f"probes.max-tokens: expected prompts and answers of at most {context} tokens, the "
            f"model's context; got a "
            f"prompt of {longest} and answers of {max_tokens}: lower it"
        )


def sample_tokens(
    model: PreTrainedModel,
    ends: Sequence[int],
    prompts: Sequence[Sequence[int]],
    *,
    samples: int,
    temperature: float,
    max_tokens: int,
    seed: tuple[object, ...],
    progress: Progress = quiet,
) -> list[tuple[int, ...]]:
    """`samples` continuations of every prompt as tokens, N · samples, each up to and with its first
    token of `ends`.

    The same seed gives the same tokens, whatever the order of the prompts and the memory (but for
    the rounding of logits, which differs between batches of different size). Raises InputError
    where prompts do not fit the model.
    """
    check_room(context_of(model.config), prompts, max_tokens)
    pad = (
        ends[0] if ends else 0
    )  # masked everywhere; a model's own pad token may lie outside its embeddings
    uniform = decoding.uniforms(prompts, samples=samples, steps=max_tokens, seed=seed).flatten(
        0, 1
    )  # (N·samples, T)
    asked = [prompt for prompt in prompts for _ in range(samples)]
    company = _company(model, prompts, pad=pad)
    limit = 0 if company == "none" else batches.budget(model)  # a batch holds at least one sequence

    def drawn(part: list[int]) -> list[tuple[int, ...]]:
        chosen = [asked[i] for i in part]
        return decoding.draw(
            model, chosen, uniform[part], temperature=temperature, ends=ends, pad=pad
        )

    return batches.in_batches(
        [len(prompt) for prompt in asked],
        drawn,
        fits=lambda width: limit // batches.sequence_bytes(model, width=width, steps=max_tokens),
        equal=company == "of equal length",
        done=lambda count: progress("sampled answers", count, len(asked)),
    )


def _company(model: PreTrainedModel, prompts: Sequence[Sequence[int]], *, pad: int) -> str:
    """Which prompts may share a batch: "any", those "of equal length", or "none"; a notice says so
    if not any.
    """
    shortest, longest = min(prompts, key=len), max(prompts, key=len)

    def undisturbed(beside: Sequence[int]) -> bool:
        def check(_: list[int]) -> list[bool]:
            return [decoding.is_undisturbed(model, shortest, beside, pad=pad)]

        # memory may be out here already
        return batches.in_batches([len(beside)], check, fits=lambda width: 1, equal=False)[0]

    if undisturbed(longest):
        return "any"
    company = "of equal length" if undisturbed(shortest[::-1]) else "none"
    how = (
        "only prompts of equal length are sampled together"
        if company != "none"
        else "prompts are sampled one by one"
    )
    notice(f"sampling: other prompts in a batch change this model's predictions; {how}")
    return company


def sample(
    model: PreTrainedModel,
    form: Format,
    prompts: Sequence[Sequence[int]],
    *,
    samples: int,
    temperature: float,
    max_tokens: int,
    seed: tuple[object, ...],
    progress: Progress = quiet,
) -> list[list[Answer]]:
    """`samples` answers of every prompt, N lists, at one temperature; see `sample_tokens`."""
    ends = sorted(form.ends)
    produced = sample_tokens(
        model,
        ends,
        prompts,
        samples=samples,
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed,
        progress=progress,
    )
    answers = [_answer(form, tokens, ends) for tokens in produced]
    return [answers[start : start + samples] for start in range(0, len(answers), samples)]


def _answer(form: Format, tokens: Sequence[int], ends: Sequence[int]) -> Answer:
    ended = bool(tokens) and tokens[-1] in ends
    text = form.tokenizer.decode(tokens[:-1] if ended else tokens, skip_special_tokens=True)
    return Answer(text, not ended)


def spoken(seconds: float = 60.0) -> Progress:
    """Progress as lines of the log: at most one a tenth, none within `seconds` of the last."""
    said, tenth = time.monotonic(), 0

    def report(label: str, done: int, total: int) -> None:
        nonlocal said, tenth
        if tenth < 10 * done // total < 10 and time.monotonic() - said >= seconds:
            said, tenth = time.monotonic(), 10 * done // total
            LOGGER.warning("%s: %d of %d", label, done, total)

    return report


def share_cut(answers: Sequence[Sequence[Answer]]) -> Tensor:
    """For each question the share of its sampled answers that were cut at the token limit, (n,)."""
    return torch.tensor(
        [[answer.cut for answer in tries] for tries in answers], dtype=torch.float64
    ).mean(dim=1)


def share_correct(
    answers: Sequence[Sequence[str]],
    solutions: Sequence[str],
    *,
    number: Callable[[str], Fraction | None] = strict_number,
) -> Tensor:
    """For each question the share of its sampled answers with the solution's number, (n,); graded
    strictly, or by another reading of an answer's `number`.
    """
    right = [strict_number(solution) for solution in solutions]
    graded = [
        [n is not None and number(a) == n for a in tries]
        for tries, n in zip(answers, right, strict=True)
    ]
    return torch.tensor(graded, dtype=torch.float64).mean(dim=1)
