"""A file's rows as examples: rows that fit, faults of the others, and notes on the reading."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llm.corpora.example import Example, Message
from llm.data import fields, files, turns
from llm.data.records import MisfitError, Problem, Record, one_line
from llm.data.shapes import CHATS, Shape, Values, shape_of
from protocol.errors import InputError

HOW = {
    "text": "raw text: the whole of field 'text' is learned, without a prompt",
    "preference": (
        "preference pairs: the prompt and the chosen answer are learned, the rejected one is not"
    ),
}
UNEVEN = "the turns do not alternate between user and assistant; some templates refuse that"
BEHIND = "turns after the last answer are left out"


@dataclass(frozen=True)
class Reading:
    """A file that was read. `records` and `rows` belong together, one by one.

    shape: None if no shape fits.
    """

    parsed: tuple[Record, ...]  # all records of the file
    shape: Shape | None
    records: tuple[Record, ...]
    rows: tuple[Example, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def look(source: str | Path, *, shape: Shape | None = None) -> Reading:
    """Read a file as far as possible, in the shape of its fields or in the given shape.

    Raises InputError only where `files.content` does.
    """
    content = files.content(source)
    notes = [one_line(note.message) for note in content.notes]
    if not content.records:
        none = content.problems or (Problem("", "", "expected at least one row; got none"),)
        return Reading((), None, (), (), none, tuple(notes))
    try:
        shape = shape or shape_of(content.records)
    except InputError as error:
        problems = (*content.problems, Problem("", "", str(error).removeprefix("data: ")))
        return Reading(content.records, None, (), (), problems, tuple(notes))
    return _read(shape, content.records, content.problems, notes)


def _read(
    shape: Shape, records: Sequence[Record], wrong: Sequence[Problem], notes: list[str]
) -> Reading:
    fitting, rows = list[Record](), list[Example]()
    problems, remarks = list(wrong), dict[str, list[str]]()
    for record in records:
        try:
            row, said = example_of(shape, record.values)
        except MisfitError as misfit:
            problems.append(Problem(record.place, *misfit.args))
            continue
        fitting.append(record)
        rows.append(row)
        for remark in said:
            remarks.setdefault(remark, []).append(record.place)
    notes = [*notes, *([HOW[shape.name]] if shape.name in HOW else [])]
    notes += [
        f"{len(places)} of {len(rows)} rows: {text} (first: {places[0]})"
        for text, places in remarks.items()
    ]
    if lost := _unread(shape, fitting, rows):
        notes.append(f"fields that hold text and are not read: {one_line(', '.join(lost))}")
    return Reading(
        tuple(records), shape, tuple(fitting), tuple(rows), tuple(in_order(problems)), tuple(notes)
    )


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems by line or row, those of the whole file first."""
    return sorted(problems, key=lambda problem: int(problem.place.rpartition(" ")[2] or 0))


def _unread(shape: Shape, records: Sequence[Record], rows: Sequence[Example]) -> list[str]:
    pairs = [(record.values, row) for record, row in zip(records, rows, strict=True)]
    lost = list(fields.unread(pairs, shape.used))
    for field in (*shape.fields, *shape.optional, fields.HISTORY):
        values = (record.values.get(field) for record in records)
        chats = (value for value in values if field in CHATS or isinstance(value, list | dict))
        inside = dict.fromkeys(name for value in chats for name in turns.unread(value))
        lost += [f"{field}[].{name}" for name in inside]
    return lost


def example_of(shape: Shape, values: Values) -> tuple[Example, list[str]]:
    """The example of a record, and what is to be remarked; MisfitError if it is none."""
    said, tools = shape.said(values), fields.tools(values)
    system, past = fields.system(values), turns.past(values.get(fields.HISTORY), fields.HISTORY)
    if shape.kind == "raw":
        if system or past or tools:
            raise MisfitError(
                shape.fields[0],
                "expected raw text alone; got a system message, a history or tools, too",
            )
        return Example("", said[0].content), []
    whole = _begun(system, past, said)
    asked, answer, remarks = _split(whole, shape)
    return Example(asked[-1].content, answer, tuple(asked[:-1]), tools), remarks


def _begun(system: str, past: list[Message], said: list[Message]) -> list[Message]:
    """A conversation with what the record's other columns say before it."""
    own, body = turns.without_system(said)
    if system and own and own[0].content != system:
        raise MisfitError(
            "system",
            "expected one system message; got another in the conversation: "
            f"{own[0].content[:40]!r}",
        )
    first = [Message("system", system)] if system else own
    return [*first, *past, *body]


def _split(said: list[Message], shape: Shape) -> tuple[list[Message], str, list[str]]:
    """The turns up to the prompt, the answer, and remarks on the order of the turns."""
    field, roles = shape.fields[-1], [turn.role for turn in said]
    spoken = roles[1:] if roles[:1] == ["system"] else roles
    if spoken[:1] != ["user"]:
        raise MisfitError(field, f"expected a user's turn first; got {_listed(roles)}")
    end = len(said)
    if shape.kind == "answered":
        end = max((place for place, role in enumerate(roles) if role == "assistant"), default=0)
        if roles[end - 1] != "user" or end == 0:
            expected = "expected an assistant's turn after a user's at the end"
            raise MisfitError(field, f"{expected}; got {_listed(roles)}")
    elif roles[-1] != "user":
        raise MisfitError(field, f"expected a user's turn at the end; got {_listed(roles)}")
    answer = said[end].content if end < len(said) else ""
    return said[:end], answer, [UNEVEN] * _is_uneven(spoken) + [BEHIND] * (end < len(said) - 1)


def _is_uneven(roles: list[str]) -> bool:
    return any(role != ("user", "assistant")[place % 2] for place, role in enumerate(roles))


def _listed(roles: list[str]) -> str:
    shorter = roles if len(roles) <= 6 else [*roles[:2], "…", *roles[-3:]]
    return ", ".join(shorter) or "no turn"
