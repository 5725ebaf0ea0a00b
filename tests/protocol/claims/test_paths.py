"""Claims on made-up records whose verdict is known: every verdict is reached, and thresholds decide
from both sides.
"""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from protocol import claims, records
from protocol.errors import InputError
from protocol.readings.curves import judged_steps
from protocol.readings.distances import noise_floor

STEPS = 4


def run(
    world="llm", model="m", position=1, method="GA", seed=0, experiment="positions", name=""
) -> records.Run:
    key = f"{world}{model}{position}{method}{seed}{name}"
    return records.Run(
        key, "s", experiment, world, model, f"order {position}", position, "ref", method, seed
    )


def positions(
    curve, *, seeds=3, method="GA", metric="label_loglik", model="m", world="llm"
) -> list[records.Tables]:
    """Tables of four paths; curve(seed, position, step) gives the values."""
    return [
        records.tables(
            run(world, model, p, method, seed),
            [(t, metric, curve(seed, p, t)) for t in range(STEPS + 1)],
        )
        for seed in range(seeds)
        for p in range(1, 5)
    ]


def judged(parts, id) -> list[claims.Claim]:
    return [claim for claim in claims.judge(records.Tables.concat(parts)) if claim.id == id]


def one(parts, id) -> claims.Claim:
    (claim,) = judged(parts, id)
    return claim


def noise(seed, p, t) -> float:
    return 1e-2 * float(np.random.default_rng([seed, p, t]).standard_normal())


def recent(seed, p, t) -> float:
    """p = 4 forgets a tenth as fast as p = 1, with little seed noise."""
    return -1.0 - t / p**2 + noise(seed, p, t)


def floored(parts, *, floor=0.1, model="m") -> list[records.Tables]:
    return [
        *parts,
        records.tables(
            run(model=model, position=0, method="floor"), [(0, "re_distance/forget", floor)]
        ),
    ]


DISTANT = positions(lambda s, p, t: 1.0, metric="re_distance/forget")
LABEL = positions(recent)


def test_l1_holds_where_paths_differ_by_more_than_seeds_do() -> None:
    claim = one(LABEL + floored(DISTANT), "L1")
    assert (claim.verdict, claim.method) == ("holds", "GA")
    assert claim.value > 100


def test_l1_fails_where_seeds_differ_by_more_than_paths() -> None:
    # seed s moves every path alike by s, paths differ by 0.1 at most: MS_between 3 · var(0, .1, 0,
    # .1) = 0.01, within 1
    claim = one(positions(lambda s, p, t: -1.0 - t * (s + 0.1 * (p % 2))) + DISTANT, "L1")
    assert claim.value == pytest.approx(0.01)
    assert claim.verdict == "fails"


def test_l1_needs_seeds_and_says_so() -> None:
    claim = one(
        positions(recent, seeds=1)
        + positions(lambda s, p, t: 1.0, seeds=1, metric="re_distance/forget"),
        "L1",
    )
    assert (claim.verdict, claim.value, claim.detail) == (
        "not testable",
        None,
        "needs at least 2 seeds; 1 was run",
    )


def averaged(curve, *, seeds=3) -> list[records.Tables]:
    """The same runs as their mean over seeds, with variance and number."""
    level = np.array(
        [[[curve(s, p, t) for t in range(STEPS + 1)] for p in range(1, 5)] for s in range(seeds)]
    )
    mean, variance = level.mean(axis=0), level.var(axis=0, ddof=1)
    return [
        records.tables(
            run(position=p),
            [
                (t, name, values[p - 1, t])
                for name, values in (("label_loglik", mean), ("variance/label_loglik", variance))
                for t in range(STEPS + 1)
            ]
            + [(0, "setting/seeds", seeds)],
        )
        for p in range(1, 5)
    ]


def test_l1_of_means_is_that_of_their_seeds_where_these_share_the_start() -> None:
    def shared(seed, p, t) -> float:
        return recent(seed, p, t) if t else -1.0

    claim, means = one(positions(shared), "L1"), one(averaged(shared), "L1")
    share = (
        "1.00 [1.00, 1.00] of the variance within seeds is between paths; "  # means cannot tell it
    )
    assert (means.verdict, means.detail) == (claim.verdict, claim.detail.replace(share, ""))
    assert means.value == pytest.approx(claim.value)


def test_l1_of_means_is_a_lower_bound_where_the_starts_vary() -> None:
    """Seeds shift a whole curve: the score does not vary with them, but both levels do."""

    def lifted(seed, p, t) -> float:
        return recent(seed, p, t) + seed / 10

    assert one(averaged(lifted), "L1").value < one(positions(lifted), "L1").value / 10


@pytest.mark.parametrize(
    ("slow_seeds", "verdict"),
    [(5, "holds"), (4, "holds"), (3, "inconclusive"), (0, "inconclusive")],
)
def test_l2_counts_how_often_the_last_is_slowest(slow_seeds, verdict) -> None:
    def curve(seed, p, t) -> float:
        return recent(seed, p if seed < slow_seeds else 5 - p, t)

    claim = one(
        positions(curve, seeds=5)
        + positions(lambda s, p, t: 1.0, seeds=5, metric="re_distance/forget"),
        "L2",
    )
    assert claim.value == slow_seeds / 5
    assert claim.verdict == verdict


def test_l2_fails_only_when_the_upper_bound_is_below_chance() -> None:
    seeds = 12  # 0 of 12: upper bound 1 − 0.05^(1/12) = 0.221
    parts = positions(lambda s, p, t: recent(s, 5 - p, t), seeds=seeds)
    claim = one(
        parts + positions(lambda s, p, t: 1.0, seeds=seeds, metric="re_distance/forget"), "L2"
    )
    assert claim.verdict == "fails"
    assert claim.interval[1] == pytest.approx(1 - 0.05 ** (1 / 12))


def test_l2_is_inconclusive_where_the_readings_disagree() -> None:
    """Last is slowest half-way and by area but not at the end."""

    def curve(seed, p, t) -> float:
        return -1.0 if t == 0 else -1.0 - (5 - p if t < STEPS else p / 10)

    claim = one(
        positions(curve, seeds=12)
        + positions(lambda s, p, t: 1.0, seeds=12, metric="re_distance/forget"),
        "L2",
    )
    assert claim.verdict == "inconclusive"
    assert "step 4: 0 of 12" in claim.detail and "step 2: 12 of 12" in claim.detail


def questions(loss, *, seeds=2) -> list[records.Tables]:
    """100 questions a seed; loss(p) is the chance that a question answered before is not answered
    after.
    """
    rng = np.random.default_rng(0)
    return [
        records.tables(
            run(position=p, seed=seed, name="q"),
            [(0, "math_accuracy", 1.0), (STEPS, "math_accuracy", 1.0 - loss(p))],
            [row for i in range(100) for row in ((0, "math_accuracy", i, 1.0),
             (STEPS, "math_accuracy", i, float(rng.random() > loss(p))))],
        )
        for seed in range(seeds)
        for p in range(1, 5)
    ]  # fmt: skip


def test_l3_holds_fails_and_says_which_leaves_started_low() -> None:
    base = LABEL[:8] + positions(lambda s, p, t: 1.0, metric="re_distance/forget")[:8]
    lost = one(base + questions(lambda p: 0.1 * p), "L3")
    assert lost.verdict == "holds"
    assert lost.value == pytest.approx(0.3, abs=0.1)
    assert "leaves below half the retrained accuracy at the start: none" in lost.detail
    even = one(base + questions(lambda p: 0.0), "L3")
    assert (even.value, even.verdict) == (0.0, "fails")
    retrained = [
        records.tables(run(position=0, method="retrained", seed=s), [(0, "math_accuracy", 3.0)])
        for s in (0, 1)
    ]
    low = one(base + questions(lambda p: 0.1 * p) + retrained, "L3")
    assert low.detail.endswith("at the start: p=1: 2 of 2, p=2: 2 of 2, p=3: 2 of 2, p=4: 2 of 2")


def test_l3_of_one_seed_cannot_tell_path_from_shuffle() -> None:
    claim = one(LABEL[:4] + questions(lambda p: 0.1 * p, seeds=1), "L3")
    assert (claim.verdict, claim.value > 0.2) == ("not testable", True)
    assert claim.detail.startswith("needs at least 2 seeds")


def test_l3_of_two_models_under_one_seed_each_has_no_seeds_either() -> None:
    parts = [
        records.Tables(
            *(frame.with_columns(model=pl.lit(model)) for frame in (table.records, table.examples))
        )
        for model in ("a", "b")
        for table in questions(lambda p: 0.1 * p, seeds=1)
    ]
    claim = one(positions(recent, model="a") + parts, "L3")
    assert (claim.model, claim.verdict) == ("a + b", "not testable")
    assert "max − min by model: a 0." in claim.detail


@pytest.mark.parametrize(
    ("distance", "verdict", "value"), [(0.11, "holds", 1.0), (0.09, "fails", 0.0)]
)
def test_e1_holds_each_path_against_the_floor(distance, verdict, value) -> None:
    parts = positions(lambda s, p, t: distance if t == 2 else 1.0, metric="re_distance/forget")
    claim = one(LABEL + floored(parts, floor=0.1), "E1")
    assert (claim.verdict, claim.value) == (verdict, value)


def test_e1_asks_for_every_part_at_one_step() -> None:
    """Forget prompts within the floor at step 1, retained prompts at step 3: never both, so the
    path misses.
    """
    forget = positions(lambda s, p, t: 0.05 if t == 1 else 1.0, metric="re_distance/forget")
    retained = positions(lambda s, p, t: 0.05 if t == 3 else 1.0, metric="re_distance/math")
    floors = [
        records.tables(
            run(position=0, method="floor"),
            [(0, f"re_distance/{p}", 0.1) for p in ("forget", "math")],
        )
    ]
    assert one(LABEL + forget + retained + floors, "E1").value == 1.0


def test_e1_needs_a_floor_in_the_language_world_and_none_in_the_linear_one() -> None:
    claim = one(LABEL + DISTANT, "E1")
    assert (claim.verdict, claim.detail) == (
        "not testable",
        "no noise floor: needs at least 2 seeds of a model",
    )
    linear = positions(recent, world="linear") + positions(
        lambda s, p, t: 1.0, metric="re_distance/test", world="linear"
    )
    assert one(linear, "E1").verdict == "holds"


def test_the_noise_floor_is_the_largest_of_the_pairs_of_its_model() -> None:
    parts = [
        records.tables(
            run(position=0, method="floor", seed=s), [(0, "re_distance/forget", 0.1 * s)]
        )
        for s in (1, 3)
    ]
    parts += [
        records.tables(
            run(model="other", position=0, method="floor"), [(0, "re_distance/forget", 9.0)]
        )
    ]
    table = records.Tables.concat(parts)
    assert noise_floor(table, model="m", metric="re_distance/forget") == pytest.approx(0.3)
    assert noise_floor(table, model="none", metric="re_distance/forget") is None


def test_the_noise_floor_is_of_one_experiment() -> None:
    """A floor measured for another experiment is not the floor of the positions experiment, nor the
    other way round.
    """
    parts = [
        records.tables(
            run(position=0, method="floor", experiment=name), [(0, "re_distance/forget", level)]
        )
        for name, level in (("positions", 0.1), ("oracle-local", 0.4))
    ]
    table = records.Tables.concat(parts)
    assert noise_floor(table, model="m", metric="re_distance/forget") == 0.1
    assert (
        noise_floor(table, model="m", metric="re_distance/forget", experiment="oracle-local") == 0.4
    )


@pytest.mark.parametrize(
    ("steps", "last", "half"),
    [
        (range(5), 4, 2),
        (range(20), 19, 9),
        (range(21), 20, 10),
        (range(22), 20, 10),
        (range(36), 20, 10),
        (range(101), 20, 10),
        ((*range(0, 36, 5), 36), 20, 10),
        ((*range(0, 36, 3), 35), 21, 9),
        ((0, 36), 36, 36),
        (range(0, 25, 5), 20, 10),
        ((0, 5, 15, 20), 20, 5),
        ((0, 20), 20, 20),
        ((0, 1), 1, 1),
    ],
)
def test_scores_are_judged_at_steps_20_and_10_or_at_the_last_and_half_way(
    steps, last, half
) -> None:
    """Of a run of 20 steps these are the same; of recorded steps the nearest counts, the earlier of
    two.
    """
    assert judged_steps(tuple(steps)) == (last, half)


@pytest.mark.parametrize("longer", [20, 21, 35, 60])
def test_the_last_step_of_a_longer_run_is_judged_beside_10_and_20(longer) -> None:
    """p = 4 is slowest up to step 20 and by far the fastest after it: L1 holds at all three steps,
    L2 is divided.
    """

    def fallen(s: int, p: int, t: int) -> float:
        return recent(s, p, min(t, 20)) - (500 * (p == 4) + noise(s, p, t) if t > 20 else 0)

    parts = [
        records.tables(
            run(position=p, seed=seed),
            [(t, "label_loglik", fallen(seed, p, t)) for t in range(longer + 1)],
        )
        for seed in range(5)
        for p in range(1, 5)
    ]
    assert one(parts, "L1").verdict == "holds"
    assert one(parts, "L2").verdict == ("inconclusive" if longer > 20 else "holds")
    assert "step 20: 5 of 5, step 10: 5 of 5" in one(parts, "L2").detail
    if longer > 20:
        assert f"step {longer}: 0 of 5" in one(parts, "L2").detail
        assert f"at steps 10 and 20 and {longer}" in one(parts, "L1").threshold


def test_steps_are_named_by_their_numbers_where_only_some_are_recorded() -> None:
    """Recorded at 0, 5, 10, 20: at step 10, half-way, p = 4 is slowest; at the end p = 1 is."""
    falls = {0: 0.0, 5: 1.0, 10: 2.0, 20: 30.0}
    parts = [
        records.tables(
            run(position=p, seed=seed),
            [
                (t, "label_loglik", -falls[t] * (p if t == 20 else 5 - p) + noise(seed, p, t))
                for t in falls
            ],
        )
        for seed in range(5)
        for p in range(1, 5)
    ]
    recency = one(parts, "L2")
    assert recency.statistic == "share of seeds in which p = last is forgotten slowest, step 20"
    assert recency.detail == (
        "slowest by label: step 20: 0 of 5, step 10: 5 of 5, area: 0 of 5; rank of p = last, "
        "step 20: m 4; mean "
        "rank 4 of 4, exact p 1; Page's trend over positions p 1"
    )
    divergence = one(parts, "L1")
    assert divergence.threshold.endswith("(95% quantile) at steps 10 and 20; fails below 1")
    dense = [
        records.tables(
            run(position=p, seed=seed),
            [(i, "label_loglik", v) for i, v in enumerate(t.records["value"])],
        )
        for t, (seed, p) in zip(parts, ((s, p) for s in range(5) for p in range(1, 5)), strict=True)
    ]
    assert one(dense, "L1").value == divergence.value


def test_claims_speak_only_of_what_was_measured() -> None:
    assert {claim.id for claim in claims.judge(records.Tables.concat(LABEL))} == {"L1", "L2", "L6e"}
    assert {claim.id for claim in claims.judge(records.Tables.concat(floored(DISTANT)))} == {"E1"}
    alone = positions(lambda s, p, t: 1.0, method="SimNPO-beta1", metric="grad_norm")
    assert claims.judge(records.Tables.concat(alone)) == []
    assert claims.judge(records.Tables.concat([])) == []


def test_claims_come_in_the_order_of_their_ids_in_the_report() -> None:
    """Each experiment's four paths, named like orders; what a claim needs beyond them may be
    missing.
    """

    def named(experiment: str, metric: str, method: str = "GA") -> list[records.Tables]:
        return [
            records.tables(
                replace(
                    run(position=p, seed=s, experiment=experiment, name=experiment, method=method),
                    order=">".join("abc"[: p - 1] + "u" + "abc"[p - 1 :]),
                ),
                [(t, metric, recent(s, p, t)) for t in range(STEPS + 1)],
            )
            for s in range(2)
            for p in range(1, 5)
        ]

    parts = [
        t
        for name in ("wash-out", "orders", "dose", "schedules/wsd")
        for t in named(name, "label_loglik")
    ]
    parts += named("oracle-local", "re_distance/forget", "oracle-local")
    found = claims.judge(records.Tables.concat(LABEL + DISTANT + parts))
    assert [claim.id for claim in found] == [
        "L1",
        "L2",
        "L5",
        "L6",
        "L6d",
        "L6e",
        "L6w",
        "O1",
        "O2",
        "E1",
        "S1",
    ]


def test_records_that_broke_off_are_named() -> None:
    with pytest.raises(
        InputError,
        match=r"expected every path and step of m, GA, label_loglik .*, 60 values; got 55",
    ):
        claims.judge(records.Tables.concat(LABEL[1:]))


def theorem(**values) -> records.Tables:
    given = {
        "bound_log_slack": 1.0,
        "violation_log_margin": 0.5,
        "lemma_error": 1e-12,
        "projected_difference": 0.1,
        "sigma": 0.2,
        **values,
    }
    single = [(0, name, 0, value) for name, value in given.items()]
    return records.tables(run("linear", "d", 0, "GA", 0, "theorem"), [], single)


@pytest.mark.parametrize(
    ("id", "change"),
    [
        ("T1", {"bound_log_slack": -1e-6}),
        ("T2", {"violation_log_margin": -1e-6}),
        ("T3", {"lemma_error": 1e-8}),
        ("T3", {"projected_difference": 0.0}),
        ("T3", {"sigma": 0.0}),
    ],
)
def test_the_theorem_holds_or_fails_by_its_worst_instance(id, change) -> None:
    assert one([theorem()], id).verdict == "holds"
    assert one([theorem(**change)], id).verdict == "fails"


def test_claims_json_keeps_every_field_and_holds_no_infinity(tmp_path) -> None:
    written = claims.judge(records.Tables.concat([theorem(), *LABEL, *DISTANT]))
    claims.write_claims(written, tmp_path / "claims.json")
    assert claims.read_claims(tmp_path / "claims.json") == written
    assert json.loads((tmp_path / "claims.json").read_text(), parse_constant=pytest.fail)
    assert sum(claims.tally(written).values()) == len(written)
