"""Claims and their verdicts, judged from records alone; thresholds were fixed before looking.

`judge(tables)` returns a claim for every statement (protocol/claims/statements.py) that the tables
hold records for. The modules hold the rules, and read the records through protocol/readings. T1–T3:
theorem · L1, L2: paths · L1b: bases · L3: utility · L4: depth · L5: ablations · L6, L6d: dose ·
L6e: levels · L6w: washout · O1, O2: orders · E1, N1: equivalence · S1: oracle · K1: mixture ·
G1–G3, D1: divergence · G4: between_sides · D2: spread · R1, R2: recency · B1–B4: span · W1–W3:
retain · C1, C2: certified · H1, H2: removal.
"""

from dataclasses import replace
from types import ModuleType

from protocol.claims.claim import Claim, read_claims, tally, write_claims
from protocol.claims.controls import ablations, bases, mixture, oracle
from protocol.claims.linear import certified, recency, removal, retain, span, theorem
from protocol.claims.paper import depth, dose, equivalence, levels, orders, paths, utility, washout
from protocol.claims.rates import between_sides, divergence, spread
from protocol.readings.bases import FAMILY as BASES
from protocol.records import Tables

# Each module that judges, with the experiments whose records it reads; NAME also means NAME/VALUE.
JUDGES: list[tuple[ModuleType, tuple[str, ...]]] = [
    (theorem, ("theorem",)),
    (paths, ("positions",)),
    (bases, (BASES,)),
    (utility, ("positions",)),
    (depth, ("depth",)),
    (ablations, tuple(ablations.FAMILIES)),
    (dose, ("dose",)),
    (levels, ("positions",)),
    (washout, ("wash-out",)),
    (orders, ("orders",)),
    (equivalence, ("positions",)),
    (oracle, ("oracle-local",)),
    (mixture, ("mixture",)),
    (divergence, ("rates",)),
    (between_sides, ("rates",)),
    (spread, ("rates", "positions")),
    (retain, ("retain",)),
    (recency, ("recency",)),
    (span, ("span",)),
    (certified, ("certified",)),
    (removal, ("removal",)),
]


def judge(tables: Tables) -> list[Claim]:
    """All claims the tables hold records for, in the order of `JUDGES`, then by side and method."""
    return [
        replace(claim, experiments=claim.experiments or experiments)
        for module, experiments in JUDGES
        for claim in module.judge(tables)
    ]


__all__ = ["Claim", "judge", "read_claims", "tally", "write_claims"]
