"""L6, L6d and L6w on made-up records: every verdict, thresholds from both sides."""

import itertools

import pytest

from protocol import records
from protocol.claims import Claim
from protocol.claims.paper import dose, washout
from protocol.errors import InputError
from protocol.readings.doses import matched_pairs
from protocol.readings.later_stages import updates_after
from protocol.readings.scores import scored

STEPS = (0, 5, 10, 15, 20)
LAST = "inst>tofu>math>safety"
PATHS = {
    1: "safety>inst>tofu>math",
    2: "inst>safety>tofu>math",
    3: "inst>tofu>safety>math",
    4: LAST,
}
# At step 0: the doses go from −4 to −0.1, path p starts at −p.
DOSES = {f"{LAST}@4": -4.0, f"{LAST}@8": -2.0, LAST: -0.1}
START = {**{order: -float(p) for p, order in PATHS.items()}, **DOSES}


def table(
    experiment: str, order: str, seed: int, start: float, score: float, model="m", method="GA"
) -> records.Tables:
    """A run whose label falls by `score` up to the last step, at the same pace all along."""
    place = [stage.split("@")[0] for stage in order.split(">")].index("safety") + 1
    run = records.Run(
        f"{order}{seed}{model}{method}",
        "s",
        experiment,
        "llm",
        model,
        order,
        place,
        "r",
        method,
        seed,
    )
    return records.tables(run, [(t, "label_loglik", start - score * t / STEPS[-1]) for t in STEPS])


def doses(score, *, seeds=5, start=None, **head) -> list[records.Tables]:
    """The paths and the doses; score(seed, order) is forgotten at the last step."""
    orders = dict.fromkeys([*PATHS.values(), *DOSES])
    return [
        table("dose", order, seed, (START | (start or {}))[order], score(seed, order), **head)
        for seed in range(seeds)
        for order in orders
    ]


def judged(id: str, parts) -> Claim:
    (claim,) = (claim for claim in dose.judge(records.Tables.concat(parts)) if claim.id == id)
    return claim


def level(order: str) -> float:
    """A forget score that the starting likelihood decides: −start."""
    return -START[order]


def shifted(by: float, below: int = 5):
    """Doses forget less by `by` than paths that start alike, in the first `below` seeds; more in
    the others.
    """
    return lambda seed, order: (
        level(order) + (0.0 if order not in DOSES else -by if seed < below else by)
    )


def test_pairs_are_matched_by_the_start_between_the_doses() -> None:
    """Path 1 starts at −1, between −2 (forgets 20) and −0.1 (forgets 1): 1 + 19 · 0.9/1.9 = 10 at
    the last step.
    """
    forgotten = {
        f"{LAST}@4": 40.0,
        f"{LAST}@8": 20.0,
        LAST: 1.0,
        PATHS[1]: 7.0,
        PATHS[2]: 20.5,
        PATHS[3]: 30.0,
    }
    ((*_, scores),) = scored(
        records.Tables.concat(doses(lambda s, order: forgotten[order], seeds=1)), "dose"
    )
    pairs = matched_pairs(scores.runs).sort("position")
    assert pairs["position"].to_list() == [1, 2, 3]
    assert pairs["last"].to_list() == pytest.approx([10.0 - 7.0, 20.0 - 20.5, 30.0 - 30.0])
    assert pairs["half"].to_list() == pytest.approx([1.5, -0.25, 0.0])


@pytest.mark.parametrize(
    ("seeds", "slower", "verdict"),
    [
        (5, 5, "holds"),  # lower bound 0.05^(1/5) = 0.549
        (4, 4, "inconclusive"),  # 0.05^(1/4) = 0.473
        (5, 4, "inconclusive"),
        (5, 0, "fails"),
        (4, 0, "inconclusive"),
        (1, 1, "inconclusive"),
    ],
)
def test_l6_counts_the_seeds_in_which_the_matched_model_forgets_less(
    seeds, slower, verdict
) -> None:
    claim = judged("L6", doses(shifted(0.2, slower), seeds=seeds))
    assert (claim.verdict, claim.value) == (verdict, slower / seeds)
    assert claim.detail.startswith(f"step 20: {slower} of {seeds}")
    assert f"{3 * seeds} pairs, 0 seeds without" in claim.detail


def test_l6_is_inconclusive_where_the_steps_disagree() -> None:
    """Slower half-way, faster at the end."""
    parts = doses(shifted(-0.2))
    bent = [
        records.tables(
            records.Run(*t.records.row(0)[:10]),
            [(s, m, v + (1.0 if s == 10 and t.records["position"][0] == 4 else 0.0)) for s, m, v in
             t.records.select("step", "metric", "value").iter_rows()],
        )
        for t in parts
    ]  # fmt: skip
    claim = judged("L6", bent)
    assert claim.verdict == "inconclusive"
    assert "step 20: 0 of 5" in claim.detail and "step 10: 5 of 5" in claim.detail


def test_paths_outside_the_range_of_the_doses_have_no_pair() -> None:
    above = {order: -0.09 for p, order in PATHS.items() if p < 4}
    for id in ("L6", "L6d"):
        claim = judged(id, doses(shifted(0.2), start=above))
        assert (claim.verdict, claim.value, claim.detail) == ("not testable", None, dose.NO_PAIR)
    claim = judged("L6", doses(shifted(0.2), start={PATHS[1]: -0.09, PATHS[2]: -4.1}))
    assert "5 pairs, 0 seeds without" in claim.detail


def test_models_are_pooled_and_a_seed_without_a_pair_is_left_out() -> None:
    above = {order: -0.09 for p, order in PATHS.items() if p < 4}
    parts = doses(shifted(0.2), seeds=5, model="a") + doses(
        shifted(0.2), seeds=2, model="b", start=above
    )
    claim = judged("L6", parts)
    assert (claim.model, claim.value, claim.verdict) == ("a + b", 1.0, "holds")
    assert claim.detail.endswith("15 pairs, 2 seeds without")


def noisy(by: float):
    """Seeds 0 and 1 forget a more or less than seed 2: variance 1 within every path; the doses of a
    seed alike.
    """
    return lambda seed, order: shifted(by)(seed, order) + (seed - 1.0)


# 3 seeds, all differences −by: between by²/2, within 1; 95% of F(3, 4 · 2) is 4.066
@pytest.mark.parametrize(
    ("by", "verdict"),
    [
        ((2 * 4.07) ** 0.5, "holds"),
        ((2 * 4.06) ** 0.5, "inconclusive"),
        (2.02**0.5, "inconclusive"),
        (1.98**0.5, "fails"),
        (0.0, "fails"),
    ],
)
def test_l6d_holds_matched_models_against_seeds(by, verdict) -> None:
    claim = judged("L6d", doses(noisy(by), seeds=3))
    assert claim.value == pytest.approx(by**2 / 2)
    assert claim.verdict == verdict
    assert claim.threshold.startswith("> 4.07 (95% quantile) at steps 10 and 20")
    assert claim.detail.endswith("9 pairs of 3 seeds")


def test_l6d_is_judged_by_model_and_needs_two_seeds() -> None:
    parts = doses(noisy(9.0), seeds=3, model="a") + doses(noisy(9.0), seeds=1, model="b")
    found = [claim for claim in dose.judge(records.Tables.concat(parts)) if claim.id == "L6d"]
    assert [(c.model, c.verdict) for c in found] == [("a", "holds"), ("b", "not testable")]
    assert found[1].detail == "needs at least 2 seeds; 1 was run"


def test_records_that_broke_off_are_named() -> None:
    parts = doses(shifted(0.2), seeds=2)[1:]
    with pytest.raises(
        InputError,
        match="every order and step of m, GA, label_loglik under every seed, 60 values; got 55",
    ):
        dose.judge(records.Tables.concat(parts))


WASHED = {
    "": 0.0,
    ">math@5": 1.0,
    ">math@20": 2.0,
    ">math": 3.0,
}  # what is forgotten after 0, 5, 20, all updates


def washed(seeds: int, rising: int, score=WASHED, **head) -> list[records.Tables]:
    return [
        table(
            "wash-out",
            f"inst>tofu>safety{after}",
            seed,
            -0.1 - value,
            value if seed < rising else -value,
            **head,
        )
        for seed in range(seeds)
        for after, value in score.items()
    ]


def wash_out(parts) -> Claim:
    (claim,) = washout.judge(records.Tables.concat(parts))
    return claim


@pytest.mark.parametrize(
    ("seeds", "rising", "verdict"),
    [
        (5, 5, "holds"),
        (4, 4, "inconclusive"),
        (5, 4, "inconclusive"),
        (4, 0, "inconclusive"),
        (5, 0, "fails"),
        (1, 1, "inconclusive"),
    ],
)
def test_l6w_counts_the_seeds_whose_forget_score_rises(seeds, rising, verdict) -> None:
    claim = wash_out(washed(seeds, rising))
    assert (claim.id, claim.verdict, claim.value) == ("L6w", verdict, rising / seeds)


def test_l6w_tells_of_the_curve() -> None:
    claim = wash_out(washed(2, 2))
    assert (
        "by updates: 0 0 (-0.1), 5 1 (-1.1), 20 2 (-2.1), whole stage 3 (-3.1); half of the "
        "change reached at 20" in (claim.detail)
    )
    late = wash_out(washed(2, 2, WASHED | {">math": 4.01}))
    assert late.detail.endswith("half of the change reached at whole stage")
    none = wash_out(washed(2, 2, dict.fromkeys(WASHED, 1.0)))
    assert (none.value, none.detail.endswith("no change")) == (0.0, True)


def test_updates_are_read_from_the_order() -> None:
    read = updates_after
    assert [read("a>u", 2), read("a>u>b@7", 2), read("a>u>b", 2)] == [0.0, 7.0, float("inf")]


def test_every_method_is_judged_for_itself() -> None:
    parts = itertools.chain(
        *(doses(shifted(0.2), seeds=2, method=m) + washed(2, 2, method=m) for m in ("NPO", "GA"))
    )
    tables = records.Tables.concat(parts)
    assert [(c.id, c.method) for c in dose.judge(tables)] == [
        ("L6", "GA"),
        ("L6", "NPO"),
        ("L6d", "GA"),
        ("L6d", "NPO"),
    ]
    assert [c.method for c in washout.judge(tables)] == ["GA", "NPO"]


def test_no_records_no_claims() -> None:
    none = records.Tables.concat([])
    assert dose.judge(none) == washout.judge(none) == []
    assert dose.judge(records.Tables.concat(washed(2, 2))) == []
