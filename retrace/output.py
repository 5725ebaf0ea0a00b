"""The output folder, which has one folder of tables for each experiment."""

import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from protocol import records
from protocol.errors import InputError
from protocol.sources import ORIGIN, note_origin

LIBRARIES = {"theory": ("jax", "jaxlib", "flax", "optax"), "llm": ("torch", "transformers", "peft")}
typed = "retrace"  # the command line of this process; `main` sets it


def machine() -> dict[str, str]:
    """The description of this machine in records and report."""
    known = hasattr(os, "sysconf")
    pages = os.sysconf("SC_PHYS_PAGES") if known else 0
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**30 if known else 0.0
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.1f} GiB",
        "python": platform.python_version(),
    }


def environment(world: str) -> dict[str, str]:
    """The machine, and the versions of the libraries of one side (theory, llm)."""
    return machine() | {name: version(name) for name in ("numpy", *LIBRARIES[world])}


def writable(out: Path) -> Path:
    """The output folder, made if it is missing; InputError if it cannot be written."""
    try:
        (out / "records").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InputError(
            f"out: expected a folder that can be written; {out}: {error.strerror}"
        ) from error
    return out


def save(result: records.Result, out: Path, part: str) -> None:
    """Write an experiment's tables, with their command and environment, into OUT/records/PART.

    part: the side and the name of the experiment, such as llm/positions.
    """
    folder = out / "records" / part
    folder.mkdir(parents=True, exist_ok=True)
    _warn_of_replacement(result, folder)
    (folder / ORIGIN).unlink(missing_ok=True)  # tables never name an earlier command
    records.write(result, folder)
    note_origin(folder, typed, environment(part.split("/")[0]))


def _warn_of_replacement(result: records.Result, folder: Path) -> None:
    """A line on standard error if tables of other settings are replaced."""
    try:
        earlier = records.read_specs(folder)
    except InputError:  # none yet, or none that can be read
        return
    if set(earlier) - set(result.specs):
        print(
            f"retrace: {folder} held records of other settings; they are replaced (--out takes "
            "another folder)",
            file=sys.stderr,
        )
