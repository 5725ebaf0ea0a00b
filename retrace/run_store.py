"""`retrace store`: list, show, verify and prune the artifacts of a stage store."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.filesize import decimal

from protocol.errors import InputError
from retrace.terminal import aligned, progress_bars

if TYPE_CHECKING:
    from llm.store.inventory import Artifact


@dataclass(frozen=True)
class List:
    """List every artifact in one line, and count the artifacts of each kind."""

    runs: Path = Path("runs")
    """Folder of the stage store."""


@dataclass(frozen=True)
class Show:
    """Show what one artifact was made of, its files, its parent, and the artifacts made from it."""

    key: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="KEY")]
    """The artifact's key, or a beginning that no other key has."""
    runs: Path = Path("runs")
    """Folder of the stage store."""


@dataclass(frozen=True)
class Verify:
    """Check every file against its SHA-256. Changes no file."""

    runs: Path = Path("runs")
    """Folder of the stage store."""


@dataclass(frozen=True)
class Prune:
    """Remove the files that killed runs left behind, except where a process is still working.

    The checkpoints of killed runs are removed, too: the next run begins such a stage anew.
    """

    runs: Path = Path("runs")
    """Folder of the stage store."""
    damaged: bool = False
    """Also remove artifacts with files that are missing or changed; every file is read."""
    other_numerics: bool = False
    """Also remove artifacts of other versions of the code, torch or transformers, which this
    installation cannot use."""
    dry_run: bool = False
    """Only list the folders that would be removed."""


COMMAND = (
    Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Show, tyro.conf.subcommand("show")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
    | Annotated[Prune, tyro.conf.subcommand("prune")]
)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _made(artifact: "Artifact") -> str:
    return datetime.fromtimestamp(artifact.made).strftime("%Y-%m-%d %H:%M")


def _total(among: "Sequence[Artifact]", kind: str) -> list[str]:
    seconds = sum(artifact.manifest.seconds for artifact in among)
    size = sum(artifact.size for artifact in among)
    return [kind, str(len(among)), decimal(size), f"{seconds:.1f} s"]


def _artifacts(runs: Path) -> "list[Artifact]":
    from llm.store import inventory
    from llm.store.artifacts import existing_store

    return inventory.artifacts(existing_store(runs))


def _list(command: List) -> str:
    among = _artifacts(command.runs)
    kinds: dict[str, list[Artifact]] = defaultdict(list)
    lines = [["key", "kind", "size", "to make", "made", "description"]]
    for artifact in among:
        kinds[artifact.kind].append(artifact)
        size, took = decimal(artifact.size), f"{artifact.manifest.seconds:.1f} s"
        description = artifact.manifest.description
        lines.append([artifact.key, artifact.kind, size, took, _made(artifact), description])
    totals = [["kind", "artifacts", "size", "to make"]]
    totals += [_total(members, kind) for kind, members in sorted(kinds.items())]
    totals.append(_total(among, "all"))
    return "\n".join([*aligned(lines, right=(2, 3)), "", *aligned(totals, right=(1, 2, 3))])


def _files(artifact: "Artifact") -> list[str]:
    rows = []
    for name, sha256 in artifact.manifest.sha256.items():
        file = artifact.folder / name
        rows.append([name, decimal(file.stat().st_size) if file.is_file() else "missing", sha256])
    return aligned(rows, right=(1,))


def _show(command: Show) -> str:
    from llm.store import inventory

    among = _artifacts(command.runs)
    artifact = inventory.find(among, command.key)
    names = {other.key: other.manifest.description for other in among}
    parent = artifact.parent
    made_from_it = [other for other in among if other.parent == artifact.key]
    children = [[child.key, names[child.key]] for child in made_from_it]
    return "\n".join(
        [
            f"{artifact.key}  {artifact.manifest.description}",
            f"{artifact.kind}, made {_made(artifact)} in {artifact.manifest.seconds:.1f} s",
            "",
            "made of",
            json.dumps(artifact.manifest.spec, indent=2, ensure_ascii=False),
            "",
            "files",
            *_files(artifact),
            "",
            "parent",
            f"{parent}  {names.get(parent, '(not in this store)')}" if parent else "none",
            "",
            "parent of",
            *(aligned(children) or ["none"]),
        ]
    )


def _verify(command: Verify) -> str:
    from llm.store import inventory

    among = _artifacts(command.runs)
    with progress_bars() as report:
        damages = inventory.verify(among, report)
    for damage in damages:
        artifact = damage.artifact
        print(f"{artifact.key}  {artifact.manifest.description}: {damage.fault}; {damage.remedy}")
    if damages:
        wrong = len({damage.artifact.key for damage in damages})
        raise InputError(
            f"runs folder: {wrong} of {_count(len(among), 'artifact')} damaged, listed above; "
            "`retrace store prune --damaged` removes those no run can read"
        )
    size = decimal(sum(artifact.size for artifact in among))
    return f"{_count(len(among), 'artifact')}, {size}: every file matches its checksum"


def _prune(command: Prune) -> str:
    from llm.lab.base import NUMERICS
    from llm.store import inventory
    from llm.store.artifacts import existing_store

    store = existing_store(command.runs)
    with progress_bars() as report:
        pruned = inventory.prune(
            store,
            numerics=NUMERICS if command.other_numerics else None,
            damaged=command.damaged,
            dry_run=command.dry_run,
            progress=report,
        )
    done = "would remove" if command.dry_run else "removed"
    lines = [
        [done, removal.folder.name, decimal(removal.size), removal.reason]
        for removal in pruned.removals
    ]
    lines += [["left alone", key, "", "a process works on it"] for key in pruned.locked]
    size = sum(removal.size for removal in pruned.removals)
    counts = (
        f"{_count(len(lines) - len(pruned.locked), 'folder')}, {_count(pruned.locks, 'lock file')}"
    )
    last = f"{done} {counts}: {size:,} bytes" + (
        f"; {len(pruned.locked)} left alone" if pruned.locked else ""
    )
    return "\n".join([*aligned(lines, right=(2,)), last])


def run(command: List | Show | Verify | Prune) -> str:
    """`retrace store list | show | verify | prune`; returns what to print."""
    if isinstance(command, List):
        return _list(command)
    if isinstance(command, Show):
        return _show(command)
    return _verify(command) if isinstance(command, Verify) else _prune(command)
