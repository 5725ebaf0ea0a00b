"""The stage store: artifacts named by the hash of all that made them, each made once.

An artifact is a folder. It is made beside its place and renamed into it, locked while it is made, and its files are
checked against their SHA-256 when it is opened: killed anywhere, the next run finds whole artifacts or none.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from protocol.errors import InputError

FORMAT = 1  # of the folders and files in a store
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Store:
    """A folder of artifacts; make one with `open_store`."""

    root: Path


def open_store(root: Path) -> Store:
    """Open or create a store; InputError where it cannot be written or was written in another format."""
    marker = root / "store.json"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".store.lock"):
            if not marker.exists():
                if any(path.name != ".store.lock" for path in root.iterdir()):
                    raise InputError(f"runs folder: expected a store or an empty folder; {root} holds other files")
                marker.write_text(json.dumps({"format": FORMAT}) + "\n")
    except OSError as error:
        raise InputError(f"runs folder: expected a folder that can be written; {root}: {error.strerror}") from error
    try:
        found = json.loads(marker.read_text())["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"runs folder: expected a store of format {FORMAT}; {marker} cannot be read") from error
    if found != FORMAT:
        raise InputError(f"runs folder: expected a store of format {FORMAT}; {root} has format {found}; name another")
    return Store(root)


def path(store: Store, key: str) -> Path:
    """Where the artifact of that key stands, or will stand."""
    return store.root / "artifacts" / key


def scratch(store: Store, key: str) -> Path:
    """Where an artifact keeps what lets it go on if it is killed while it is made; gone once it is there."""
    return store.root / "artifacts" / f".{key}.scratch"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _checked(folder: Path) -> Path:
    manifest = json.loads((folder / MANIFEST).read_text())
    for name, expected in manifest["sha256"].items():
        file = folder / name
        if not file.is_file() or _sha256(file) != expected:
            raise InputError(f"store: {file} does not match its checksum; delete the folder {folder} and run again")
    return folder


def _make(folder: Path, make: Callable[[Path], None], description: str) -> None:
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    started = time.monotonic()
    make(partial)
    sums = {file.name: _sha256(file) for file in sorted(partial.iterdir())}
    manifest = {"description": description, "seconds": time.monotonic() - started, "sha256": sums}
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    partial.rename(folder)
    shutil.rmtree(folder.with_name(f".{folder.name}.scratch"), ignore_errors=True)


def produce(store: Store, key: str, make: Callable[[Path], None], *, description: str) -> Path:
    """The artifact of that key, made by `make(folder)` if it is not there yet; other processes wait for it."""
    folder = path(store, key)
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        with FileLock(folder.with_name(f".{key}.lock")):
            if not folder.exists():
                _make(folder, make, description)
    return _checked(folder)


def seconds(folder: Path) -> tuple[str, float]:
    """What the artifact is and how long it took to make."""
    manifest = json.loads((folder / MANIFEST).read_text())
    return manifest["description"], manifest["seconds"]
