"""`retrace figures`: figures, tables, claims and the report from records."""

from dataclasses import dataclass
from pathlib import Path

from protocol.claims import read_claims, tally
from protocol.cores import cores
from protocol.errors import InputError
from protocol.progress import Progress
from protocol.records import Tables
from protocol.sources import read_all
from retrace.output import machine, writable


@dataclass(frozen=True)
class Figures:
    """Figures, tables, claims and the report from the tables in OUT/records."""

    out: Path = Path("out")
    """Folder that holds the records; figures, tables, claims and the report go there, too."""
    only: tuple[str, ...] = ()
    """Draw only these figures, by number or name ("4", "distance-forget"), and change nothing else.
    """


COMMAND = Figures


def _some(command: Figures) -> str:
    """Draw the chosen figures; InputError if a figure has no records."""
    from paper_figs.drawing import entry
    from paper_figs.figures import registry

    figures = registry.chosen(command.only)
    needed = any(figure.commands for figure in figures)  # a diagram is drawn without records
    tables = read_all(command.out)[0].tables if needed else Tables.concat([])
    saved = [entry.save(figure, tables, writable(command.out) / "figures") for figure in figures]
    for figure, files in zip(figures, saved, strict=True):
        if files is None:
            records = command.out / "records"
            raise InputError(f"only: {figure.name} {figure.missing}; {records} holds none")
    return "figures: " + " ".join(str(file) for files in saved if files for file in files)


def run(command: Figures, report: Progress) -> str:
    """`retrace figures`; returns the closing line: the report's path, and the count of verdicts."""
    from paper_figs.report.outputs import build

    if command.only:
        return _some(command)
    result, sources = read_all(command.out)
    out = writable(command.out)
    path = build(result, sources, out, machine(), report, workers=cores())
    counts = tally(read_claims(out / "claims.json"))
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"report: {path} · claims: {verdicts}, of {sum(counts.values())}"
