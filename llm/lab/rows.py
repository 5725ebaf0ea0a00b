"""A stage's rows from files: read, curated if the settings say so, drawn, split.

Curation is that of `retrace data` without an endpoint: GSM8K's answers in steps, kept if the steps
give the answer's number; refusals for unsafe requests, 70% of the questions for training, all
styles of one question on one side.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from llm.config.settings import Files
from llm.corpora import Corpus, Example
from llm.curation import math, safety
from llm.data.check import asked
from llm.data.files import HUB
from llm.data.purposes import STYLES, read_examples
from protocol.errors import InputError

DRAWN = 42  # seed of which rows of a file are taken, and of the split of questions
NO_JOURNAL = Path(os.devnull)  # an endpoint's answers are kept in one; here there is no endpoint
SHARE = 0.7  # of the questions is for training

Rows = list[Example]
Read = TypeVar("Read")


def _fetched(stage: str, source: str, read: Callable[[str], Read]) -> Read:
    """The rows of a file; the error of a hub file that cannot be fetched names another way."""
    try:
        return read(source)
    except InputError as error:
        # without a cause: the file is there, with something wrong in it
        if not source.startswith(HUB) or error.__cause__ is None:
            raise
        raise InputError(f"{error}, or give --data {stage} FILE") from error


def _how(files: Files) -> dict[str, Any]:
    return {"skip_bad_rows": True} if files.skip_bad_rows else {}


def _examples(stage: str, source: str, files: Files) -> tuple[Example, ...]:
    return _fetched(stage, source, lambda file: read_examples(file, **_how(files)))


def _in_steps(stage: str, files: Files) -> Rows:
    rows: Rows = []
    for source in files.train:
        made = _fetched(
            stage, source, lambda file: math.rewrite(file, journal=NO_JOURNAL, **_how(files))
        )
        rows += made.rows
    return rows


def _refused(stage: str, files: Files) -> tuple[Rows, Rows]:
    """Training and held-out refusals of the requests of all files; a question may have styles."""
    requests: list[safety.Question] = []
    for source in files.train:
        questions, *_ = _fetched(
            stage, source, lambda file: safety.questions(file, styles_removed=STYLES, **_how(files))
        )
        requests += questions
    refusals = safety.by_template(requests, seed=DRAWN).accepted
    train, test = safety.split(requests, share=SHARE, seed=DRAWN)
    learned = [Example(request.text, refusals[request.text]) for request in train]
    held_out = [Example(request.text, refusals[request.text]) for request in test]
    return learned, held_out


def _all_rows(stage: str, files: Files) -> tuple[Rows, Rows | None]:
    """Training rows, and held-out rows if these do not come from the same files."""
    held: Rows | None = None
    if files.curation == "math":
        rows = _in_steps(stage, files)
    elif files.curation == "safety":
        rows, held = _refused(stage, files)
    else:
        rows = [row for source in files.train for row in _examples(stage, source, files)]
    if files.test:
        held = [row for source in files.test for row in _examples(stage, source, files)]
    return rows, held


def _check_number(stage: str, kind: str, have: int, want: int, sources: tuple[str, ...]) -> None:
    if have < want:
        raise InputError(
            f"{stage}: expected {want} {kind} rows; {', '.join(sources)} has {have}: ask for fewer"
        )


def file_rows(stage: str, files: Files, train: int, held_out: int) -> Corpus:
    """Rows drawn from files; no held-out prompt is in the training rows that are taken.

    Of separate held-out rows those are drawn first whose prompts are in no training row, so that no
    training row is lost to them without need. Raises InputError for fewer rows than are wanted, and
    for files that cannot be fetched or read.
    """
    rows, held = _all_rows(stage, files)
    random.Random(DRAWN).shuffle(rows)
    if held is None:
        held, rows = rows[:held_out], rows[held_out:]
    else:
        random.Random(DRAWN).shuffle(held)
        learned = {asked(row) for row in rows}
        held.sort(key=lambda row: asked(row) in learned)
    kept = {asked(row) for row in held[:held_out]}
    rows = [row for row in rows if asked(row) not in kept]
    _check_number(stage, "training", len(rows), train, files.train)
    _check_number(stage, "held-out", len(held), held_out, files.test or files.train)
    return Corpus(tuple(rows[:train]), tuple(held[:held_out]))
