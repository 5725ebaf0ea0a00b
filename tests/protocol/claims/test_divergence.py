"""G1–G3 and D1 on made-up records: every verdict is reached, thresholds decide from both sides."""

import pytest

from protocol import records
from protocol.claims import Claim
from protocol.claims.rates import divergence


def run(order: str, seed: int, method: str = "GA", world: str = "linear") -> records.Run:
    head = (f"{order} {seed} {method} {world}", "s", "rates", world, "m")
    return records.Run(*head, order, 0 if order == "all" else 1, "r", method, seed)


def seed_tables(
    seed: int,
    *,
    steps=30,
    rate=25.0,
    constant=5.0,
    identity=1e-14,
    projected=1e-13,
    ratio=0.8,
    **head,
):
    """Two pairs, one on each side of the seed's median horizon, and the outcomes' spread."""
    for pair, shift in (("a|b", -1.0), ("a|c", 1.0)):
        values = [
            (0, f"horizon/{name}", value + shift)
            for name, value in (("rate", rate), ("constant", constant))
        ]
        values += [(0, "horizon/ratio", 99.0), (0, "identity_error/outputs", identity)]
        values += [(0, "identity_error/parameters", 1e-15), (0, "projected_rate_error", projected)]
        values += [(0, f"growth/{name}", 0.1) for name in ("measured", "rate", "ratio")]
        yield records.tables(run(pair, seed, **head), [*values, (steps, "log_divergence", 3.0)])
    spread = [
        (t, name, value)
        for t in sorted({0, min(20, steps), steps})
        for name, value in (("half_diameter", ratio * (1 + t)), ("retrained_distance", 1.0 + t))
    ]
    yield records.tables(run("all", seed, **head), spread)


def judged(id: str, seeds: int = 6, **made) -> Claim:
    parts = [table for seed in range(seeds) for table in seed_tables(seed, **made)]
    (claim,) = (claim for claim in divergence.judge(records.Tables.concat(parts)) if claim.id == id)
    return claim


@pytest.mark.parametrize(
    ("identity", "verdict"), [(0.9e-12, "holds"), (1.1e-12, "fails"), (float("nan"), "fails")]
)
def test_g1_needs_exact_identities(identity, verdict) -> None:
    claim = judged("G1", identity=identity)
    assert claim.verdict == verdict
    assert "12 pairs" in claim.detail


@pytest.mark.parametrize(("projected", "verdict"), [(0.9e-9, "holds"), (1.1e-9, "fails")])
def test_g3_needs_the_theorems_rate(projected, verdict) -> None:
    assert judged("G3", projected=projected).verdict == verdict


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        ({"rate": 20.0}, "holds"),
        ({"rate": 19.5}, "fails"),
        ({"rate": 25.0, "constant": 25.0}, "inconclusive"),  # no growth predicts as well
        ({"rate": 25.0, "constant": 24.5}, "holds"),
        ({"rate": 15.0, "steps": 19}, "inconclusive"),  # runs too short to tell
        ({"seeds": 4}, "inconclusive"),  # no interval
    ],
)
def test_g2_needs_twenty_steps_and_more_than_no_growth_gives(made, verdict) -> None:
    claim = judged("G2", **made)
    assert claim.verdict == verdict
    assert claim.value == made.get("rate", 25.0)  # a seed counts once, by its median


def test_g2_is_inconclusive_where_the_interval_holds_the_threshold() -> None:
    parts = [t for seed in range(8) for t in seed_tables(seed, rate=16.0 + 2 * seed)]
    (claim,) = (
        claim for claim in divergence.judge(records.Tables.concat(parts)) if claim.id == "G2"
    )
    assert claim.interval == (18.0, 28.0)
    assert claim.verdict == "inconclusive"


@pytest.mark.parametrize(("ratio", "verdict"), [(1.0, "holds"), (1.0 + 1e-9, "fails")])
def test_d1_needs_the_bound_at_every_step(ratio, verdict) -> None:
    claim = judged("D1", ratio=ratio)
    assert (claim.verdict, claim.value) == (verdict, 1.0 if verdict == "holds" else 0.0)
    assert "ε = 441 (median at step 20)" in claim.detail


def test_every_world_and_method_is_judged_for_itself() -> None:
    parts = [
        t
        for world in ("linear", "network")
        for method in ("GA", "NPO")
        for seed in range(5)
        for t in seed_tables(seed, method=method, world=world)
    ]
    found = [(c.id, c.world, c.method) for c in divergence.judge(records.Tables.concat(parts))]
    assert found[:2] == [("G1", "linear", "GA + NPO"), ("G1", "network", "GA + NPO")]
    assert [row[1:] for row in found if row[0] == "G2"] == [
        ("linear", "GA"),
        ("linear", "NPO"),
        ("network", "GA"),
        ("network", "NPO"),
    ]


def test_no_records_no_claims() -> None:
    assert divergence.judge(records.Tables.concat([])) == []
