"""Sampled answers as text, the share that is right, and the share cut at the token limit."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm.data.chat import Format
from llm.data.grading import strict_number
from llm.measuring import batches, decoding
from llm.models.loading import context_of
from protocol.errors import InputError
from protocol.notices import LOGGER, notice
from protocol.progress import Progress, quiet


@dataclass(frozen=True)
class Sampling:
    """How answers are sampled: how many for each prompt, at which temperature, of which length.

    seed: what all draws derive from, together with the prompts · progress: called as (label, done,
    total) after every batch.
    """

    samples: int
    temperature: float
    max_tokens: int
    seed: tuple[object, ...]
    progress: Progress = quiet


class Answer(NamedTuple):
    """A sampled answer: its text without special tokens, and whether it was cut (no end token)."""

    text: str
    cut: bool


def check_room(context: int, prompts: Sequence[Sequence[int]], max_tokens: int) -> None:
    """InputError if a prompt and its answer go beyond the `context` tokens that a model takes."""
    longest = max(len(prompt) for prompt in prompts)
    if longest + max_tokens > context:
        raise InputError(
            f"probes.max-tokens: expected prompts and answers of at most {context} tokens, the "
            f"model's context; got a prompt of {longest} and answers of {max_tokens}: lower it"
        )


def sample_tokens(
    model: PreTrainedModel, ends: Sequence[int], prompts: Sequence[Sequence[int]], how: Sampling
) -> list[tuple[int, ...]]:
    """`how.samples` continuations of each of N prompts as tokens, N · samples of them.

    A continuation ends with its first token of `ends`. The same seed gives the same tokens,
    whatever the order of the prompts and the memory (but for the rounding of logits, which differs
    between batches of different size). Raises InputError if prompts do not fit the model.
    """
    check_room(context_of(model.config), prompts, how.max_tokens)
    # masked everywhere; a model's own pad token may lie outside its embeddings
    pad = ends[0] if ends else 0
    uniform = decoding.uniforms(prompts, samples=how.samples, steps=how.max_tokens, seed=how.seed)
    uniform = uniform.flatten(0, 1)  # (N·samples, T)
    repeated = [prompt for prompt in prompts for _ in range(how.samples)]
    company = _company(model, prompts, pad=pad)
    limit = 0 if company == "none" else batches.budget(model)  # a batch holds at least one sequence

    def drawn(part: list[int]) -> list[tuple[int, ...]]:
        batch = [repeated[i] for i in part]
        return decoding.draw(
            model, batch, uniform[part], temperature=how.temperature, ends=ends, pad=pad
        )

    def fits(width: int) -> int:
        return limit // batches.sequence_bytes(model, width=width, steps=how.max_tokens)

    return batches.in_batches(
        [len(prompt) for prompt in repeated],
        drawn,
        fits=fits,
        equal=company == "of equal length",
        done=lambda count: how.progress("sampled answers", count, len(repeated)),
    )


def _company(model: PreTrainedModel, prompts: Sequence[Sequence[int]], *, pad: int) -> str:
    """Which prompts may share a batch: "any", those "of equal length" or "none", with a notice."""
    shortest, longest = min(prompts, key=len), max(prompts, key=len)

    def undisturbed(beside: Sequence[int]) -> bool:
        def check(_: list[int]) -> list[bool]:
            return [decoding.is_undisturbed(model, shortest, beside, pad=pad)]

        # memory may be out here already
        return batches.in_batches([len(beside)], check, fits=lambda width: 1, equal=False)[0]

    if undisturbed(longest):
        return "any"
    change = "sampling: other prompts in a batch change this model's predictions"
    if undisturbed(shortest[::-1]):
        notice(f"{change}; only prompts of equal length are sampled together")
        return "of equal length"
    notice(f"{change}; prompts are sampled one by one")
    return "none"


def sample(
    model: PreTrainedModel, form: Format, prompts: Sequence[Sequence[int]], how: Sampling
) -> list[list[Answer]]:
    """The sampled answers of each of N prompts, N lists of `how.samples`; see `sample_tokens`."""
    ends = sorted(form.ends)
    answers = [_answer(form, tokens, ends) for tokens in sample_tokens(model, ends, prompts, how)]
    return [answers[start : start + how.samples] for start in range(0, len(answers), how.samples)]


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
    shares = [_share([answer.cut for answer in tries]) for tries in answers]
    return torch.tensor(shares, dtype=torch.float64)


def _share(marks: Sequence[bool]) -> float:
    return float(torch.tensor(marks, dtype=torch.float64).mean())


def share_correct(
    answers: Sequence[Sequence[str]],
    solutions: Sequence[str],
    *,
    number: Callable[[str], Fraction | None] = strict_number,
) -> Tensor:
    """For each question the share of its sampled answers with the solution's number, (n,).

    number: how an answer's number is read, strictly by default; None counts as wrong.
    """
    shares = []
    for tries, solution in zip(answers, solutions, strict=True):
        right = strict_number(solution)
        shares.append(_share([right is not None and number(text) == right for text in tries]))
    return torch.tensor(shares, dtype=torch.float64)
