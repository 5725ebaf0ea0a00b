"""The output folder: checked before anything is computed, one folder of tables for each experiment in it."""

import tempfile
from pathlib import Path

from protocol import records
from protocol.errors import InputError


def writable(out: Path) -> Path:
    """The output folder, made if need be; InputError before anything is computed where it cannot be written."""
    try:
        (out / "records").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InputError(f"out: expected a folder that can be written; {out}: {error.strerror}") from error
    return out


def save(result: records.Result, out: Path, part: str) -> None:
    """Write an experiment's tables into OUT/records/PART."""
    folder = out / "records" / part
    folder.mkdir(parents=True, exist_ok=True)
    records.write(result, folder)
