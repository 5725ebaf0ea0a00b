"""B1–B4 on made-up records: every verdict is reached, thresholds decide from both sides."""

import pytest

from protocol import records
from protocol.claims import Claim
from protocol.claims.linear import span

FLOORS = {1: 0.2, 2: 0.1, 3: 0.0}  # of paths p = 1, 2, 3 (last); doing nothing is 1
PAIR = 0.3


def run(method: str, order: str, position: int, seed: int = 0) -> records.Run:
    head = (f"{method} {order} {seed}", "s", "span", "linear", "linear")
    return records.Run(*head, order, position, "a", method, seed)


def one(*, floors=FLOORS, best=None, closest=0.5, outside=None, shrunk=0.9, seed=0, objective="GA"):
    """Tables of one instance: a factor over the floor by optimizer, the pairs' divergence, the
    share outside.
    """
    factor = {"sgd": 2.0, "momentum": 2.0, "adam": 2.0, "decay": 2.0} | (best or {})
    left = {"sgd": 1e-30, "momentum": 1e-30, "adam": 0.3, "decay": 1e-3} | (outside or {})
    for p, floor in floors.items():
        bounds = [
            ("nothing", 1.0),
            ("floor", floor),
            ("shrunk", shrunk * floor),
            ("shrink", shrunk),
        ]
        yield records.tables(
            run("oracle", f"o{p}", p, seed), [(0, name, value) for name, value in bounds]
        )
        for optimizer in factor:
            reached = factor[optimizer] * floor if floor > 1e-25 else 1e-3
            values = [
                (7, "best", reached),
                (7, "outside/best", left[optimizer]),
                (9, "outside", left[optimizer]),
            ]
            yield records.tables(run(f"{objective} {optimizer}", f"o{p}", p, seed), values)
    yield records.tables(run("oracle", "o1|o2", 1, seed), [(0, "pair_floor", PAIR)])
    for optimizer in factor:
        yield records.tables(
            run(f"{objective} {optimizer}", "o1|o2", 1, seed), [(3, "closest", closest)]
        )


def judged(id: str, method: str = "", **made) -> Claim:
    claims = span.judge(records.Tables.concat([*one(**made), *one(seed=1)]))
    (claim,) = (claim for claim in claims if claim.id == id and method in claim.method)
    return claim


@pytest.mark.parametrize(
    ("floors", "value"),
    [
        (FLOORS, 1.0),
        (FLOORS | {3: 0.9e-20}, 1.0),
        (FLOORS | {3: 1.1e-20}, 5 / 6),  # not 0 for p = last
        (FLOORS | {2: 0.9e-10}, 5 / 6),  # 0 before
        (FLOORS | {2: 1.1e-10}, 1.0),
    ],
)
def test_b1_needs_no_floor_for_the_last_position_and_one_for_every_other(floors, value) -> None:
    claim = judged("B1", floors=floors)
    assert claim.value == pytest.approx(value)
    assert claim.verdict == ("holds" if value == 1 else "fails")


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize(("factor", "below"), [(1 - 0.9e-9, False), (1 - 1.1e-9, True)])
def test_b2_holds_while_no_span_method_is_below(optimizer, factor, below) -> None:
    claim = judged("B2", best={optimizer: factor})
    broken = below and optimizer != "adam"  # Adam is no span method
    assert claim.verdict == ("fails" if broken else "holds")
    assert claim.value == pytest.approx(1 - 2 / 12 if broken else 1.0)


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        ({"closest": PAIR * (1 - 0.9e-9)}, "holds"),
        ({"closest": PAIR * (1 - 1.1e-9)}, "fails"),
        ({"floors": {1: 0.0376, 2: 0.01, 3: 0.0}}, "holds"),  # the farther: 0.0752 against 0.3/4
        ({"floors": {1: 0.0374, 2: 0.01, 3: 0.0}}, "fails"),
    ],
)
def test_b3_needs_the_pair_apart_and_one_of_them_away(made, verdict) -> None:
    assert judged("B3", **made).verdict == verdict


@pytest.mark.parametrize(("method", "optimizer"), [("Adam", "adam"), ("Weight decay", "decay")])
@pytest.mark.parametrize(
    ("factor", "outside", "verdict", "value"),
    [
        (0.99, 1e-3, "holds", 0.5),
        (1.0, 1e-3, "inconclusive", 0.0),  # leaves, but never gets below
        (0.99, 0.9e-20, "fails", 0.5),  # a run stays in the span
    ],
)
def test_b4_needs_a_way_out_and_below(method, optimizer, factor, outside, verdict, value) -> None:
    claim = judged("B4", method, best={optimizer: factor}, outside={optimizer: outside})
    assert (claim.verdict, claim.value) == (verdict, value)
    assert f"GA {round(4 * value)} of 4" in claim.detail


def test_b4_counts_where_shrinking_helps() -> None:
    assert "together below the floor in 2 of 4" in judged("B4", "decay", shrunk=1.0).detail
    assert "together below the floor in 4 of 4" in judged("B4", "decay").detail


def test_methods_are_pooled_in_one_claim() -> None:
    tables = records.Tables.concat(
        [*one(), *(t for t in one(objective="informed") if t.records["method"][0] != "oracle")]
    )
    found = [(claim.id, claim.method) for claim in span.judge(tables)]
    assert found[1] == ("B2", "GA + informed")
    assert found[3:] == [("B4", "GA + informed, Adam"), ("B4", "GA + informed, Weight decay")]


def test_no_records_no_claims() -> None:
    assert span.judge(records.Tables.concat([])) == []
