"""Sources of records: every folder under OUT/records, the command that made it, and its content.

A folder's name is its command: `retrace llm positions` writes OUT/records/llm/positions. The file
origin.json next to its tables has the command as it was typed and the versions it ran on.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from protocol import records
from protocol.errors import InputError
from protocol.records import Result, Tables

ORIGIN = "origin.json"
Held = tuple[str, str, str]  # experiment, world, model


@dataclass(frozen=True)
class Source:
    """A folder of tables."""

    folder: str  # below OUT/records, as "llm/positions"
    # as typed; if that was not noted, the command that writes the folder, with words that say so
    command: str
    environment: Mapping[str, str]  # name -> version or description; empty if it was not noted
    holds: frozenset[Held]


def note_origin(folder: Path, command: str, environment: Mapping[str, str]) -> None:
    """Write origin.json into a folder of tables."""
    text = json.dumps(
        {"command": command, "environment": dict(environment)}, indent=2, ensure_ascii=False
    )
    (folder / ORIGIN).write_text(text + "\n", encoding="utf-8")


def _held(tables: Tables) -> frozenset[Held]:
    columns = ["experiment", "world", "model"]
    rows: set[Held] = set()
    for frame in (tables.records, tables.examples):
        rows.update(frame.select(columns).unique().iter_rows())
    return frozenset(rows)


def _source(folder: Path, root: Path, tables: Tables) -> Source:
    name = folder.relative_to(root).as_posix()
    command, environment = _noted(folder / ORIGIN)
    return Source(
        name, command or f"{by_name(name)} (options not noted)", environment, _held(tables)
    )


def by_name(folder: str) -> str:
    """The command that writes a folder: `retrace llm positions` writes "llm/positions"."""
    return f"retrace {folder.replace('/', ' ')}"


def _noted(path: Path) -> tuple[str | None, dict[str, str]]:
    """Command and environment of origin.json: None and nothing if there is no such file.

    InputError if the file is not as it was written.
    """
    if not path.is_file():
        return None, {}
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        environment = noted["environment"].items()
        return str(noted["command"]), {str(name): str(value) for name, value in environment}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: expected command and environment as JSON; remove the file, or run again"
        ) from error


def read_all(out: Path) -> tuple[Result, tuple[Source, ...]]:
    """Everything under OUT/records as one result, and its sources by folder.

    InputError if there is nothing.
    """
    root = out / "records"
    if not root.is_dir():
        raise InputError(
            f"out: expected a folder with records in it; got {out}: run `retrace reproduce` first"
        )
    folders = sorted({path.parent for path in root.rglob("*.parquet")})
    if not folders:
        raise InputError(
            f"out: expected tables in {root}; found none: run `retrace theory` or `retrace llm`"
        )
    results = [records.read(folder) for folder in folders]
    pairs = zip(folders, results, strict=True)
    sources = tuple(_source(folder, root, result.tables) for folder, result in pairs)
    return Result.concat(results), sources


def sources_of(
    sources: Iterable[Source], experiments: tuple[str, ...], world: str, models: str
) -> list[Source]:
    """The sources with records of one of the experiments (NAME includes NAME/VALUE) in a world.

    models: names joined by " + ", as a claim has them; they narrow the choice if some source holds
    one of them.
    """
    names = set(models.split(" + "))

    def models_held(source: Source) -> set[str]:
        held = set()
        for experiment, side, model in source.holds:
            if side == world and {experiment, experiment.split("/")[0]} & set(experiments):
                held.add(model)
        return held

    matching = [source for source in sources if models_held(source)]
    return [source for source in matching if models_held(source) & names] or matching
