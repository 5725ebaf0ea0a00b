"""One claim with its statistic, threshold and verdict, and claims.json.

Verdicts: "holds", "fails", "inconclusive" (the numbers decide neither way) and "not testable" (what
the test needs is missing, as seeds or a published spread); the detail says why.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from protocol.errors import InputError

VERDICTS = ("holds", "fails", "inconclusive", "not testable")


@dataclass(frozen=True)
class Claim:
    """id as in the table of docs/claims.md · value: the statistic as measured · interval: 95%
    bounds of the value, of a share or a median each one-sided (exact), of a mean both together
    (Student's).
    """

    id: str
    statement: str
    source: str  # where in the paper
    world: str  # linear | network | llm
    model: str  # the models pooled in it
    method: str  # the unlearning method, "" where none applies
    statistic: str  # what the value is
    value: float | None
    interval: tuple[float, float] | None
    threshold: str  # the rule, with its number
    verdict: str
    detail: str  # further readings, in words
    p_value: float | None = (
        None  # of the statistic under "no effect", where the claim is a test of that
    )
    experiments: tuple[
        str, ...
    ] = ()  # whose records it was computed from; NAME stands for NAME/VALUE, too


def by_threshold(value: float, *, holds_above: float, fails_below: float) -> str:
    """ "holds" above one number, "fails" below another, "inconclusive" between."""
    return "holds" if value > holds_above else "fails" if value < fails_below else "inconclusive"


def agreed(verdicts: "list[str]") -> str:
    """The common verdict of several readings of one claim; "inconclusive" where they differ."""
    return verdicts[0] if len(set(verdicts)) == 1 else "inconclusive"


def every(verdicts: "list[str]") -> str:
    """ "holds" where all parts of a claim hold, "fails" where one fails; else "not testable" where
    one is not.
    """
    if set(verdicts) == {"holds"}:
        return "holds"
    return next(
        (verdict for verdict in ("fails", "not testable") if verdict in verdicts), "inconclusive"
    )


def share_verdict(interval: tuple[float, float], chance: float) -> str:
    """A probability against chance: holds if its exact lower bound is above, fails if the upper one
    is below.
    """
    return "holds" if interval[0] > chance else "fails" if interval[1] < chance else "inconclusive"


def tally(claims: list[Claim]) -> dict[str, int]:
    """How many claims have each verdict."""
    return {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in VERDICTS}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def write_claims(
    claims: Sequence[Claim], path: Path, links: Sequence[Mapping[str, object]] | None = None
) -> None:
    """Write claims.json; numbers that are not finite become null, so that any JSON reader takes the
    file.

    links: for each claim what is written beside its own fields, as where its records and its figure
    are.
    """
    rows = []
    for claim, beside in zip(claims, links or [{}] * len(claims), strict=True):
        row = {**asdict(claim), **beside}
        row["p_value"] = _finite(claim.p_value)
        row["value"] = _finite(claim.value)
        row["interval"] = [_finite(bound) for bound in claim.interval] if claim.interval else None
        rows.append(row)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def read_claims(path: Path) -> list[Claim]:
    """Claims of a claims.json; InputError where there is none."""
    if not path.is_file():
        raise InputError(f"claims: expected {path}; not found: run `retrace reproduce` first")
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [_claim(row) for row in rows]


def _claim(row: dict[str, Any]) -> Claim:
    """A claim of a row of claims.json, without what was written beside it."""
    own = {field.name: row[field.name] for field in fields(Claim)}
    interval = own["interval"]
    return Claim(
        **{
            **own,
            "interval": tuple(interval) if interval else None,
            "experiments": tuple(own["experiments"]),
        }
    )
