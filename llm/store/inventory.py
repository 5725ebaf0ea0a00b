"""What a store holds: its artifacts and how they hang together, what is damaged, and what can go.

A key has, besides its artifact, hidden names of `llm.store.artifacts`: .KEY.lock, .KEY.partial and
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
    """One artifact with its manifest; size in bytes, made in seconds since 1970."""

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
    """Removed folders, the number of removed locks, and the keys left alone: a process has them."""

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
    # every second part is a number: seed 2 before seed 10
    parts = re.split(r"(\d+)", artifact.manifest.description)
    return [int(part) if odd % 2 else part for odd, part in enumerate(parts)], artifact.key


def artifacts(store: Store) -> list[Artifact]:
    """All artifacts of a store, by description."""
    listed = []
    for folder in path(store, "").glob("*"):  # the folder of all artifacts may not exist yet
        if KEY.fullmatch(folder.name):
            # another process may have removed the artifact since the folder was listed
            with contextlib.suppress(FileNotFoundError):
                listed.append(_artifact(folder))
    return sorted(listed, key=_reading_order)


def find(among: Sequence[Artifact], beginning: str) -> Artifact:
    """The one artifact whose key begins so; InputError for no such artifact, or several."""
    begun = [artifact for artifact in among if artifact.key.startswith(beginning.lower())]
    if not begun:
        raise InputError(
            f"key: expected the beginning of an artifact's key; none of {len(among)} begins "
            f"{beginning!r}"
        )
    if len(begun) > 1:
        keys = [artifact.key for artifact in begun[:4]] + ["..."] * (len(begun) > 4)
        raise InputError(
            f"key: expected the beginning of one key; {beginning!r} begins {len(begun)}: "
            f"{', '.join(keys)}"
        )
    return begun[0]


def _damages(artifact: Artifact) -> Iterator[Damage]:
    folder = artifact.folder
    for fault in faults(folder):
        yield Damage(artifact, fault, "delete its folder and run again")
    if artifact.manifest is UNREADABLE:
        return
    own = {*artifact.manifest.sha256, MANIFEST}
    for file in sorted(folder.iterdir()):
        if file.name not in own:
            yield Damage(artifact, f"{file} does not belong to it", "move the file away")


def verify(among: Sequence[Artifact], progress: Progress = quiet) -> list[Damage]:
    """All that is wrong with these artifacts; nothing is changed."""
    damages: list[Damage] = []
    for done, artifact in enumerate(among):
        progress("artifacts", done, len(among))
        here: list[Damage] = []
        with contextlib.suppress(FileNotFoundError):
            here = list(_damages(artifact))
        if artifact.folder.exists():  # else removed by another process since it was listed
            damages += here
    progress("artifacts", len(among), len(among))
    return damages


@contextlib.contextmanager
def _alone(lock: Path, *, keep: bool) -> Iterator[bool]:
    """Whether no process works on a key, whose lock is held inside; its file is removed or kept."""
    held = FileLock(lock, blocking=False)
    with contextlib.suppress(Timeout):
        held.acquire()
    try:
        yield held.is_locked
    finally:
        if held.is_locked:
            if not keep:
                # while it is held: a process that waits for this file finds it gone and tries again
                lock.unlink(missing_ok=True)
            held.release()


def _removals(store: Store, key: str, numerics: str | None, damaged: bool) -> Iterator[Removal]:
    """What of a key can go; its lock is held."""
    folder = path(store, key)
    for name in ("partial", "scratch", "pruned"):
        left = folder.with_name(f".{key}.{name}")
        if left.exists():
            reason = "half removed" if name == "pruned" else "left behind by a killed run"
            yield Removal(left, reason, _size(left))
    if not folder.exists():
        return
    artifact = _artifact(folder)
    manifest = artifact.manifest
    made_under = manifest.spec.get("numerics", numerics)
    if numerics is not None and made_under != numerics:
        reason = f"{manifest.description}, made under numerics {made_under}"
        yield Removal(folder, reason, artifact.size)
    elif damaged and (fault := next(faults(folder), None)):
        yield Removal(folder, f"{manifest.description}, {fault}", artifact.size)


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
    """Remove what killed runs left behind; with `damaged` also damaged artifacts.

    numerics: if given, artifacts made under any other are removed, too · dry_run: remove nothing,
    only report. What a killed run left behind includes the checkpoint from which the next run would
    have continued. Safe while other processes work in the store. Raises InputError if the store
    cannot be written.
    """
    removals: list[Removal] = []
    locked: list[str] = []
    names = {entry.name for entry in path(store, "").glob("*")}
    hidden = [match for match in map(HIDDEN.fullmatch, names) if match]
    finished = {name for name in names if KEY.fullmatch(name)}
    keys = sorted(finished | {match[1] for match in hidden})
    locks = {match[1] for match in hidden if match[2] == "lock"}
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
