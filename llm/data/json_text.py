"""Records out of JSON, JSON lines and plain text.

The content decides, not the name: JSON lines are found in files named .json (TOFU has them), a list
in files named .jsonl. JSON is one of

    [ {…}, … ] or [ "text", … ]                      a list of rows; a text alone is raw text
    {"field": [ … ], …}                              columns of equal length (TOFU), or
                                                     {"field": {"0": …}} (pandas)
    {"data": [ {…}, … ]}                             a list of rows under a name of WRAPPERS, or
                                                     under the only name
    {"rows": [ {"row_idx": 0, "row": {…}}, … ]}      the answer of the server of hub data sets
    {…}                                              one row

A text file holds one raw text a line, as the `datasets` library reads it; blank lines are left out.
Lines end in LF, CR LF or CR, and nowhere else: U+2028 may stand inside a string.
"""

import json
import re
from typing import Any

from llm.data.records import Note, Parsed, Problem, Record, shown, strings, texts

WRAPPERS = (
    "data", "rows", "train", "test", "validation", "examples", "instances", "items", "records"
)  # fmt: skip
TURNS = (("role", "content"), ("from", "value"))
LINE_END = re.compile("\r\n|\r|\n")
LONE = re.compile("[\ud800-\udfff]")  # half a character: JSON can escape it, UTF-8 cannot write it


def text_lines(text: str) -> Parsed:
    """One raw text a line."""
    for number, line in enumerate(LINE_END.split(text), start=1):
        if line.strip():
            yield Record(f"line {number}", {"text": line})


def json_lines(text: str) -> Parsed:
    """One object or text a line."""
    if text.lstrip().startswith("["):
        yield from json_whole(text)
        return
    for number, line in enumerate(LINE_END.split(text), start=1):
        if line.strip():
            try:
                yield _row(f"line {number}", _value(line), halves=_may_have_halves(line))
            except (ValueError, RecursionError) as error:
                yield Problem(f"line {number}", "", f"expected a JSON object; {error}")


def json_whole(text: str) -> Parsed:
    """A list of rows, columns, a wrapped list, or a single row."""
    if not text.strip():
        return
    try:
        data = _value(text)
    except (ValueError, RecursionError) as error:
        first, *rest = LINE_END.split(text.lstrip(), maxsplit=1)
        if rest and rest[0].strip() and _is_object(first):  # JSON lines under another name
            yield from json_lines(text)
        else:
            yield Problem("", "", f"expected JSON; {error}")
        return
    rows = data if isinstance(data, list) else [data]
    if isinstance(data, dict):
        rows, notes = _rows(data)
        yield from notes
    halves = _may_have_halves(text)
    for number, value in enumerate(rows, start=1):
        yield _row(f"row {number}", value, halves=halves)


def _value(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; ValueError if a name is used twice, because JSON keeps the last value only."""
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(name for number, (name, _) in enumerate(pairs) if name in dict(pairs[:number]))
        raise ValueError(f"got the name {twice!r} twice in one object")
    return made


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _may_have_halves(written: str) -> bool:
    return "\\ud" in written or "\\uD" in written


def _row(place: str, value: Any, *, halves: bool) -> Record | Problem:
    """The record of a JSON value; `halves`: whether halves of characters may stand in it."""
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, dict):
        return Problem(place, "", f"expected an object with named fields; got {shown(value)}")
    if _is_served(value):
        if cut := value.get("truncated_cells"):
            return Problem(place, shown(cut[0]), "expected the whole cell; the server cut it")
        value = value["row"]
    if halves:
        for field, held in value.items():
            if any(not text.isascii() and LONE.search(text) for text in (field, *strings(held))):
                return Problem(
                    place, field, "expected text; got a lone surrogate, half of a character"
                )
    return Record(place, value)


def _is_served(value: dict[str, Any]) -> bool:
    """Whether a row is a row of the hub's server: the row itself, its number, and its cut cells."""
    return isinstance(value.get("row"), dict) and value.keys() <= {
        "row",
        "row_idx",
        "truncated_cells",
    }


def _rows(data: dict[str, Any]) -> tuple[list[Any], list[Note | Problem]]:
    """The rows of an object (of a list in it, of its columns, or the object itself), and notes."""
    lists = [name for name, value in data.items() if _is_wrapper(name, value, alone=len(data) == 1)]
    if len(lists) > 1:
        message = f"expected one list of rows; got {', '.join(lists)}: give each a file of its own"
        return [], [Problem("", "", message)]
    if lists:
        return _unwrapped(data, lists[0])
    if data and all(_is_pandas(column) for column in data.values()):
        return _by_number(data)
    if not data or any(_is_turns(value) for value in data.values()):
        return [data], []
    if not all(isinstance(column, list) for column in data.values()):
        return [data], []
    lengths = {name: len(column) for name, column in data.items()}
    if len(set(lengths.values())) > 1:
        return [], [Problem("", "", f"expected columns of equal length; got {lengths}")]
    return [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)], []


def _by_number(data: dict[str, dict[str, Any]]) -> tuple[list[Any], list[Note | Problem]]:
    """The rows of columns by row number, joined by that number, in the first column's order."""
    first, numbers = next(iter(data.items()))
    for name, column in data.items():
        odd = sorted(column.keys() ^ numbers.keys(), key=int)
        if odd:
            have, lack = (name, first) if odd[0] in column else (first, name)
            message = (
                f"expected the same row numbers in every column; {have!r} has {odd[0]}, {lack!r} "
                "has not"
            )
            return [], [Problem("", name, message)]
    return [{name: column[number] for name, column in data.items()} for number in numbers], []


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _is_turns(value: Any) -> bool:
    """Whether a list is one conversation, and so a value of one row."""
    return _is_objects(value) and any(value[0].keys() >= {who, said} for who, said in TURNS)


def _is_pandas(column: Any) -> bool:
    """Whether a column is written by row number, as `DataFrame.to_json` does."""
    return isinstance(column, dict) and bool(column) and all(name.isdecimal() for name in column)


def _is_wrapper(name: str, value: Any, *, alone: bool) -> bool:
    if _is_objects(value):
        return (alone or name in WRAPPERS) and not _is_turns(value)
    is_texts = (
        isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
    )
    return is_texts and alone and name in WRAPPERS


def _unwrapped(data: dict[str, Any], name: str) -> tuple[list[Any], list[Note | Problem]]:
    """The rows under a name; other content that could matter is named."""
    beside = [
        other for other in data if other not in (name, "features") and any(texts(data[other]))
    ]
    notes: list[Note | Problem] = (
        [Note(f"rows are those of {name!r}; not read: {', '.join(beside)}")] if beside else []
    )
    return data[name], notes
