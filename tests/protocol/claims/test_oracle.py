"""S1 on made-up records: every verdict is reached, the floor decides from both sides."""

import pytest

from protocol import records
from protocol.claims import Claim
from protocol.claims.controls import oracle

FLOOR = 0.1


def run(position: int, seed: int, method: str, experiment: str, world: str) -> records.Run:
    key = f"{position}{seed}{method}{experiment}"
    return records.Run(
        key, "s", experiment, world, "m", f"o{position}", position, "r", method, seed
    )


def tables(
    distance, *, seeds=5, floor=FLOOR, world="llm", experiment="oracle-local", floors="oracle-local"
):
    """distance(seed, position, part, step) of every path; the retained part is recorded at every
    other step only.
    """
    steps = {"forget": range(5), "math": range(0, 5, 2)}
    for seed in range(seeds):
        for p in range(1, 5):
            values = [
                (t, f"re_distance/{part}", distance(seed, p, part, t))
                for part in steps
                for t in steps[part]
            ]
            yield records.tables(run(p, seed, "oracle-local", experiment, world), values)
        if floor is not None:
            levels = [(0, f"re_distance/{part}", floor) for part in steps]
            yield records.tables(run(0, seed, "floor", floors, world), levels)


def judged(distance, **made) -> Claim:
    (claim,) = oracle.judge(records.Tables.concat(tables(distance, **made)))
    return claim


def reaching(seeds: int, *, at: float = FLOOR):
    """p = last is at distance `at` at step 4 in the first `seeds` seeds, everything else at 1."""
    return lambda seed, p, part, t: at if p == 4 and t == 4 and seed < seeds else 1.0


@pytest.mark.parametrize(
    ("seeds", "within", "verdict"),
    [
        (5, 5, "holds"),
        (4, 4, "inconclusive"),
        (5, 4, "inconclusive"),
        (4, 0, "inconclusive"),
        (5, 0, "fails"),
        (1, 1, "inconclusive"),
    ],
)
def test_s1_counts_the_seeds_in_which_the_last_path_is_within_the_floor(
    seeds, within, verdict
) -> None:
    claim = judged(reaching(within), seeds=seeds)
    assert (claim.id, claim.verdict, claim.value) == ("S1", verdict, within / seeds)
    others = ", ".join(f"p={p} 0 of {seeds}" for p in (1, 2, 3))
    assert claim.detail.startswith(f"within the noise floor: {others}, p=4 {within} of {seeds}")


def test_the_floor_decides_from_both_sides() -> None:
    assert judged(reaching(5, at=FLOOR)).value == 1.0
    assert judged(reaching(5, at=1.01 * FLOOR)).value == 0.0


def test_every_part_must_be_within_its_floor_at_one_common_step() -> None:
    """Forget prompts are within at steps 1 and 2, at 1 retained prompts were not measured, at 2
    they are away.
    """
    assert (
        judged(lambda s, p, part, t: FLOOR if t == {"forget": 1, "math": 4}[part] else 1.0).value
        == 0.0
    )
    assert judged(lambda s, p, part, t: FLOOR if part == "math" or t == 1 else 1.0).value == 0.0
    assert judged(lambda s, p, part, t: FLOOR if part == "math" or t == 2 else 1.0).value == 1.0


def test_s1_needs_floors_of_its_own_experiment() -> None:
    for made in ({"floor": None}, {"floors": "positions"}):
        claim = judged(reaching(5), **made)
        assert (claim.verdict, claim.value) == ("not testable", None)
        assert claim.detail == "no noise floor: needs at least 2 seeds of a model"
    assert judged(reaching(5, at=1e-13), floor=None, world="linear").value == 1.0


def test_the_detail_tells_what_is_left_of_the_distance() -> None:
    """p = last begins at 1 and ends at 0.2 or 0.8 on retained prompts (geometric mean 0.4), the
    others stay at 0.5.
    """

    def distance(seed, p, part, t) -> float:
        if part == "forget":
            return 1.0 / (1 + t)
        return 0.5 if p < 4 else 1.0 if t == 0 else (0.2, 0.8)[seed]

    detail = judged(distance, seeds=2).detail
    assert (
        "do-nothing: forget p=1 0.2, p=2 0.2, p=3 0.2, p=4 0.2; retained p=1 1, p=2 1, p=3 1, "
        "p=4 0.4;" in detail
    )
    assert detail.endswith("smallest distance left in 1 of 2, the smallest share of its own in 2")


def test_no_records_no_claims() -> None:
    assert oracle.judge(records.Tables.concat([])) == []
    assert oracle.judge(records.Tables.concat(tables(reaching(5), experiment="positions"))) == []
    only_floors = [t for t in tables(reaching(5)) if t.records["position"][0] == 0]
    assert oracle.judge(records.Tables.concat(only_floors)) == []
