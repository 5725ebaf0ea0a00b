"""`retrace claims`: every claim with its verdict, judged anew from the records, and where its
evidence lies.
"""

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
    """The claims the records in OUT/records speak of, judged anew, as a table; nothing is written."""

    out: Path = Path("out")
    """Folder that holds the records."""
    id: tuple[str, ...] = ()
    """Only these claims, with the rule and the details of each; by default all, a line each."""


def _short(names: str) -> str:
    return textwrap.shorten(names, 32, placeholder=" …")


def _known(ids: Sequence[str], judged: list[str], records: Path) -> None:
    """InputError for an id that no record speaks of, with the command that makes such records where
    there is one.
    """
    from paper_figs.figures.registry import FIGURES

    for id in ids:
        entry = next((entry for entry in FIGURES if id in entry.claims), None)
        if id not in judged and entry is not None:
            raise InputError(f"id: {id} {entry.missing}; {records} holds none")
        known("id", id, judged)


def _cells(group: "Group", sources: Sequence[Source]) -> list[tuple[str, ...]]:
    from paper_figs.drawing import claim_text
    from paper_figs.report.build import evidence

    rows: list[tuple[str, ...]] = []
    for claim in group.claims:
        found = evidence.of(claim, sources)
        rows.append(
            (
                claim_text.badge(claim.verdict),
                claim_text.number(claim.value),
                claim_text.interval(claim.interval),
                claim.world,
                _short(claim.method or claim_text.MISSING),
                _short(claim.model),
                found.figure or claim_text.MISSING,
                ", ".join(found.records),
                "" if group.statistic else claim.statistic,
            )
        )
    return rows


def _told(group: "Group", lines: Sequence[str], details: bool) -> list[str]:
    """A group's statement, then the line of each claim, each followed by its rule and detail where
    they are asked.
    """
    told = ["", f"{group.id}  {group.statement}"]
    for claim, line in zip(group.claims, lines, strict=True):
        told.append(line)
        if details:
            told += [f"    {claim.statistic}: {claim.threshold}", f"    {claim.detail}"]
    return told


def run(command: Claims) -> str:
    """`retrace claims`; returns the table, the tally above it."""
    from paper_figs.drawing import claim_text

    result, sources = read_all(command.out)
    claims = judge(result.tables)
    _known(command.id, list(dict.fromkeys(claim.id for claim in claims)), command.out / "records")
    groups = claim_text.groups(
        claim for claim in claims if not command.id or claim.id in command.id
    )
    cells = [_cells(group, sources) for group in groups]
    table: list[tuple[str, ...]] = [HEADER, *(row for rows in cells for row in rows)]
    lines = aligned(table, right=(1, 2))
    told, at = (
        [claim_text.headline([claim for group in groups for claim in group.claims]), "", lines[0]],
        1,
    )
    for group in groups:
        told += _told(group, lines[at : at + len(group.claims)], bool(command.id))
        at += len(group.claims)
    return "\n".join(told)
