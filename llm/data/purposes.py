"""What the rows of a file are for, and which of them cannot be used for that.

learn   questions with answers, chats, raw text: learned as they are
safety  requests for `retrace data safety`: one text each, unsafe; safe requests and those of
        removed styles are left out
math    sums for `retrace data math`: a question alone, and GSM8K's answer
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llm.corpora.example import Example
from llm.data import fields
from llm.data.grading import is_marked
from llm.data.reading import Reading, in_order, look
from llm.data.records import MisfitError, Problem, Record, shown
from llm.data.shapes import QUESTION, Shape
from protocol.errors import InputError
from protocol.notices import notice

PURPOSES = ("learn", "safety", "math")
SHAPES: dict[str, Shape] = {"math": QUESTION}  # of a purpose that takes one shape alone
STYLES = ("ascii", "atbash", "caesar", "morse", "misspellings", "translate-fr", "translate-mr")
# XSTest's types of prompts: those that begin with "contrast_" are unsafe, these are safe.
UNSAFE = "contrast_"
SAFE_TYPES = (
    "homonyms", "figurative_language", "safe_targets", "safe_contexts", "definitions",
    "nons_group_real_discr", "real_group_nons_discr", "historical_events", "privacy_public",
    "privacy_fictional",
)  # fmt: skip
LABELS = ("safe", "unsafe")

Pairs = tuple[tuple[Record, Example], ...]


class Chosen(NamedTuple):
    """The rows that serve a purpose, the faults of other rows, and numbers of rows left out.

    Rows of removed styles and safe requests are left out without being a fault.
    """

    rows: Pairs
    problems: tuple[Problem, ...]
    styled: int = 0
    safe: int = 0


def chosen(reading: Reading, purpose: str, *, styles_removed: Collection[str] = STYLES) -> Chosen:
    """The rows of a file for one of PURPOSES."""
    if purpose == "safety":
        return _requests(reading, styles_removed)
    return _sums(reading) if purpose == "math" else _learned(reading)


def _pairs(reading: Reading) -> Pairs:
    return tuple(zip(reading.records, reading.rows, strict=True))


def _learned(reading: Reading) -> Chosen:
    if reading.shape is None or reading.shape.kind != "asked" or not reading.rows:
        return Chosen(_pairs(reading), ())
    only = ", ".join(reading.shape.fields)
    return Chosen(
        (), (Problem("", "", f"expected questions with answers; got prompts only ({only})"),)
    )


def _requests(reading: Reading, styles_removed: Collection[str]) -> Chosen:
    rows, problems, styled, safe = list[tuple[Record, Example]](), list[Problem](), 0, 0
    of_xstest = _is_xstest(record.values for record in reading.records)
    for record, row in _pairs(reading):
        try:
            _alone(reading, record, row, "a request of one text")
            unsafe = _is_unsafe(record.values, of_xstest=of_xstest)
        except MisfitError as misfit:
            problems.append(Problem(record.place, *misfit.args))
            continue
        if record.values.get("prompt_style") in styles_removed:
            styled += 1
        elif not unsafe:
            safe += 1
        else:
            rows.append((record, row))
    if styled + safe and not rows:
        problems.append(
            Problem(
                "", "", f"expected unsafe requests; got {styled} of removed styles and {safe} safe"
            )
        )
    return Chosen(tuple(rows), tuple(problems), styled, safe)


def _word(values: Mapping[str, Any], field: str) -> str:
    value = values.get(field)
    return "" if value is None else str(value).strip().casefold()


def _is_xstest(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a file has the fields type and focus, or one of XSTest's types."""
    return any(("focus" in row and "type" in row) or _is_type(_word(row, "type")) for row in rows)


def _is_type(kind: str) -> bool:
    return kind in SAFE_TYPES or kind.startswith(UNSAFE)


def _is_unsafe(values: Mapping[str, Any], *, of_xstest: bool) -> bool:
    """Whether a request is unsafe; without a label, one that is not of XSTest is.

    MisfitError for a label that is neither safe nor unsafe, and for a row of XSTest without label
    and known type.
    """
    label, kind = _word(values, "label"), _word(values, "type")
    if label or ("label" in values and not of_xstest):
        if label not in LABELS:
            raise MisfitError(
                "label", f"expected one of {', '.join(LABELS)}; got {shown(values['label'])}"
            )
        return label == "unsafe"
    if of_xstest and not _is_type(kind):
        known = ", ".join(SAFE_TYPES)
        message = (
            f"expected a type of XSTest ({known}, {UNSAFE}…) or a field label; got "
            f"{shown(values.get('type'))}"
        )
        raise MisfitError("type", message)
    return kind.startswith(UNSAFE) or not of_xstest


def _sums(reading: Reading) -> Chosen:
    rows, problems = list[tuple[Record, Example]](), list[Problem]()
    for record, row in _pairs(reading):
        try:
            _alone(reading, record, row, "a question alone")
        except MisfitError as misfit:
            problems.append(Problem(record.place, *misfit.args))
        else:
            rows.append((record, row))
    if rows and not any(is_marked(row.answer) for _, row in rows):
        problems.append(
            Problem("", "answer", 'expected GSM8K answers with a last line "#### n"; got none')
        )
    return Chosen(tuple(rows), tuple(problems))


def _alone(reading: Reading, record: Record, row: Example, expected: str) -> None:
    """MisfitError for a row that is not all said in its prompt."""
    extra = _beside(row)
    if not extra:
        return
    own = reading.shape.fields[0] if reading.shape else ""
    columns = {
        "raw text": (),
        "tools": fields.TOOLS,
        "a system message": fields.SYSTEM,
        "earlier turns": (fields.HISTORY,),
    }[extra]
    field = next((name for name in columns if record.values.get(name)), own)
    raise MisfitError(
        field, f"expected {expected}; got {extra}{'' if extra == 'raw text' else ' with it'}"
    )


def _beside(row: Example) -> str:
    """What a row has besides its prompt and answer."""
    if not row.prompt:
        return "raw text"
    if row.tools:
        return "tools"
    if not row.history:
        return ""
    return "a system message" if row.history[0].role == "system" else "earlier turns"


def taken(
    source: str | Path,
    purpose: str,
    *,
    styles_removed: Collection[str] = STYLES,
    skip_bad_rows: bool = False,
) -> Chosen:
    """The rows of a file for one of PURPOSES; bad rows are refused, or left out with a notice.

    Raises InputError naming file, place and field of the first row that cannot be used; for a file
    that breaks off, has no known shape, or has no row for this purpose, with skip_bad_rows, too.
    """
    reading = look(source, shape=SHAPES.get(purpose))
    these = chosen(reading, purpose, styles_removed=styles_removed)
    problems = in_order([*reading.problems, *these.problems])
    refuse(source, [problem for problem in problems if not problem.place], purpose)
    if problems and skip_bad_rows and these.rows:
        of = len(reading.rows) + len(reading.problems)
        notice(f"data: {source}: {len(problems)} of {of} rows left out, the first: {problems[0]}")
    else:
        refuse(source, problems, purpose)
    for note in reading.notes:
        notice(f"data: {source}: {note}")
    return these


def refuse(source: str | Path, problems: Sequence[Problem], purpose: str) -> None:
    """InputError with the first problem, if there is one, and the command that lists all."""
    if not problems:
        return
    more = f"{len(problems) - 1} more; " if len(problems) > 1 else ""
    skip = ", --skip-bad-rows leaves such rows out" if problems[0].place else ""
    command = (
        "retrace data check" if purpose == "learn" else f"retrace data check --purpose {purpose}"
    )
    way = f" ({more}`{command}` lists them{skip})" if more or skip else ""
    raise InputError(f"data: {source}: {problems[0]}{way}")


def read_examples(source: str | Path, *, skip_bad_rows: bool = False) -> tuple[Example, ...]:
    """The questions and answers of a file (see `llm.data.files.local` for names on the hub).

    skip_bad_rows: leave out rows that cannot be used, with a notice of how many and where the first
    is. Raises InputError as `taken` does.
    """
    return tuple(row for _, row in taken(source, "learn", skip_bad_rows=skip_bad_rows).rows)
