"""O1 and O2 on made-up records: every verdict is reached, thresholds decide from both sides."""

import itertools

import numpy as np
import polars as pl
import pytest

from protocol import records
from protocol.claims import Claim
from protocol.claims.paper import orders
from protocol.readings.later_stages import with_places

STAGES = ("inst", "tofu", "math", "safety")
ORDERS = list(itertools.permutations(STAGES))


def tables(
    score, *, seeds=3, model="m", method="GA", given=ORDERS, experiment="orders"
) -> list[records.Tables]:
    """All orders; score(seed, order) is forgotten at the last of steps 0, 5, 10."""

    def run(seed: int, order: tuple[str, ...]) -> records.Run:
        name, place = ">".join(order), order.index("safety") + 1
        return records.Run(
            f"{name}{seed}{model}{method}",
            "s",
            experiment,
            "llm",
            model,
            name,
            place,
            "r",
            method,
            seed,
        )

    return [
        records.tables(
            run(seed, o), [(t, "label_loglik", -score(seed, o) * t / 10) for t in (0, 5, 10)]
        )
        for seed in range(seeds)
        for o in given
    ]


def judged(id: str, parts) -> Claim:
    (claim,) = (claim for claim in orders.judge(records.Tables.concat(parts)) if claim.id == id)
    return claim


def later(order) -> int:
    return len(order) - 1 - order.index("safety")


def follows(order) -> str:
    return (*order, "")[order.index("safety") + 1]


# slopes m − 1, m, m + 1 over three seeds: t interval m ± 4.303/√3 = m ± 2.484
@pytest.mark.parametrize(
    ("middle", "verdict"),
    [(2.49, "holds"), (2.48, "inconclusive"), (-2.48, "inconclusive"), (-2.49, "fails")],
)
def test_o1_needs_the_interval_of_the_slope_on_one_side_of_0(middle, verdict) -> None:
    claim = judged("O1", tables(lambda seed, order: 5.0 + (middle + seed - 1) * later(order)))
    assert claim.value == pytest.approx(middle)
    assert claim.interval == pytest.approx((middle - 2.484, middle + 2.484), abs=1e-3)
    assert claim.verdict == verdict


def test_o1_tells_of_ranks_fit_and_means() -> None:
    claim = judged("O1", tables(lambda seed, order: 2.0 + later(order), seeds=2))
    assert claim.detail == (
        "mean over 2 seeds: τ 1.00, R² 1.00; mean forget score by later stages: 0 2, 1 3, 2 4, 3 "
        "5; 24 orders"
    )
    flat = judged("O1", tables(lambda seed, order: 1.0, seeds=2))
    assert (flat.value, flat.verdict) == (0.0, "inconclusive")


def test_o1_pools_the_models() -> None:
    parts = [
        t for model in "ab" for t in tables(lambda s, o: (s + 1.0) * later(o), seeds=2, model=model)
    ]
    claim = judged("O1", parts)
    assert (claim.model, claim.value) == ("a + b", pytest.approx(1.5))
    assert claim.detail.startswith("mean over 4 seeds")


FOLLOWED = [order for order in ORDERS if later(order)]
FREEDOM = (
    18 - 1 - 2 - 2
)  # orders less the level, distances beyond the first, stages that follow beyond the first


def unexplained() -> dict[tuple[str, ...], float]:
    """Noise of the orders that neither distance nor the stage that follows explains, of mean square
    1.
    """
    design = [
        [1] + [later(o) == d for d in (2, 3)] + [follows(o) == name for name in ("inst", "math")]
        for o in FOLLOWED
    ]
    X, y = np.array(design, float), np.random.default_rng(0).standard_normal(18)
    left = y - X @ np.linalg.solve(X.T @ X, X.T @ y)
    return dict(zip(FOLLOWED, left * np.sqrt(FREEDOM / np.sum(left**2)), strict=True))


NOISE = unexplained()


def bonus(size: float):
    """The next stage adds to distance, seed and noise: tofu 0, inst size, math twice size."""
    added = {"tofu": 0.0, "inst": size, "math": 2 * size, "": 0.0}
    return lambda seed, o: later(o) ** 2 + 10 * seed + added[follows(o)] + NOISE.get(o, 0.0)


# Means over seeds: each stage follows in 6 of 18 orders, in 2 at each distance: sum of squares
# 6(size² + 0 + size²), F = 6 size²; 95% of F(2, 13) is 3.806
@pytest.mark.parametrize(
    ("F", "verdict"),
    [(3.81, "holds"), (3.80, "inconclusive"), (1.01, "inconclusive"), (0.99, "fails")],
)
def test_o2_holds_the_successor_against_what_is_left(F, verdict) -> None:
    claim = judged("O2", tables(bonus((F / 6) ** 0.5)))
    assert claim.value == pytest.approx(F)
    assert claim.threshold.startswith("> 3.81 (95% quantile)")
    assert claim.verdict == verdict
    assert "18 orders, 3 seeds" in claim.detail


def test_o2_does_not_take_seeds_for_orders() -> None:
    """Three seeds that repeat the same orders say no more of the orders than one."""
    once, thrice = (judged("O2", tables(bonus(1.0), seeds=seeds)) for seeds in (2, 6))
    assert once.value == pytest.approx(thrice.value)


def test_o2_leaves_out_what_distance_and_seed_explain() -> None:
    """Scores that distance and seed decide, however bent: nothing is left for the successor."""
    claim = judged("O2", tables(lambda s, o: later(o) ** 3 + 7 * s + 1e-3 * NOISE.get(o, 0.0)))
    assert claim.value == pytest.approx(0.0, abs=1e-6)
    assert claim.verdict == "fails"


def test_o2_takes_two_models_apart() -> None:
    """Levels of the models, and what follows shifts both alike: the blocks take the levels out."""
    parts = [
        t
        for m in "ab"
        for t in tables(lambda s, o, m=m: bonus(1.0)(s, o) + 100 * (m == "b"), model=m)
    ]
    claim = judged("O2", parts)
    # sums of squares double; 36 means less 2 models, 2 distances, 2 stages are left: mean square 2
    # · 13/30
    assert claim.value == pytest.approx(2 * 6 / (2 * FREEDOM / 30))


def test_both_need_two_seeds() -> None:
    parts = tables(bonus(1.0), seeds=1, model="a") + tables(bonus(1.0), seeds=1, model="b")
    for id in ("O1", "O2"):
        claim = judged(id, parts)
        assert (claim.verdict, claim.value, claim.detail) == (
            "not testable",
            None,
            "needs at least 2 seeds; 1 was run",
        )


def test_o2_needs_orders_that_tell_what_follows_from_how_many_follow() -> None:
    """Of the paths of the positions experiment each distance has a stage of its own."""
    paths = [(*STAGES[:p], "safety", *STAGES[p:3]) for p in range(4)]
    claim = judged("O2", tables(bonus(1.0), given=paths))
    assert (claim.verdict, claim.detail) == ("not testable", orders.NOT_APART)
    assert judged("O1", tables(bonus(1.0), given=paths)).verdict == "holds"


def test_places_are_read_from_the_order_and_the_position() -> None:
    runs = pl.DataFrame({"order": ["a>u>b>c", "a>b>c>u"], "position": [2, 4]})
    assert with_places(runs).select("distance", "next").rows() == [(2, "b"), (0, "")]


def test_every_method_is_judged_for_itself_and_no_records_no_claims() -> None:
    parts = tables(bonus(1.0), method="NPO") + tables(bonus(1.0), method="GA")
    found = [(claim.id, claim.method) for claim in orders.judge(records.Tables.concat(parts))]
    assert found == [("O1", "GA"), ("O1", "NPO"), ("O2", "GA"), ("O2", "NPO")]
    assert orders.judge(records.Tables.concat([])) == []
    assert (
        orders.judge(
            records.Tables.concat(tables(bonus(1.0), experiment="positions", given=ORDERS[:1]))
        )
        == []
    )
