"""`retrace claims`: every claim with its verdict and its evidence, evaluated again from records."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.claims import judge
from protocol.errors import InputError, known
from protocol.sources import Source, read_all
from retrace.terminal import aligned

if TYPE_CHECKING:
    from paper_figs.drawing.claim_text import Group

HEADER = ("verdict", "value", "95% bounds", "world", "method", "models", "figure", "records", "")


@dataclass(frozen=True)
class Claims:
    """Every claim that OUT/records has data for, evaluated again, as a table."""

    out: Path = Path("out")
    """Folder that holds the records."""
    id: tuple[str, ...] = ()
    """Only these claims, with the rule and the details of each; by default all claims, one line
    each."""


COMMAND = Claims


def _short(names: str) -> str:
    return textwrap.shorten(names, 32, placeholder=" …")


def _known(ids: Sequence[str], judged: list[str], records: Path) -> None:
    """InputError for an id without records, with the command that makes them if there is one."""
    from paper_figs.figures.registry import FIGURES

    for id in ids:
        entry = next((entry for entry in FIGURES if id in entry.claims), None)
        if id not in judged and entry is not None:
            raise InputError(f"id: {id} {entry.missing}; {records} holds none")
        known("id", id, judged)


def _cells(group: "Group", sources: Sequence[Source]) -> list[tuple[str, ...]]:
    from paper_figs.drawing import claim_text
    from paper_figs.report import evidence

    rows: list[tuple[str, ...]] = []
    for claim in group.claims:
        source = evidence.of(claim, sources)
        rows.append(
            (
                claim_text.badge(claim.verdict),
                claim_text.number(claim.value),
                claim_text.interval(claim.interval),
                claim.world,
                _short(claim.method or claim_text.MISSING),
                _short(claim.model),
                source.figure or claim_text.MISSING,
                ", ".join(source.records),
                "" if group.statistic else claim.statistic,
            )
        )
    return rows


def _paragraph(group: "Group", lines: Sequence[str], details: bool) -> list[str]:
    """A group's statement, and the line of each claim with its rule and its detail if wanted."""
    paragraph = ["", f"{group.id}  {group.statement}"]
    for claim, line in zip(group.claims, lines, strict=True):
        paragraph.append(line)
        if details:
            paragraph += [f"    {claim.statistic}: {claim.threshold}", f"    {claim.detail}"]
    return paragraph


def run(command: Claims) -> str:
    """`retrace claims`; returns the number of claims of each verdict, and the table."""
    from paper_figs.drawing import claim_text

    result, sources = read_all(command.out)
    claims = judge(result.tables)
    _known(command.id, list(dict.fromkeys(claim.id for claim in claims)), command.out / "records")
    wanted = [claim for claim in claims if not command.id or claim.id in command.id]
    groups = claim_text.groups(wanted)
    cells = [_cells(group, sources) for group in groups]
    table: list[tuple[str, ...]] = [HEADER, *(row for rows in cells for row in rows)]
    lines = aligned(table, right=(1, 2))
    header, *rows = lines
    page = [claim_text.headline(wanted), "", header]
    for group in groups:
        own, rows = rows[: len(group.claims)], rows[len(group.claims) :]
        page += _paragraph(group, own, bool(command.id))
    return "\n".join(page)
