"""Records out of JSON, JSON lines, CSV and Parquet files, on disk or on the hub, each with the place it stands at.

A record keeps its line (JSON lines, CSV) or its row (JSON, Parquet), counted from 1, so that whatever is wrong with it
can be found. JSON is a list of objects or one object of columns of equal length (TOFU has both, and JSON lines in files
named .json: the content decides, not the name). All text is UTF-8, with or without a byte order mark.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from protocol.errors import InputError

HUB = "hf://"


class Record(NamedTuple):
    """One row of a file, and where it stands: "line 7" or "row 7"."""

    place: str
    values: Mapping[str, Any]


class Problem(NamedTuple):
    """What is wrong, where: a place of the file and a field, both empty where the whole file is meant."""

    place: str
    field: str
    message: str

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.place, self.field and f"field {self.field!r}") if part)
        return f"{where}: {self.message}" if where else self.message


Parsed = Iterator[Record | Problem]


def _object(place: str, value: Any) -> Record | Problem:
    if isinstance(value, dict):
        return Record(place, value)
    return Problem(place, "", f"expected an object with named fields; got {json.dumps(value)[:60]}")


def _json_lines(text: str) -> Parsed:
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: U+2028 may stand inside a string
        if line.strip():
            try:
                yield _object(f"line {number}", json.loads(line))
            except ValueError as error:
                yield Problem(f"line {number}", "", f"expected a JSON object; {error}")


def _json(text: str) -> Parsed:
    try:
        data = json.loads(text)
    except ValueError as error:
        first, _, rest = text.lstrip().partition("\n")
        if rest.strip() and _is_object(first):  # JSON lines under another name
            yield from _json_lines(text)
        else:
            yield Problem("", "", f"expected JSON; {error}")
        return
    if isinstance(data, dict) and data and all(isinstance(column, list) for column in data.values()):
        lengths = {name: len(column) for name, column in data.items()}
        if len(set(lengths.values())) > 1:
            yield Problem("", "", f"expected columns of equal length; got {lengths}")
            return
        data = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    for number, value in enumerate(data if isinstance(data, list) else [data], start=1):
        yield _object(f"row {number}", value)


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _csv(text: str) -> Parsed:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            yield Problem("line 1", "", f"expected distinct column names; got {', '.join(header)}")
            return
        start = reader.line_num + 1
        for cells in reader:
            place, start = f"line {start}", reader.line_num + 1  # a quoted cell may run over several lines
            if len(cells) == len(header):
                yield Record(place, dict(zip(header, cells, strict=True)))
            elif cells:
                yield Problem(place, "", f"expected {len(header)} cells; got {len(cells)}")
    except csv.Error as error:
        yield Problem(f"line {reader.line_num}", "", f"expected CSV; {error}")


TEXT: dict[str, Callable[[str], Parsed]] = {".json": _json, ".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv}
SUFFIXES = (*TEXT, ".parquet")


def _parquet(path: Path) -> Parsed:
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        yield Problem("", "", f"expected Parquet; {str(error).splitlines()[0]}")
        return
    for number, values in enumerate(frame.iter_rows(named=True), start=1):
        yield Record(f"row {number}", values)


def local(source: str | Path) -> Path:
    """The file on this machine: `source` itself, or a copy of hf://datasets/OWNER/NAME[@REVISION]/PATH from the hub.

    Raises InputError where there is no such file, or the hub cannot be reached.
    """
    if not str(source).startswith(HUB):
        path = Path(source)
        if not path.is_file():
            raise InputError(f"data: expected a file; not found: {path}")
        return path
    from huggingface_hub import HfFileSystem, hf_hub_download

    try:
        place: Any = HfFileSystem().resolve_path(str(source))
        name = place.path_in_repo
        return Path(hf_hub_download(place.repo_id, name, repo_type=place.repo_type, revision=place.revision))
    except Exception as error:  # the hub's client raises its own, the network's and the system's
        raise InputError(f"data: expected a file of the hub; {source}: {error}") from error


def parse(path: Path) -> Parsed:
    """Every record of a file in order, and in the place of each unreadable one what is wrong with it.

    Raises InputError for a name that does not end in .json, .jsonl, .ndjson, .csv or .parquet.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"data: expected a file named {', '.join(SUFFIXES)}; got {path.name}")
    if suffix == ".parquet":
        yield from _parquet(path)
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        yield Problem(f"line {line}", "", f"expected UTF-8; byte {error.object[error.start]:#04x} is not")
        return
    yield from TEXT[suffix](text)


def read(source: str | Path) -> list[Record]:
    """All records of a file; InputError at the first problem, saying how many more there are, and for no rows."""
    parsed = list(parse(local(source)))
    problems = [each for each in parsed if isinstance(each, Problem)]
    refuse(source, problems)
    if not parsed:
        raise InputError(f"data: expected at least one row; {source} holds none")
    return [each for each in parsed if isinstance(each, Record)]


def refuse(source: str | Path, problems: list[Problem]) -> None:
    """InputError naming the first of the problems, if there is one."""
    if problems:
        more = f" (and {len(problems) - 1} more; see `retrace data check`)" if len(problems) > 1 else ""
        raise InputError(f"data: {source}: {problems[0]}{more}")
