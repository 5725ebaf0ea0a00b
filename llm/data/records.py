"""A row of a file with its place, a fault with its place, and how values are printed."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Record(NamedTuple):
    """One row of a file, and where it stands: "line 7" or "row 7"."""

    place: str
    values: Mapping[str, Any]


class Problem(NamedTuple):
    """A fault with its place and field; both are empty if the fault is that of the whole file."""

    place: str
    field: str
    message: str

    def __str__(self) -> str:
        field = self.field and f"field {self.field!r}"
        where = ", ".join(part for part in (self.place, field) if part)
        return one_line(f"{where}: {self.message}" if where else self.message)


class Note(NamedTuple):
    """How a file is read where that can be read in two ways; no problem."""

    message: str


Parsed = Iterator[Record | Problem | Note]


class MisfitError(Exception):
    """A record that does not fit its shape: field and message."""


def one_line(text: str) -> str:
    """A text in one line: line breaks, control characters and lone surrogates are escaped."""
    printable = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return CONTROL.sub(lambda match: repr(match[0])[1:-1], printable)


def shown(value: object) -> str:
    """The beginning of a value on one line, for messages; "nothing" for None."""
    return "nothing" if value is None else whole(value)[:60]


def whole(value: object) -> str:
    """A value as Python writes it; "…" for one that is nested too deeply to be written."""
    try:
        return repr(value)
    except RecursionError:
        return "…"


def strings(value: object, *, names: bool = True) -> Iterator[str]:
    """All texts inside a value at any depth, the names of fields among them."""
    rest = [value]
    while rest:
        part = rest.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, Mapping):
            rest.extend(part.values())
            if names:
                yield from part
        elif isinstance(part, list | tuple):
            rest.extend(part)


def texts(value: object) -> Iterator[str]:
    """All texts inside a value that are not blank, stripped; without the names of fields."""
    stripped = (text.strip() for text in strings(value, names=False))
    return (text for text in stripped if text)
