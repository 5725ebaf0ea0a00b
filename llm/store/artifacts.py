"""The stage store: artifacts named by the hash of all that made them, each made once.

An artifact is a folder; its manifest has its specification, how long it took, and the SHA-256 of
every file. It is made under another name in the same folder and then renamed, with a lock held, and
its files are checked against their SHA-256 when it is opened: after a kill at any point the next
run finds whole artifacts or none. `inventory` lists and tidies a store.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from protocol.errors import InputError
from protocol.spec import digest

FORMAT = 2  # of the folders and files in a store
MARKER = "store.json"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Store:
    """A folder of artifacts, made with `open_store`.

    checkpoint_every: updates between two checkpoints of a stage in training.
    """

    root: Path
    checkpoint_every: int = 100


@dataclass(frozen=True)
class Manifest:
    """What an artifact is: its specification, seconds it took, file name -> SHA-256."""

    description: str
    spec: Mapping[str, Any]
    seconds: float
    sha256: Mapping[str, str]


def _check_format(root: Path) -> None:
    marker = root / MARKER
    try:
        form = json.loads(marker.read_text())["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"runs folder: expected a store of format {FORMAT}; {marker} cannot be read"
        ) from error
    if form != FORMAT:
        raise InputError(
            f"runs folder: expected a store of format {FORMAT}; {root} has format {form}; name "
            "another"
        )


def open_store(root: Path, *, checkpoint_every: int = 100) -> Store:
    """Open or create a store; InputError if it cannot be written or has another format."""
    marker = root / MARKER
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".store.lock"):
            if not marker.exists():
                if any(path.name != ".store.lock" for path in root.iterdir()):
                    raise InputError(
                        f"runs folder: expected a store or an empty folder; {root} holds other "
                        "files"
                    )
                marker.write_text(json.dumps({"format": FORMAT}) + "\n")
    except OSError as error:
        raise InputError(
            f"runs folder: expected a folder that can be written; {root}: {error.strerror}"
        ) from error
    _check_format(root)
    if checkpoint_every < 1:
        raise InputError(f"checkpoint-every: expected at least 1 update; got {checkpoint_every}")
    return Store(root, checkpoint_every)


def existing_store(root: Path) -> Store:
    """The store in a folder, to be read only; InputError without one, or for another format."""
    if not (root / MARKER).exists():
        raise InputError(f"runs folder: expected a store; not found: {root}")
    _check_format(root)
    return Store(root)


def path(store: Store, key: str) -> Path:
    """The folder of the artifact of that key, finished or not."""
    return store.root / "artifacts" / key


def scratch(store: Store, key: str) -> Path:
    """The folder for checkpoints of an artifact in the making; removed when it is finished."""
    return store.root / "artifacts" / f".{key}.scratch"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the artifact in a folder; InputError if it cannot be read."""
    try:
        return Manifest(**json.loads((folder / MANIFEST).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{folder / MANIFEST} cannot be read") from error


def faults(folder: Path) -> Iterator[str]:
    """Why an artifact cannot be used, a line a fault; every file is checked against its SHA-256."""
    try:
        manifest = read_manifest(folder)
    except InputError as error:
        yield str(error)
        return
    if digest(manifest.spec) != folder.name:
        yield f"{folder / MANIFEST} does not match the key"
    for name, expected in manifest.sha256.items():
        file = folder / name
        try:
            if _sha256(file) != expected:
                yield f"{file} does not match its checksum"
        except FileNotFoundError:
            yield f"{file} is missing"
        except OSError as error:
            yield f"{file} cannot be read: {error.strerror}"


def _checked(folder: Path) -> Path:
    for fault in faults(folder):
        raise InputError(f"store: {fault}; delete the folder {folder} and run again")
    return folder


def _make(
    folder: Path, make: Callable[[Path], None], spec: Mapping[str, Any], description: str
) -> None:
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    started = time.monotonic()
    try:
        make(partial)
    except FloatingPointError as error:  # names the update; the node is only known here
        raise FloatingPointError(f"{description}: {error}") from error
    sums = {file.name: _sha256(file) for file in sorted(partial.iterdir())}
    took = time.monotonic() - started
    manifest = Manifest(description, spec, took, sums)
    (partial / MANIFEST).write_text(json.dumps(vars(manifest), indent=2) + "\n")
    partial.rename(folder)
    shutil.rmtree(folder.with_name(f".{folder.name}.scratch"), ignore_errors=True)


def produce(
    store: Store, spec: Mapping[str, Any], make: Callable[[Path], None], *, description: str
) -> Path:
    """The artifact of a specification, made by `make(folder)` if need be; other processes wait.

    spec: plain data that names everything the artifact depends on; its digest is the key. Raises
    InputError for an artifact whose files do not have their checksums.
    """
    key = digest(spec)
    folder = path(store, key)
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        with FileLock(folder.with_name(f".{key}.lock")):
            if not folder.exists():
                _make(folder, make, spec, description)
    return _checked(folder)


def seconds(folder: Path) -> tuple[str, float]:
    """What the artifact is and how long it took to make."""
    manifest = read_manifest(folder)
    return manifest.description, manifest.seconds
