"""Files of records, on disk or on the hub: readers by suffix, gzip, encoding, and refusals.

A record keeps its line (JSON lines, CSV, text) or its row (JSON, Parquet), counted from 1, so that
whatever is wrong with it can be found. All text is UTF-8, with or without a byte order mark. Files
compressed with gzip are known by their first bytes.
"""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm.data import json_text, tables
from llm.data.records import Note, Parsed, Problem, Record
from llm.models import hub
from protocol.errors import InputError

HUB = "hf://"
GZIP = b"\x1f\x8b"
TEXT: dict[str, Callable[[str], Parsed]] = {
    ".json": json_text.json_whole,
    ".jsonl": json_text.json_lines,
    ".ndjson": json_text.json_lines,
    ".csv": tables.table,
    ".tsv": tables.table,
    ".txt": json_text.text_lines,
}
SUFFIXES = (*TEXT, ".parquet")
# The first bytes of files that are no data, or data under another name.
LFS = b"version https://git-lfs.github.com/spec/"
UTF_16 = "text in UTF-16: save it as UTF-8"
BEGINNINGS = {
    LFS: "a pointer of Git LFS in place of the file: fetch the file with `git lfs pull`",
    b"PAR1": "Parquet: name it .parquet",
    b"PK\x03\x04": "a ZIP archive (or Excel's .xlsx): unpack it, or save it as CSV",
    b"SQLite format 3\0": "a database of SQLite: write its rows into one of the known formats",
    b"%PDF-": "a PDF",
    b"\x28\xb5\x2f\xfd": "a file of zstandard: unpack it, or compress it with gzip",
    b"BZh": "a file of bzip2: unpack it, or compress it with gzip",
    b"\xfd7zXZ\0": "a file of xz: unpack it, or compress it with gzip",
    b"\xff\xfe\0\0": "text in UTF-32: save it as UTF-8",
    b"\0\0\xfe\xff": "text in UTF-32: save it as UTF-8",
    b"\xff\xfe": UTF_16,
    b"\xfe\xff": UTF_16,
}
PAGE = "a web page, of a login or an error maybe: download the file itself"
MARKUP = {
    b"<!doctype html": PAGE,
    b"<html": PAGE,
    b"<?xml": "XML, a server's error maybe: download the file itself",
}


@dataclass(frozen=True)
class Content:
    """The content of a file: its rows, its faults, and notes on its reading, each in file order."""

    records: tuple[Record, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Note, ...]


def local(source: str | Path) -> Path:
    """The file on this machine: `source` itself, or a copy of a file of the hub.

    A file of the hub is named hf://datasets/OWNER/NAME[@REVISION]/PATH. Raises InputError if there
    is no such file, or the hub cannot be reached.
    """
    if not str(source).startswith(HUB):
        return _file(Path(source))
    from huggingface_hub import HfFileSystem, hf_hub_download

    try:
        place: Any = HfFileSystem().resolve_path(str(source))
        name = place.path_in_repo
        return Path(
            hf_hub_download(place.repo_id, name, repo_type=place.repo_type, revision=place.revision)
        )
    except Exception as error:  # the hub's client raises its own, the network's and the system's
        at = _page(str(source))
        if gated := hub.gated_at(error, at):
            raise InputError(f"data: {source} {gated}") from error
        raise InputError(
            f"data: expected a file of the hub; {source}: {hub.why(error, at)}"
        ) from error


def _page(source: str) -> str:
    """The page of the repository that a name on the hub stands in."""
    kind, _, path = source.removeprefix(HUB).partition("/")
    if kind != "datasets":
        kind, path = "model", f"{kind}/{path}"
    owner, _, rest = path.partition("/")
    return hub.page(f"{owner}/{rest.partition('/')[0].partition('@')[0]}", kind.removesuffix("s"))


def _file(path: Path) -> Path:
    try:
        if path.is_file():
            return path
        is_folder = path.is_dir()
    except OSError as error:  # a name that is too long, say
        raise InputError(f"data: expected a file; {path}: {error.strerror}") from error
    if is_folder:
        raise InputError(f"data: expected a file; {path} is a folder: name the files in it")
    raise InputError(f"data: expected a file; not found: {path}")


def content(source: str | Path) -> Content:
    """The whole of a file: every record, and a problem in the place of each unreadable record.

    Raises InputError if there is no such file, for a name that ends in none of SUFFIXES (with or
    without .gz), and for a file that the system does not let be read.
    """
    path = local(source)
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in SUFFIXES:
        raise InputError(
            f"data: expected a file named {', '.join(SUFFIXES)}, or one of these with .gz; got "
            f"{path.name}"
        )
    try:
        parsed = list(_parsed(path.read_bytes(), suffix))
    except OSError as error:
        raise InputError(
            f"data: expected a file that can be read; {path}: {error.strerror}"
        ) from error
    return Content(
        tuple(entry for entry in parsed if isinstance(entry, Record)),
        tuple(entry for entry in parsed if isinstance(entry, Problem)),
        tuple(entry for entry in parsed if isinstance(entry, Note)),
    )


def _mistaken(data: bytes, suffix: str) -> str | None:
    """What a file holds instead of data of its suffix, and what to do; None if nothing."""
    if not data.strip():
        return "an empty file"
    own = b"PAR1" if suffix == ".parquet" else None
    for beginning, name in BEGINNINGS.items():
        if data.startswith(beginning) and beginning != own:
            return name
    begun = data[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for beginning, name in MARKUP.items():
        if begun.startswith(beginning):
            return name
    if suffix != ".parquet" and b"\0" in data[:2]:  # no byte order mark
        return UTF_16
    return None


def _parsed(data: bytes, suffix: str) -> Parsed:
    if data.startswith(GZIP):
        try:
            data = gzip.decompress(data)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            yield Problem("", "", f"expected a whole gzip file; {error}")
            return
    if mistaken := _mistaken(data, suffix):
        yield Problem("", "", f"expected at least one row; got {mistaken}")
        return
    if suffix == ".parquet":
        yield from tables.parquet(data)
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(json_text.LINE_END.split(error.object[: error.start].decode("utf-8")))
        yield Problem(
            "", "", f"line {line}: expected UTF-8; byte {error.object[error.start]:#04x} is not"
        )
        return
    yield from TEXT[suffix](text)
