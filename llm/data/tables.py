"""Records out of CSV, TSV and Parquet.

The separator of a CSV file is that of comma, semicolon and tab which splits its first line into the
most names; of two that split it alike, the one named first. Lines end in LF, CR LF or CR; cells may
be of any length.
"""

import csv
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl

from llm.data.records import Parsed, Problem, Record
from protocol.errors import first_line

SEPARATORS = (",", ";", "\t")
LONGEST = 2**31 - 1  # characters of a cell; csv's own limit is 131,072
_limit = threading.Lock()


@contextmanager
def _long_cells() -> Iterator[None]:
    """csv's limit is that of the whole process: it is raised for one file, and put back."""
    with _limit:
        before = csv.field_size_limit(LONGEST)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _reader(text: str, delimiter: str) -> "csv.Reader":
    return csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)


def _names(text: str, delimiter: str) -> int:
    """How many names a separator makes of the first line; 0 if it makes no CSV of it."""
    try:
        return len(next((cells for cells in _reader(text, delimiter) if cells), []))
    except csv.Error:
        return 0


def separator(text: str) -> str:
    """The separator of the cells of a table.

    The whole text is given, because a quoted name may run over several lines.
    """
    return max(SEPARATORS, key=lambda item: _names(text, item))


def table(text: str) -> Parsed:
    """The rows of a CSV or TSV file; its first line names the columns."""
    with _long_cells():
        # All of it: the limit must not stay while another file is read.
        parsed = list(_table(text, separator(text)))
    yield from parsed


def _table(text: str, delimiter: str) -> Parsed:
    reader, start = _reader(text, delimiter), 1
    try:
        header = [name.strip() for name in next((cells for cells in reader if cells), [])]
        if len(set(header)) < len(header):
            names = ", ".join(header)
            yield Problem("", "", f"line 1: expected distinct column names; got {names}")
            return
        start = reader.line_num + 1
        for cells in reader:
            # A quoted cell may run over several lines.
            place, start = f"line {start}", reader.line_num + 1
            if len(cells) == len(header):
                yield Record(place, dict(zip(header, cells, strict=True)))
            elif cells:
                yield Problem(place, "", f"expected {len(header)} cells; got {len(cells)}")
    except csv.Error as error:
        # Nothing behind this line can be read.
        yield Problem("", "", f"line {start}: expected CSV; {error}")


def parquet(data: bytes) -> Parsed:
    """The rows of a Parquet file, given its bytes.

    polars would read a path with brackets as a pattern.
    """
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        yield Problem("", "", f"expected Parquet; {first_line(error)}")
        return
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    for number, values in enumerate(frame.iter_rows(named=True), start=1):
        for name in nested:
            values[name] = _without_nothing(values[name])
        yield Record(f"row {number}", values)


def _without_nothing(value: Any) -> Any:
    """A value without its empty fields: Parquet gives every object the fields of all objects."""
    if isinstance(value, dict):
        return {name: _without_nothing(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nothing(item) for item in value]
    return value
