"""A stage's rows out of its files: read, curated where the files have to be, drawn, training and
held-out ones apart.

Curation is that of `retrace data` without an endpoint: GSM8K's answers in steps, kept where their
number comes out; refusals for unsafe requests, 70% of the questions for training, the styles of one
question on one side.
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
    """What is read of a file; a file of the hub that cannot be fetched is told with what else can
    be done.
    """
    try:
        return read(source)
    except InputError as error:
        if (
            not source.startswith(HUB) or error.__cause__ is None
        ):  # a file that is there, with something wrong in it
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
    """Refusals of the requests of all files, in which a question may stand in several styles:
    training, held out.
    """
    requests: list[safety.Question] = []
    for source in files.train:
        found = _fetched(
            stage, source, lambda file: safety.questions(file, styles_removed=STYLES, **_how(files))
        )
        requests += found[0]
    refusals = safety.by_template(requests, seed=DRAWN).accepted
    train, test = safety.split(requests, share=SHARE, seed=DRAWN)
    return [Example(each.text, refusals[each.text]) for each in train], [
        Example(each.text, refusals[each.text]) for each in test
    ]


def _all_rows(stage: str, files: Files) -> tuple[Rows, Rows | None]:
    """Training rows, and held-out ones where these are rows of their own."""
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


def file_rows(stage: str, files: Files, train: int, held_out: int) -> Corpus:
    """Rows drawn from files; no held-out prompt stands in the training rows that are taken.

    Of held-out rows of their own those are drawn first whose prompts are in no training row, so
    that no training row is lost to them without need. Raises InputError where there are fewer rows
    than are wanted, and for what cannot be fetched or read.
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
    for name, have, want, sources in (
        ("training", len(rows), train, files.train),
        ("held-out", len(held), held_out, files.test or files.train),
    ):
        if have < want:
            raise InputError(
                f"{stage}: expected {want} {name} rows; {', '.join(sources)} has {have}: ask for "
                f"fewer"
            )
    return Corpus(tuple(rows[:train]), tuple(held[:held_out]))
