"""Verdicts on the published curves and on our language models, claim by claim.

Both are judged by the same functions with the same thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.claims import Claim


@dataclass(frozen=True)
class Pair:
    """The verdicts on one claim under one method ("" if it has none)."""

    id: str
    statement: str
    method: str
    published: tuple[Claim, ...]
    ours: tuple[Claim, ...]


def pairs(published: Sequence[Claim], claims: Sequence[Claim]) -> list[Pair]:
    """A pair for every claim and method judged on the published curves, in their order."""
    ours = [claim for claim in claims if claim.world == "llm"]
    keys = dict.fromkeys((claim.id, claim.method) for claim in published)

    def of(source: Sequence[Claim], key: tuple[str, str]) -> tuple[Claim, ...]:
        return tuple(claim for claim in source if (claim.id, claim.method) == key)

    statements = {claim.id: claim.statement for claim in (*published, *ours)}
    return [
        Pair(key[0], statements[key[0]], key[1], of(published, key), of(ours, key)) for key in keys
    ]
