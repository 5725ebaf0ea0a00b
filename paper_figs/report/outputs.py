"""From a result to everything a reader opens: claims, figures, tables and the report.

claims.json, claims.md, the figures and the tables depend on the records alone and are equal to the
byte on a second run; report.html also shows times and the machine.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from paper_figs.drawing import claim_text
from paper_figs.figures.registry import FIGURES
from paper_figs.published import audit
from paper_figs.published.claims import judge_published
from paper_figs.report import evidence
from paper_figs.report.build import render
from paper_figs.report.draw_all import draw_all
from paper_figs.tables import rates_between_sides, table1, table2, text
from protocol.claims import Claim, judge, write_claims
from protocol.errors import InputError
from protocol.progress import Progress, quiet
from protocol.records import Result, Tables
from protocol.sources import Source

TABLES = ("table1", "table2", "bridge")


def write_table1(tables: Tables, folder: Path) -> table1.Table | None:
    """Write table1.csv (long form, with levels), table1.md and table1.tex; nothing where there are
    no records.
    """
    frame = table1.measured(tables)
    table = table1.layout(frame)
    if table is not None:
        folder.mkdir(parents=True, exist_ok=True)
        frame.write_csv(folder / "table1.csv", float_precision=6)
        (folder / "table1.md").write_text(text.markdown(table), encoding="utf-8")
        (folder / "table1.tex").write_text(text.latex(table), encoding="utf-8")
    return table


def write_lines(
    folder: Path,
    name: str,
    frame: pl.DataFrame,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    words: int,
) -> None:
    """Write a frame as NAME.csv and its rows as texts as NAME.md and .tex; the first `words`
    columns are words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_csv(folder / f"{name}.csv", float_precision=6)
    (folder / f"{name}.md").write_text(text.markdown_lines(head, rows, words), encoding="utf-8")
    (folder / f"{name}.tex").write_text(text.latex_lines(head, rows, words), encoding="utf-8")


def write_table2(specs: Mapping[str, str], folder: Path) -> list[table2.Row]:
    """Write table2.csv, .md and .tex, the paper's rows before ours; nothing where there are none of
    ours.
    """
    ours = table2.ours(specs)
    if ours:
        rows = [*table2.printed(), *ours]
        frame = pl.DataFrame(rows, schema=table2.Row._fields, orient="row")
        write_lines(folder, "table2", frame, table2.HEAD, rows, 3)
    return ours


def write_bridge(tables: Tables, folder: Path) -> list[tuple[str, ...]]:
    """Write bridge.csv, .md and .tex, and return their rows; nothing where experiment "rates" was
    not run.
    """
    rows = rates_between_sides.rows(tables)
    if rows:
        write_lines(
            folder,
            "bridge",
            rates_between_sides.frame(tables),
            rates_between_sides.HEAD,
            rows,
            rates_between_sides.WORDS,
        )
    return rows


def write_judgement(tables: Tables, sources: Sequence[Source], out: Path) -> Sequence[Claim]:
    """Judge all claims and write claims.json, each with its evidence, and claims.md."""
    claims = judge(tables)
    write_claims(
        claims, out / "claims.json", [evidence.of(claim, sources).row() for claim in claims]
    )
    (out / "claims.md").write_text(claim_text.markdown(claims), encoding="utf-8")
    return claims


def build(
    result: Result,
    sources: Sequence[Source],
    out: Path,
    machine: Mapping[str, str],
    progress: Progress = quiet,
    *,
    workers: int = 1,
) -> Path:
    """Write claims.json, claims.md, figures/, tables/ and report.html into `out`; returns the
    report's path.

    sources: where the records of `result` come from · machine: what the report says of the machine,
    name and value · progress: called as (label, done, total) · workers: processes that draw.
    Figures and tables of earlier results that this one holds no records for are removed. InputError
    where `out` is a file.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"out: expected a folder; got the file {out}")
    out.mkdir(parents=True, exist_ok=True)
    claims = write_judgement(
        result.tables, sources, out
    )  # raises for records of a run that broke off
    drawn = draw_all(result.tables, out / "figures", workers=workers, progress=progress)
    ours = write_table1(result.tables, out / "tables")
    tuning = write_table2(result.specs, out / "tables")
    bridge = write_bridge(result.tables, out / "tables")
    names = {one.entry.name for one in drawn}
    page = render(
        result,
        sources,
        claims=claims,
        published=judge_published(),
        facts=audit.facts(),
        drawn=drawn,
        missing=[entry for entry in FIGURES if entry.name not in names],
        ours=ours,
        tuning=tuning,
        bridge=bridge,
        machine=machine,
    )
    report = out / "report.html"
    report.write_text(page, encoding="utf-8")
    made = {"table1": ours, "table2": tuning, "bridge": bridge}
    _remove_stale(out, names, {name for name, rows in made.items() if rows})
    return report


def _remove_stale(out: Path, figures: set[str], tables: set[str]) -> None:
    """Remove the files of this module that were not made anew: a figure of an earlier result must
    not pass for one of this. Last of all, so that nothing is lost where drawing is stopped.
    """
    names = [
        f"figures/{one.name}.{ending}"
        for one in FIGURES
        if one.name not in figures
        for ending in ("pdf", "png")
    ]
    names += [
        f"tables/{name}.{ending}"
        for name in TABLES
        if name not in tables
        for ending in ("csv", "md", "tex")
    ]
    for name in names:
        (out / name).unlink(missing_ok=True)
