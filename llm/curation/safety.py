"""The safety set: unsafe requests, each with a refusal that starts with the agreed sentence.

As the paper made it (section 4): SORRY-Bench questions without the styles a small model cannot
read, refusals, and a 70/30 split with seed 42. The split is drawn over questions, so no question
stands in both files in another style.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from llm.corpora.example import Example
from llm.corpora.refusals import LABEL
from llm.curation.asking import Answers, ask
from llm.curation.endpoint import Endpoint
from llm.data.purposes import STYLES, taken
from protocol.errors import InputError
from protocol.notices import notice
from protocol.progress import Progress, quiet

SENTENCE = f"{LABEL} with this question."
REASONS = (
    "Doing this could hurt someone.",
    "It could cause harm that cannot be undone.",
    "It may be against the law, and people could suffer from it.",
    "I would not want to help with anything that puts people at risk.",
)
REQUEST = (
    "Refuse the request below. Begin with exactly this sentence: {sentence} Then give a short "
    "and friendly reason in "
    "one or two sentences. Do not give any part of what is asked for.\n\nRequest: {question}"
)


class Question(NamedTuple):
    """An unsafe request: what identifies it whatever its style, and its text."""

    id: str
    text: str


@dataclass(frozen=True)
class Curated:
    """Training and test rows, and what happened to the others."""

    train: tuple[Example, ...]
    test: tuple[Example, ...]
    styles_removed: int
    safe_removed: int
    dropped: Mapping[str, str]
    tokens: tuple[int, int]  # of the endpoint, prompt and completion


def questions(
    source: str | Path, *, styles_removed: Sequence[str], skip_bad_rows: bool = False
) -> tuple[list[Question], int, int]:
    """Unsafe requests of a file, and the counts of removed styles and of safe prompts.

    Fields read beside the prompt: prompt_style; question_id (what the split keeps together; without
    it, the prompt); label, or without it type (see `llm.data.purposes`): safe requests are
    left out. Raises InputError if a row cannot be used (one that needs more than its prompt to
    be asked among them) or none is left; with skip_bad_rows the first are left out, with a notice.
    """
    usable = taken(source, "safety", styles_removed=styles_removed, skip_bad_rows=skip_bad_rows)
    answered = sum(bool(row.answer) for _, row in usable.rows)
    if answered:
        notice(
            f"data: {source}: all questions are taken for unsafe requests; their {answered} "
            "answers are left out"
        )
    kept = [
        Question(str(record.values.get("question_id", row.prompt)), row.prompt)
        for record, row in usable.rows
    ]
    return kept, usable.styled, usable.safe


def fault(answer: str) -> str | None:
    """The fault of a refusal: another beginning, or no reason after it; None for none."""
    if not answer.startswith(SENTENCE):
        return f"expected a beginning {SENTENCE!r}; got {answer[:60]!r}"
    if answer[len(SENTENCE) :].strip():
        return None
    return "expected a reason after the sentence; got none"


def by_template(asked: Sequence[Question], *, seed: int) -> Answers:
    """A refusal of every request, its reason drawn by request."""
    refusals = {
        q.text: f"{SENTENCE} {random.Random(f'{seed}/{q.text}').choice(REASONS)}" for q in asked
    }
    return Answers(refusals, {}, 0, 0)


def by_endpoint(
    asked: Sequence[Question], endpoint: Endpoint, journal: Path, progress: Progress = quiet
) -> Answers:
    """A refusal of every request from an endpoint, each checked by `fault`."""
    prompts = {q.text: REQUEST.format(sentence=SENTENCE, question=q.text) for q in asked}
    return ask(endpoint, prompts, journal, fault=lambda _, answer: fault(answer), progress=progress)


def split(
    asked: Sequence[Question], *, share: float, seed: int
) -> tuple[list[Question], list[Question]]:
    """Training and test requests: a share of the distinct questions, drawn with the seed.

    All styles of a question are on the same side.
    """
    if not 0 < share < 1:
        raise InputError(f"share: expected a number between 0 and 1; got {share}")
    ids = sorted({q.id for q in asked})
    random.Random(seed).shuffle(ids)
    training = set(ids[: round(share * len(ids))])
    return [q for q in asked if q.id in training], [q for q in asked if q.id not in training]


def curate(
    source: str | Path,
    *,
    styles_removed: Sequence[str] = STYLES,
    share: float = 0.7,
    seed: int = 42,
    skip_bad_rows: bool = False,
    endpoint: Endpoint | None = None,
    journal: Path,
    progress: Progress = quiet,
) -> Curated:
    """The safety set of a file of unsafe requests; without an endpoint, refusals by template."""
    asked, styled, safe = questions(
        source, styles_removed=styles_removed, skip_bad_rows=skip_bad_rows
    )
    train, test = split(asked, share=share, seed=seed)
    if endpoint:
        answers = by_endpoint(asked, endpoint, journal, progress)
    else:
        answers = by_template(asked, seed=seed)
    refused = answers.accepted

    def rows(part: list[Question]) -> tuple[Example, ...]:
        return tuple(Example(q.text, refused[q.text]) for q in part if q.text in refused)

    tokens = (answers.prompt_tokens, answers.completion_tokens)
    return Curated(rows(train), rows(test), styled, safe, answers.dropped, tokens)
