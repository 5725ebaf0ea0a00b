"""A statement, the claim that the records make of it, and claims.json.

A `Statement` is what an id says, whatever was measured. `Statement.judged` and `.not_testable` make
a `Claim` of it: the statement about one model and method, with its value, rule and verdict.
Verdicts: "holds", "fails", "inconclusive" (the numbers decide neither way) and "not testable" (what
the test needs is missing, as seeds or a published spread); the detail says why.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from protocol.errors import InputError, known

VERDICTS = ("holds", "fails", "inconclusive", "not testable")


@dataclass(frozen=True)
class Claim:
    """One statement about one model (or a pool of models) and one method, with its verdict.

    The bounds of `interval` are 95% bounds of the value: of a share or a median each bound is
    one-sided (exact), of a mean both together (Student's).
    """

    id: str  # as in the table of docs/claims.md
    statement: str
    source: str  # where in the paper
    world: str  # linear | network | llm
    model: str  # the models pooled in it
    method: str  # the unlearning method, "" if none applies
    statistic: str  # what the value is
    value: float | None
    interval: tuple[float, float] | None
    threshold: str  # the rule, with its number
    verdict: str
    detail: str  # further readings, in words
    # probability of the statistic under "no effect", if the claim is a test of that
    p_value: float | None = None
    # whose records it was computed from; NAME also means every NAME/VALUE
    experiments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statement:
    """What an id claims; all of them are in protocol/claims/statements.py.

    A statistic may have places in braces, as "F at {step}": `measured` fills them in.
    """

    id: str
    sentence: str
    source: str  # where in the paper
    statistic: str  # what the value is

    def measured(self, **places: object) -> "Statement":
        """The statement with the places of its statistic filled in; KeyError if one is missing."""
        return replace(self, statistic=self.statistic.format(**places))

    def judged(
        self,
        *,
        world: str,
        model: str,
        method: str,
        value: float | None,
        rule: str,
        verdict: str,
        details: Sequence[str],
        interval: tuple[float, float] | None = None,
        p_value: float | None = None,
        experiments: tuple[str, ...] = (),
    ) -> Claim:
        """The claim that this statement has a verdict about a model and method.

        rule: what the value is compared with, in words. details: further readings, one a string.
        Raises InputError if the verdict is none of `VERDICTS`.
        """
        return Claim(
            id=self.id,
            statement=self.sentence,
            source=self.source,
            world=world,
            model=model,
            method=method,
            statistic=self.statistic,
            value=value,
            interval=interval,
            threshold=rule,
            verdict=known("verdict", verdict, VERDICTS),
            detail="; ".join(details),
            p_value=p_value,
            experiments=experiments,
        )

    def not_testable(self, *, world: str, model: str, method: str, rule: str, why: str) -> Claim:
        """The claim that what the test needs is missing; why: what is missing, in words."""
        return self.judged(
            world=world,
            model=model,
            method=method,
            value=None,
            rule=rule,
            verdict="not testable",
            details=[why],
        )


def tally(claims: Sequence[Claim]) -> dict[str, int]:
    """How many claims have each verdict."""
    return {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in VERDICTS}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _row(claim: Claim, links: Mapping[str, object]) -> dict[str, object]:
    """A claim as JSON takes it: numbers that are not finite become null."""
    interval = [_finite(bound) for bound in claim.interval] if claim.interval else None
    numbers = {"value": _finite(claim.value), "interval": interval}
    return {**asdict(claim), **links, **numbers, "p_value": _finite(claim.p_value)}


def write_claims(
    claims: Sequence[Claim], path: Path, links: Sequence[Mapping[str, object]] | None = None
) -> None:
    """Write claims.json, which any JSON reader takes.

    links: for each claim what is written after its own fields, as where its records and figure are.
    """
    all_links = links or [{}] * len(claims)
    rows = [_row(claim, own) for claim, own in zip(claims, all_links, strict=True)]
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def read_claims(path: Path) -> list[Claim]:
    """Claims of a claims.json; InputError if there is none."""
    if not path.is_file():
        raise InputError(f"claims: expected {path}; not found: run `retrace reproduce` first")
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [_claim(row) for row in rows]


def _claim(row: dict[str, Any]) -> Claim:
    """A claim of a row of claims.json, without its links."""
    own = {field.name: row[field.name] for field in fields(Claim)}
    own["interval"] = tuple(own["interval"]) if own["interval"] else None
    own["experiments"] = tuple(own["experiments"])
    return Claim(**own)
