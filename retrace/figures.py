"""`retrace figures`: records into figures, tables, claims and the report."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from protocol import records
from protocol.claims import read_claims, tally
from protocol.errors import InputError
from protocol.progress import Progress
from retrace.output import writable


@dataclass(frozen=True)
class Figures:
    """Figures, tables, claims and the report from the tables in OUT/records."""

    out: Path = Path("out")
    """Folder that holds the records, and is written into."""


def machine() -> dict[str, str]:
    """What the report says of the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0.0
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.1f} GiB",
        "python": platform.python_version(),
    }


def run(command: Figures, report: Progress) -> str:
    """`retrace figures`; returns the closing line: where the report is, and how many claims have each verdict."""
    import paper_figs

    if not (command.out / "records").is_dir():
        raise InputError(f"out: expected a folder with records in it; got {command.out}: run `retrace reproduce` first")
    out = writable(command.out)
    found = sorted(path.parent for path in (out / "records").rglob("records.parquet"))
    if not found:
        raise InputError(
            f"out: expected tables in {out / 'records'}; found none: run `retrace theory` or `retrace llm`"
        )
    path = paper_figs.build(records.Result.concat(records.read(folder) for folder in found), out, machine(), report)
    counts = tally(read_claims(out / "claims.json"))
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"report: {path} · claims: {verdicts}, of {sum(counts.values())}"
