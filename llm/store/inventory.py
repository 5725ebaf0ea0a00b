"""What a store holds: its artifacts and how they hang together, what is damaged, and what can go.

A key has, beside its artifact, hidden names of `llm.store.artifacts`: .KEY.lock, .KEY.partial and
.KEY.scratch, and from here .KEY.pruned, an artifact on its way out. Who makes an artifact holds its
lock; so does `prune` while it removes, and what is locked it leaves alone. An artifact goes by a
rename, so a reader finds it whole or not at all.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from llm.store.artifacts import MANIFEST, Manifest, Store, faults, path, read_manifest
from protocol.errors import InputError
from protocol.progress import Progress, quiet

KEY = re.compile(r"[0-9a-f]{16}")
HIDDEN = re.compile(r"\.([0-9a-f]{16})\.(lock|partial|scratch|pruned)")
UNREADABLE = Manifest("(its manifest cannot be read)", {}, 0.0, {})


@dataclass(frozen=True)
class Artifact:
    """One artifact as its manifest tells of it; size in bytes, made in seconds since 1970."""

    folder: Path
    manifest: Manifest
    size: int
    made: float

    @property
    def key(self) -> str:
        """The hash of its specification."""
        return self.folder.name

    @property
    def kind(self) -> str:
        """base, stage, unlearning, retrained, floor, ..."""
        return str(self.manifest.spec.get("kind", "unknown"))

    @property
    def parent(self) -> str | None:
        """Key of what it was trained on."""
        return self.manifest.spec.get("parent")


@dataclass(frozen=True)
class Damage:
    """One thing wrong with an artifact, and what to do."""

    artifact: Artifact
    fault: str
    remedy: str


@dataclass(frozen=True)
class Removal:
    """One folder that goes, why, and its size in bytes."""

    folder: Path
    reason: str
    size: int


@dataclass(frozen=True)
class Pruned:
    """What went: folders and the number of lock files; and the keys left alone because a process
    works on them.
    """

    removals: tuple[Removal, ...]
    locks: int
    locked: tuple[str, ...]


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _artifact(folder: Path) -> Artifact:
    try:
        manifest = read_manifest(folder)
    except InputError:
        manifest = UNREADABLE
    return Artifact(folder, manifest, _size(folder), folder.stat().st_mtime)


def _reading_order(artifact: Artifact) -> tuple[list[str | int], str]:
    parts = re.split(
        r"(\d+)", artifact.manifest.description
    )  # every second part is a number: seed 2 before seed 10
    return [int(part) if odd % 2 else part for odd, part in enumerate(parts)], artifact.key


def artifacts(store: Store) -> list[Artifact]:
    """All artifacts of a store, by description."""
    found = []
    for folder in path(store, "").glob(
        "*"
    ):  # the folder of all artifacts, which an empty store lacks
        if KEY.fullmatch(folder.name):
            with contextlib.suppress(
                FileNotFoundError
            ):  # removed by another process since the folder was listed
                found.append(_artifact(folder))
    return sorted(found, key=_reading_order)


def find(among: Sequence[Artifact], beginning: str) -> Artifact:
    """The one artifact whose key begins so; InputError where none does, or several do."""
    found = [artifact for artifact in among if artifact.key.startswith(beginning.lower())]
    if not found:
        raise InputError(
            f"key: expected the beginning of an artifact's key; none of {len(among)} begins "
            f"{beginning!r}"
        )
    if len(found) > 1:
        keys = ", ".join(artifact.key for artifact in found[:4]) + (
            ", ..." if len(found) > 4 else ""
        )
        raise InputError(
            f"key: expected the beginning of one key; {beginning!r} begins {len(found)}: {keys}"
        )
    return found[0]


def _damages(artifact: Artifact) -> Iterator[Damage]:
    folder = artifact.folder
    for fault in faults(folder):
        yield Damage(artifact, fault, "delete its folder and run again")
    for file in sorted(folder.iterdir()):
        if artifact.manifest is not UNREADABLE and file.name not in {
            *artifact.manifest.sha256,
            MANIFEST,
        }:
            yield Damage(artifact, f"{file} does not belong to it", "move the file away")


def verify(among: Sequence[Artifact], progress: Progress = quiet) -> list[Damage]:
    """All that is wrong with these artifacts; nothing is changed."""
    damages: list[Damage] = []
    for done, artifact in enumerate(among):
        progress("artifacts", done, len(among))
        found: list[Damage] = []
        with contextlib.suppress(FileNotFoundError):
            found = list(_damages(artifact))
        if artifact.folder.exists():  # else removed by another process since it was listed
            damages += found
    progress("artifacts", len(among), len(among))
    return damages


@contextlib.contextmanager
def _alone(lock: Path, *, keep: bool) -> Iterator[bool]:
    """Whether nobody works on a key; its lock is held meanwhile, and its file removed unless it is
    to be kept.
    """
    held = FileLock(lock, blocking=False)
    with contextlib.suppress(Timeout):
        held.acquire()
    try:
        yield held.is_locked
    finally:
        if held.is_locked:
            if not keep:
                lock.unlink(
                    missing_ok=True
                )  # while it is held: who waited for this file sees it gone and asks anew
            held.release()


def _removals(store: Store, key: str, numerics: str | None, damaged: bool) -> Iterator[Removal]:
    """What of a key can go; its lock is held."""
    folder = path(store, key)
    for name in ("partial", "scratch", "pruned"):
        left = folder.with_name(f".{key}.{name}")
        if left.exists():
            yield Removal(
                left,
                "half removed" if name == "pruned" else "left behind by a killed run",
                _size(left),
            )
    if not folder.exists():
        return
    artifact = _artifact(folder)
    made_under = artifact.manifest.spec.get("numerics", numerics)
    if numerics is not None and made_under != numerics:
        yield Removal(
            folder,
            f"{artifact.manifest.description}, made under numerics {made_under}",
            artifact.size,
        )
    elif damaged and (fault := next(faults(folder), None)):
        yield Removal(folder, f"{artifact.manifest.description}, {fault}", artifact.size)


def _remove(folder: Path) -> None:
    if not folder.name.startswith("."):
        folder = folder.rename(folder.with_name(f".{folder.name}.pruned"))
    shutil.rmtree(folder)


def prune(
    store: Store,
    *,
    numerics: str | None = None,
    damaged: bool = False,
    dry_run: bool = False,
    progress: Progress = quiet,
) -> Pruned:
    """Remove what killed runs left behind; with `damaged` also such artifacts, with `dry_run` only
    tell.

    numerics: where given, artifacts of any other go, too. What a killed run left behind includes
    the checkpoint from which the next would have gone on. Safe beside processes that work in the
    store. Raises InputError where the store cannot be written.
    """
    removals: list[Removal] = []
    locked: list[str] = []
    names = {entry.name for entry in path(store, "").glob("*")}
    hidden = [found for found in map(HIDDEN.fullmatch, names) if found]
    keys = sorted({name for name in names if KEY.fullmatch(name)} | {found[1] for found in hidden})
    locks = {found[1] for found in hidden if found[2] == "lock"}
    try:
        for done, key in enumerate(keys):
            progress("keys", done, len(keys))
            with _alone(path(store, f".{key}.lock"), keep=dry_run and key in locks) as alone:
                going = list(_removals(store, key, numerics, damaged)) if alone else []
                locked += [] if alone else [key]
                removals += going
                for removal in () if dry_run else going:
                    _remove(removal.folder)
    except OSError as error:
        raise InputError(
            f"runs folder: expected a folder that can be written; {error.filename}: "
            f"{error.strerror}"
        ) from error
    progress("keys", len(keys), len(keys))
    return Pruned(tuple(removals), len(locks - set(locked)), tuple(locked))
