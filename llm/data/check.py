"""What a data file holds and what is wrong where: rows, fields, lengths, duplicates, overlap between train and test."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from llm.corpora.example import Example
from llm.data import files, shapes
from llm.data.files import Problem, Record
from protocol.errors import InputError

LISTED = 20  # problems a report names one by one


@dataclass(frozen=True)
class Field:
    """One field: the kinds of its values, how many are empty, and their lengths in characters (min, median, max)."""

    name: str
    kinds: tuple[str, ...]
    empty: int
    lengths: tuple[int, float, int]


@dataclass(frozen=True)
class Check:
    """What `check` found; `overlap` is None where no test file was named."""

    source: str
    rows: int
    shape: str
    fields: tuple[Field, ...]
    same_rows: int  # rows that stand in the file more than once, the first not counted
    same_prompts: int
    overlap: int | None  # rows of the test file whose prompt stands in this one
    problems: tuple[Problem, ...]

    def lines(self) -> Iterator[str]:
        """The report, line by line."""
        yield f"{self.source}: {self.rows} rows, shape {self.shape or 'unknown'}"
        for field in self.fields:
            least, middle, most = field.lengths
            empty = f", {field.empty} empty" if field.empty else ""
            yield f"  {field.name}: {' or '.join(field.kinds)}, {least} to {most} characters, median {middle:g}{empty}"
        yield f"  duplicates: {self.same_rows} rows, {self.same_prompts} prompts"
        if self.overlap is not None:
            yield f"  overlap: {self.overlap} test prompts stand in the training rows"
        yield from (f"  {problem}" for problem in self.problems[:LISTED])
        if len(self.problems) > LISTED:
            yield f"  and {len(self.problems) - LISTED} more"


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())


def _fields(records: Sequence[Record]) -> Iterator[Field]:
    for name in dict.fromkeys(name for record in records for name in record.values):
        values = [record.values.get(name) for record in records]
        lengths = [len(value if isinstance(value, str) else repr(value)) for value in values if value is not None]
        yield Field(
            name,
            tuple(sorted({type(value).__name__ for value in values if value is not None})) or ("nothing",),
            sum(_empty(value) for value in values),
            (min(lengths, default=0), median(lengths or [0]), max(lengths, default=0)),
        )


def _repeated(items: Sequence[object]) -> int:
    return sum(count - 1 for count in Counter(items).values())


def asked(example: Example) -> str:
    """A prompt as it is compared: without case and with single spaces."""
    return " ".join(example.prompt.casefold().split())


def _parsed(source: str | Path) -> tuple[list[Record], list[Problem]]:
    parsed = list(files.parse(files.local(source)))
    return [each for each in parsed if isinstance(each, Record)], [each for each in parsed if isinstance(each, Problem)]


def check(source: str | Path, *, test: str | Path | None = None) -> Check:
    """Look a file through; `test` names the held-out file it must not overlap.

    Raises InputError where a file is missing, has an unknown suffix, or `test` has no rows that can be read.
    """
    records, problems = _parsed(source)
    shape, rows = "", list[Example]()
    if records:
        try:
            found, rows, wrong = shapes.examples(records)
            shape, problems = found.name, problems + wrong
        except InputError as error:
            problems.append(Problem("", "", str(error)))
    elif not problems:
        problems.append(Problem("", "", "expected at least one row; got none"))
    prompts = {asked(row) for row in rows}
    overlap = None
    if test is not None:
        overlap = sum(asked(row) in prompts for row in shapes.examples(files.read(test))[1])
    return Check(
        str(source),
        len(records),
        shape,
        tuple(_fields(records)),
        _repeated([repr(sorted(record.values.items())) for record in records]),
        _repeated([(asked(row), row.history) for row in rows]),
        overlap,
        tuple(problems),
    )
