"""Claims as text: numbers and intervals, claims grouped by id, and a Markdown table."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from protocol.claims.claim import VERDICTS, Claim, tally

MISSING = "–"
MARKS = {"holds": "✓", "fails": "✗", "inconclusive": "?", "not testable": "–"}
VERBS = {  # of one claim, of several
    "holds": ("holds", "hold"),
    "fails": ("fails", "fail"),
    "inconclusive": ("is inconclusive", "are inconclusive"),
    "not testable": ("is not testable", "are not testable"),
}
HEAD = (
    "id", "statement", "world", "model", "method", "statistic", "value", "95% bounds", "threshold",
    "verdict",
)  # fmt: skip


class Group(NamedTuple):
    """All claims of one id, with their statement and source."""

    id: str
    statement: str
    source: str
    claims: tuple[Claim, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many claims of the group have each verdict."""
        return tally(list(self.claims))

    @property
    def statistic(self) -> str | None:
        """The statistic that all claims of the group share, None if they differ."""
        statistics = {claim.statistic for claim in self.claims}
        return statistics.pop() if len(statistics) == 1 else None


def number(value: float | None) -> str:
    """Three significant digits with a true minus sign; "–" for none, "∞" for infinity."""
    if value is None or math.isnan(value):
        return MISSING
    text = "∞" if math.isinf(value) else f"{abs(value):.3g}"
    return f"−{text}" if value < 0 else text


def interval(bounds: tuple[float, float] | None) -> str:
    """ "[low, high]" with three significant digits; "–" for none."""
    return MISSING if bounds is None else f"[{number(bounds[0])}, {number(bounds[1])}]"


def badge(verdict: str) -> str:
    """A verdict with its mark: readable without colour."""
    return f"{MARKS[verdict]} {verdict}"


def short(claim: Claim) -> str:
    """ "L6: 0.6 [0.147, 0.947], inconclusive"; the figure's caption names the value."""
    bounds = "" if claim.interval is None else f" {interval(claim.interval)}"
    return f"{claim.id}: {number(claim.value)}{bounds}, {claim.verdict}"


def groups(claims: Iterable[Claim]) -> list[Group]:
    """Claims by id, in the order the ids first come; the first claim gives the statement."""
    by_id: dict[str, list[Claim]] = {}
    for claim in claims:
        by_id.setdefault(claim.id, []).append(claim)
    return [
        Group(id, members[0].statement, members[0].source, tuple(members))
        for id, members in by_id.items()
    ]


def headline(claims: list[Claim]) -> str:
    """ "Of 8 claims judged, 5 hold, 2 fail, 1 is inconclusive, 0 are not testable." """
    counts = tally(claims)
    parts = [f"{counts[verdict]} {VERBS[verdict][counts[verdict] != 1]}" for verdict in VERDICTS]
    return f"Of {len(claims)} claims judged, {', '.join(parts)}."


def _row(cells: Iterable[str]) -> str:
    """A line of a Markdown table, its cells escaped."""
    escaped = (cell.replace("|", r"\|").replace("\n", " ") for cell in cells)
    return "| " + " | ".join(escaped) + " |"


def _cells(claim: Claim, statement: str) -> tuple[str, ...]:
    return (
        claim.id, statement, claim.world, claim.model, claim.method or MISSING, claim.statistic,
        number(claim.value), interval(claim.interval), claim.threshold, badge(claim.verdict),
    )  # fmt: skip


def markdown(claims: list[Claim]) -> str:
    """All claims as a Markdown table; the first line of an id has its statement."""
    lines = [headline(claims), "", _row(HEAD), "|" + " --- |" * len(HEAD)]
    for group in groups(claims):
        first, *others = group.claims
        lines.append(_row(_cells(first, first.statement)))
        lines += [_row(_cells(claim, "")) for claim in others]
    return "\n".join(lines) + "\n"
