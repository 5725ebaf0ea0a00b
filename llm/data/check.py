"""Report on a data file: rows, fields, lengths, duplicates, overlap with a test file, faults."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from llm.corpora.example import Example
from llm.data.purposes import PURPOSES, SHAPES, Chosen, chosen
from llm.data.reading import Reading, in_order, look
from llm.data.records import Problem, Record, one_line, whole
from protocol.errors import known

LISTED = 20  # problems a report names one by one
ASKED = "prompts without answers: for `retrace data safety`, or a stage that is curated"


@dataclass(frozen=True)
class Field:
    """One field: the kinds of its values, the number of empty ones, and their lengths.

    lengths: minimum, median and maximum in characters.
    """

    name: str
    kinds: tuple[str, ...]
    empty: int
    lengths: tuple[int, float, int]


@dataclass(frozen=True)
class Check:
    """What `check` found; `overlap` is None if no test file was named."""

    source: str
    purpose: str
    rows: int
    shape: str
    fields: tuple[Field, ...]
    same_rows: int  # rows that repeat an earlier row of the file
    same_prompts: int
    overlap: int | None  # rows of the test file whose conversation up to the answer is in this one
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]  # how the rows are read, where that can be read in two ways

    def lines(self) -> Iterator[str]:
        """The report, line by line."""
        yield one_line(
            f"{self.source}: {self.rows} rows, shape {self.shape or 'unknown'}, purpose "
            f"{self.purpose}"
        )
        for field in self.fields:
            least, middle, most = field.lengths
            empty = f", {field.empty} empty" if field.empty else ""
            kinds = " or ".join(field.kinds)
            yield one_line(
                f"  {field.name}: {kinds}, {least} to {most} characters, median {middle:g}{empty}"
            )
        yield f"  duplicates: {self.same_rows} rows, {self.same_prompts} prompts"
        if self.overlap is not None:
            yield f"  overlap: {self.overlap} test prompts are in the training rows"
        yield from (f"  note: {note}" for note in self.notes)
        yield from (f"  {problem}" for problem in self.problems[:LISTED])
        if len(self.problems) > LISTED:
            yield f"  and {len(self.problems) - LISTED} more"


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())


def _fields(records: Sequence[Record]) -> Iterator[Field]:
    for name in dict.fromkeys(name for record in records for name in record.values):
        values = [record.values.get(name) for record in records]
        lengths = [
            len(value if isinstance(value, str) else whole(value))
            for value in values
            if value is not None
        ]
        yield Field(
            name,
            tuple(sorted({type(value).__name__ for value in values if value is not None}))
            or ("nothing",),
            sum(_empty(value) for value in values),
            (min(lengths, default=0), median(lengths or [0]), max(lengths, default=0)),
        )


def _repeated(items: Sequence[object]) -> int:
    return sum(count - 1 for count in Counter(items).values())


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def asked(example: Example) -> str:
    """All that comes before an answer as it is compared, without case and with single spaces.

    The system message, the turns before the prompt, the prompt, and the tools, a line each; of raw
    text, which has nothing before it, the text.
    """
    if not example.prompt and not example.history:
        return _plain(example.answer)
    turns = [f"{turn.role}: {_plain(turn.content)}" for turn in example.history]
    tools = [f"tools: {_plain(example.tools)}"] if example.tools else []
    return "\n".join([*tools, *turns, _plain(example.prompt)])


def _purpose(reading: Reading) -> str:
    """What a file is for by its shape."""
    return "safety" if reading.shape is not None and reading.shape.kind == "asked" else "learn"


def _left_out(reading: Reading, these: Chosen) -> list[str]:
    """What is to be known of rows that are no problem, and are learned in no run as they are."""
    counts = {"safe requests": these.safe, "requests of styles": these.styled}
    lines = [
        f"{count} {what}, which `retrace data safety` leaves out"
        for what, count in counts.items()
        if count
    ]
    return [ASKED, *lines] if _purpose(reading) == "safety" else lines


def _overlap(rows: Sequence[Example], test: str | Path) -> tuple[int, list[Problem]]:
    """How many test rows are in `rows`, and what stops the test file from being used."""
    held = look(test)
    learned = {asked(row) for row in rows}
    overlap = sum(asked(row) in learned for row in held.rows)
    if not held.problems:
        return overlap, []
    return overlap, [Problem("", "", f"{test}: {held.problems[0]} ({len(held.problems)} in all)")]


def check(
    source: str | Path, *, test: str | Path | None = None, purpose: str | None = None
) -> Check:
    """Look a file through; `test` names the held-out file it must not overlap.

    purpose: one of `llm.data.purposes.PURPOSES`, whose rules the rows must keep; by default what
    the file's shape is for, "safety" for prompts without answers, else "learn". Raises InputError
    where a file is missing or has an unknown suffix.
    """
    if purpose is not None:
        known("purpose", purpose, PURPOSES)
    reading = look(source, shape=SHAPES.get(purpose or ""))
    purpose = purpose or _purpose(reading)
    these = chosen(reading, purpose)
    overlap, wrong = (None, []) if test is None else _overlap(reading.rows, test)
    return Check(
        str(source),
        purpose,
        len(reading.parsed),
        reading.shape.name if reading.shape else "",
        tuple(_fields(reading.parsed)),
        _repeated([whole(sorted(record.values.items())) for record in reading.parsed]),
        _repeated([asked(row) for row in reading.rows]),
        overlap,
        (*in_order([*reading.problems, *these.problems]), *wrong),
        (*reading.notes, *_left_out(reading, these)),
    )
