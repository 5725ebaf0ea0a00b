"""The output folder: checked before anything is computed, one folder of tables for each experiment
in it.
"""

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
typed = "retrace"  # the command of this process as it was typed; `main` sets it


def machine() -> dict[str, str]:
    """What is told of this machine."""
    memory = (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        if hasattr(os, "sysconf")
        else 0.0
    )
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.1f} GiB",
        "python": platform.python_version(),
    }


def environment(world: str) -> dict[str, str]:
    """The machine, and the versions of what a world (theory, llm) computes with."""
    return machine() | {name: version(name) for name in ("numpy", *LIBRARIES[world])}


def writable(out: Path) -> Path:
    """The output folder, made if need be; InputError before anything is computed where it cannot be
    written.
    """
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
    """Write an experiment's tables, and the command and environment they come from, into
    OUT/records/WORLD/NAME.

    part: WORLD/NAME.
    """
    folder = out / "records" / part
    folder.mkdir(parents=True, exist_ok=True)
    _tell_of_replacement(result, folder)
    (folder / ORIGIN).unlink(
        missing_ok=True
    )  # tables are never told to come from an earlier command
    records.write(result, folder)
    note_origin(folder, typed, environment(part.split("/")[0]))


def _tell_of_replacement(result: records.Result, folder: Path) -> None:
    """A line on standard error where tables of other settings are written over."""
    try:
        earlier = records.read_specs(folder)
    except InputError:  # none yet, or none that can be read
        return
    if set(earlier) - set(result.specs):
        print(
            f"retrace: {folder} held records of other settings; they are replaced (--out takes "
            f"another folder)",
            file=sys.stderr,
        )
