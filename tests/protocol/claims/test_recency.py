"""R1 and R2 on made-up records: every verdict is reached, thresholds decide from both sides."""

import numpy as np
import polars as pl
import pytest

from protocol import records
from protocol.claims import Claim
from protocol.claims.linear import recency


def cell(
    mu: float, early: int, late: int, *, lost=None, base=1.0, instances=40, dominated=90, obeyed=90
):
    """p = last slowest in the first `early` instances at step 1; at step 50 in `late`, `lost` of
    those early ones less.

    Two criteria; "each" orders nothing.
    """
    lost = early - late if lost is None else lost
    at_50 = [
        (i < early - lost) or (early <= i < early + late - (early - lost)) for i in range(instances)
    ]
    run = records.Run(f"{mu}", "s", "recency", "linear", "linear", "all paths", 0, "a>b", "GA", 0)
    values = [
        (0, f"setting/{name}", value) for name, value in (("mu", mu), ("stages", 3), ("base", base))
    ]
    values += [(0, "instances", instances), (0, "last_slowest_limit", late / instances)]
    for name, (ordered, follow) in {"each": (0, 0), "summed": (dominated, obeyed)}.items():
        values += [
            (0, f"dominated/{name}", ordered),
            (0, f"obeyed/{name}", follow),
            (0, f"last_dominates/{name}", 0.5),
        ]
    values += [(1, "last_slowest", early / instances), (50, "last_slowest", late / instances)]
    ranks = [(1, "recency_rank", i, 1.0 if i < early else 2.0) for i in range(instances)]
    ranks += [(50, "recency_rank", i, 1.0 if hit else 3.0) for i, hit in enumerate(at_50)]
    return records.tables(run, values, ranks)


def judged(id: str, *cells) -> Claim:
    (claim,) = (claim for claim in recency.judge(records.Tables.concat(cells)) if claim.id == id)
    return claim


@pytest.mark.parametrize(
    ("dominated", "obeyed", "verdict"),
    [(90, 90, "holds"), (90, 89, "fails"), (0, 0, "inconclusive")],
)
def test_r1_needs_every_ordered_pair(dominated, obeyed, verdict) -> None:
    claim = judged("R1", cell(1.0, 30, 20, dominated=dominated, obeyed=obeyed))
    assert claim.verdict == verdict
    assert claim.value == (obeyed / dominated if dominated else None)


def test_r1_counts_every_problem() -> None:
    assert (
        judged("R1", cell(1.0, 30, 20), cell(2.0, 30, 20, base=0.0, obeyed=60)).value == 150 / 180
    )


@pytest.mark.parametrize(
    ("early", "late", "lost", "verdict"),
    [
        (40, 35, None, "holds"),  # five lost, none won: p = 1/32
        (40, 36, None, "inconclusive"),  # four lost: p = 1/16
        (35, 40, 0, "fails"),  # grows: five won
        (20, 20, 0, "inconclusive"),  # nothing changes
        (20, 19, 10, "inconclusive"),  # ten lost, nine won
        (
            18,
            10,
            None,
            "inconclusive",
        ),  # falls, but 18 of 40 leave chance, 1/3, within the interval
        (19, 11, None, "holds"),
        (7, 0, None, "fails"),  # falls, and p = last is slowest less often than by chance
    ],
)
def test_r2_needs_more_than_chance_early_and_fewer_late(early, late, lost, verdict) -> None:
    claim = judged("R2", cell(1.0, early, late, lost=lost))
    assert (claim.verdict, claim.value) == (verdict, early / 40)


def test_r2_is_judged_on_the_base_problem_and_tells_of_the_others() -> None:
    claim = judged(
        "R2", cell(1.0, 40, 30), cell(9.0, 10, 30, lost=0, base=0.0), cell(0.1, 40, 40, base=0.0)
    )
    assert claim.verdict == "holds"
    assert "of 3 problems 1 weaken, 1 strengthen; lowest P at step 1 0.25" in claim.detail
    assert "P by step: 1 at 1, 0.75 at 50, 0.75 in the limit" in claim.detail


def test_the_paired_test_is_the_exact_binomial() -> None:
    """8 lost, 2 won: P(Bin(10, ½) ≥ 8) = 56/1024, P(≥ 2) = 1013/1024."""
    early = np.array([True] * 8 + [False] * 2 + [True] * 5)
    late = np.array([False] * 8 + [True] * 2 + [True] * 5)
    assert recency.weakening(early, late) == pytest.approx((56 / 1024, 1013 / 1024))


def test_no_records_no_claims() -> None:
    other = cell(1.0, 40, 30)
    renamed = records.Tables(
        *(t.with_columns(experiment=pl.lit("x")) for t in (other.records, other.examples))
    )
    assert recency.judge(renamed) == recency.judge(records.Tables.concat([])) == []
