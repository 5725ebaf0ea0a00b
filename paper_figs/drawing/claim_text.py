"""Claims as text: numbers and intervals for tables, claims grouped by id, and the Markdown list for
a README.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from protocol.claims.claim import VERDICTS, Claim, tally

MISSING = "–"
MARKS = {"holds": "✓", "fails": "✗", "inconclusive": "?", "not testable": "–"}


class Group(NamedTuple):
    """All claims of one id; statement and source stand once."""

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
        """The statistic all claims of the group share, None where they differ."""
        found = {claim.statistic for claim in self.claims}
        return found.pop() if len(found) == 1 else None


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
    """ "L6: 0.6 [0.147, 0.947], inconclusive"; what the value is, the caption says."""
    bounds = "" if claim.interval is None else f" {interval(claim.interval)}"
    return f"{claim.id}: {number(claim.value)}{bounds}, {claim.verdict}"


def groups(claims: Iterable[Claim]) -> list[Group]:
    """Claims by id, ids in the order they first come; the statement is that of the id's first
    claim.
    """
    by_id: dict[str, list[Claim]] = {}
    for claim in claims:
        by_id.setdefault(claim.id, []).append(claim)
    return [
        Group(id, members[0].statement, members[0].source, tuple(members))
        for id, members in by_id.items()
    ]


def headline(claims: list[Claim]) -> str:
    """ "Of 8 claims judged, 5 hold, 2 fail, 1 is inconclusive, 0 are not testable." in words that
    fit the counts.
    """
    counts = tally(claims)
    verbs = {
        "holds": ("holds", "hold"),
        "fails": ("fails", "fail"),
        "inconclusive": ("is inconclusive", "are inconclusive"),
        "not testable": ("is not testable", "are not testable"),
    }
    parts = [f"{counts[verdict]} {verbs[verdict][counts[verdict] != 1]}" for verdict in VERDICTS]
    return f"Of {len(claims)} claims judged, {', '.join(parts)}."


def _escaped(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def markdown(claims: list[Claim]) -> str:
    """All claims as one Markdown table under the headline; a statement stands where its id begins."""
    head = [
        "id",
        "statement",
        "world",
        "model",
        "method",
        "statistic",
        "value",
        "95% bounds",
        "threshold",
        "verdict",
    ]
    lines = [headline(claims), "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for group in groups(claims):
        for i, claim in enumerate(group.claims):
            cells = [
                claim.id,
                "" if i else claim.statement,
                claim.world,
                claim.model,
                claim.method or MISSING,
                claim.statistic,
                number(claim.value),
                interval(claim.interval),
                claim.threshold,
                badge(claim.verdict),
            ]
            lines.append("| " + " | ".join(_escaped(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"
