"""From a result to everything a reader opens: claims, figures, tables and the report.

claims.json, claims.md, the figures and the tables depend on the records alone and are equal to the
byte on a second run; report.html also shows times and the machine.
"""

import itertools
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

RATES = "rates_between_sides"  # the table's name
TABLES = ("table1", "table2", RATES)


def write_table1(tables: Tables, folder: Path) -> table1.Table | None:
    """Write table1.csv (long form, with levels), table1.md and table1.tex, if there are records."""
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
    """Write a frame as NAME.csv and its rows as NAME.md and .tex; the first columns are words."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_csv(folder / f"{name}.csv", float_precision=6)
    (folder / f"{name}.md").write_text(text.markdown_lines(head, rows, words), encoding="utf-8")
    (folder / f"{name}.tex").write_text(text.latex_lines(head, rows, words), encoding="utf-8")


def write_table2(specs: Mapping[str, str], folder: Path) -> list[table2.Row]:
    """Write table2.csv, .md and .tex, the paper's rows before ours, if there are rows of ours."""
    ours = table2.ours(specs)
    if ours:
        rows = [*table2.printed(), *ours]
        frame = pl.DataFrame(rows, schema=table2.Row._fields, orient="row")
        write_lines(folder, "table2", frame, table2.HEAD, rows, 3)
    return ours


def write_rates(tables: Tables, folder: Path) -> list[tuple[str, ...]]:
    """Write rates_between_sides.csv, .md and .tex, if experiment "rates" was run; returns rows."""
    rows = rates_between_sides.rows(tables)
    if rows:
        frame, head = rates_between_sides.frame(tables), rates_between_sides.HEAD
        write_lines(folder, RATES, frame, head, rows, rates_between_sides.WORDS)
    return rows


def write_judgement(tables: Tables, sources: Sequence[Source], out: Path) -> Sequence[Claim]:
    """Judge all claims and write claims.json, each with its evidence, and claims.md."""
    claims = judge(tables)
    rows = [evidence.of(claim, sources).row() for claim in claims]
    write_claims(claims, out / "claims.json", rows)
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
    """Write claims.json, claims.md, figures/, tables/ and report.html; returns the report's path.

    sources: folders of the records of `result` · machine: the report's lines about the machine,
    name and value · progress: called as (label, done, total) · workers: processes that draw.
    Figures and tables of earlier results are removed if this result has no records for them.
    InputError if `out` is a file.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"out: expected a folder; got the file {out}")
    out.mkdir(parents=True, exist_ok=True)
    # raises for records of an interrupted run, before anything is drawn
    claims = write_judgement(result.tables, sources, out)
    drawn = draw_all(result.tables, out / "figures", workers=workers, progress=progress)
    ours = write_table1(result.tables, out / "tables")
    tuning = write_table2(result.specs, out / "tables")
    rates = write_rates(result.tables, out / "tables")
    names = {figure.entry.name for figure in drawn}
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
        rates=rates,
        machine=machine,
    )
    report = out / "report.html"
    report.write_text(page, encoding="utf-8")
    made = {"table1": ours, "table2": tuning, RATES: rates}
    _remove_stale(out, names, {name for name, rows in made.items() if rows})
    return report


def _remove_stale(out: Path, figures: set[str], tables: set[str]) -> None:
    """Remove figures and tables of earlier results, which must not pass for those of this one.

    This comes last, so that an interrupted drawing loses nothing.
    """
    absent = [f"figures/{entry.name}" for entry in FIGURES if entry.name not in figures]
    for name, ending in itertools.product(absent, ("pdf", "png")):
        (out / f"{name}.{ending}").unlink(missing_ok=True)
    for name, ending in itertools.product(set(TABLES) - tables, ("csv", "md", "tex")):
        (out / "tables" / f"{name}.{ending}").unlink(missing_ok=True)
