"""Models whose runs differ in length, judged together: every model is in every reading, at steps of
its own.
"""

import itertools
import zlib
from collections import Counter

import numpy as np
import pytest

from protocol import records
from protocol.claims import Claim
from protocol.claims.controls import bases
from protocol.claims.paper import dose, orders, paths, washout
from protocol.errors import InputError
from protocol.orders import positions
from protocol.readings.curves import Curves, pooled_steps
from protocol.readings.scores import scored

LONG, SHORT, EMBEDDED = range(36), range(7), range(21)


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([EMBEDDED, EMBEDDED], {"step 20": (20, 20), "step 10": (10, 10)}),
        ([LONG], {"step 20": (20,), "step 10": (10,), "step 35": (35,)}),
        (
            [EMBEDDED, LONG],
            {"step 20": (20, 20), "step 10": (10, 10), "last step (20, 35)": (20, 35)},
        ),
        (
            [SHORT, EMBEDDED],
            {"later judged step (6, 20)": (6, 20), "earlier judged step (3, 10)": (3, 10)},
        ),
        (
            [SHORT, LONG],
            {
                "later judged step (6, 20)": (6, 20),
                "earlier judged step (3, 10)": (3, 10),
                "last step (6, 35)": (6, 35),
            },
        ),
    ],
)
def test_every_model_has_a_step_in_every_reading(models, expected) -> None:
    assert pooled_steps([tuple(steps) for steps in models]) == expected


def ranked(model: str, steps: range, seeds: int, slow_until: int = 99) -> Curves:
    """p = 4 falls by 1 a step and the others by 2 to 4; after `slow_until` p = 4 has fallen by 1000
    more.
    """
    t = np.array(steps, float)
    values = -np.array([4.0, 3.0, 2.0, 1.0])[:, None] * t
    values[-1] -= 1000.0 * (t > slow_until)
    return Curves(model, np.tile(values, (seeds, 1, 1)), tuple(steps))


def recency(*label: Curves) -> Claim:
    return paths.recency("llm", "GA", list(label), list(label))


def test_one_long_run_that_agrees_leaves_l2_as_it_is() -> None:
    """20 of 20 holds, so does 21 of 21; step 35 alone, of one seed, is no reading of the pool."""
    tiny, long = ranked("tiny", EMBEDDED, 20), ranked("long", LONG, 1)
    assert recency(tiny).verdict == "holds"
    claim = recency(tiny, long)
    assert (claim.verdict, claim.statistic) == (
        "holds",
        "share of seeds in which p = last is forgotten slowest, step 20",
    )
    assert claim.detail.startswith(
        "slowest by label: step 20: 21 of 21, step 10: 21 of 21, last step (20, 35): 21 of 21, "
        "area: 21 of 21; "
    )
    assert claim.detail.endswith("; by label and paraphrases, step 20: 21 of 21")


# Last step: the 3 seeds of the short model are slowest, none of the long one's; lower bounds of 3
# of 7 and 3 of 5 are .13 and .19, below 1/4, that of 3 of 4 too; of 9 of 10 it is .61.
@pytest.mark.parametrize(
    ("tiny", "long", "verdict"), [(3, 4, "inconclusive"), (9, 1, "holds"), (12, 12, "holds")]
)
def test_what_long_runs_do_after_step_20_counts_in_the_reading_of_the_last_step(
    tiny, long, verdict
) -> None:
    claim = recency(ranked("tiny", EMBEDDED, tiny), ranked("long", LONG, long, slow_until=20))
    assert f"last step (20, 35): {tiny} of {tiny + long}" in claim.detail
    assert f"step 20: {tiny + long} of {tiny + long}" in claim.detail
    assert claim.verdict == verdict


def test_runs_shorter_than_the_published_ones_are_read_beside_them() -> None:
    claim = recency(ranked("tiny", EMBEDDED, 4), ranked("short", SHORT, 4))
    assert (claim.verdict, claim.statistic) == (
        "holds",
        "share of seeds in which p = last is forgotten slowest, later judged step (6, 20)",
    )
    assert (
        "later judged step (6, 20): 8 of 8, earlier judged step (3, 10): 8 of 8, area: 8 of 8"
        in claim.detail
    )


def walks(
    rng: np.random.Generator, seeds: int, steps: range, *, effect: float, shared: float
) -> np.ndarray:
    """Label log-likelihoods (seeds, paths, points) that fall by N(1, 1) a step, p = 4 by `effect`
    less.

    shared: correlation of the paths of a seed, as of common random numbers.
    """
    size = len(steps) - 1
    own, common = rng.standard_normal((seeds, 4, size)), rng.standard_normal((seeds, 1, size))
    falls = 1 + np.sqrt(1 - shared) * own + np.sqrt(shared) * common
    falls[:, -1] -= effect
    return -np.concatenate([np.zeros((seeds, 4, 1)), np.cumsum(falls, axis=-1)], axis=-1)


# 200 simulations: a probability of 5% gives more than 9% of them once in 160 times. The effect at
# step 20 is 20 · .16 = 3.2 nats on a deviation of √20 = 4.5 within a path, half of the variance:
# 3.2² = 10 of 20.
@pytest.mark.parametrize("shared", [0.0, 0.5])
@pytest.mark.parametrize("seeds", [(20, 1), (4, 4)])
@pytest.mark.parametrize(("effect", "never"), [(0.0, "holds"), (0.16, "fails")])
def test_l2_of_runs_that_differ_in_length_errs_in_at_most_5_percent(
    seeds, shared, effect, never
) -> None:
    rng = np.random.default_rng(7)
    verdicts = Counter(
        recency(
            *(
                Curves(
                    name,
                    walks(rng, count, steps, effect=effect * np.sqrt(1 - shared), shared=shared),
                    tuple(steps),
                )
                for name, steps, count in zip(
                    ("tiny", "long"), (EMBEDDED, LONG), seeds, strict=True
                )
            )
        ).verdict
        for _ in range(200)
    )
    assert verdicts[never] <= 0.09 * 200
    assert verdicts["holds"] > 0 or not effect


STAGES = ("inst", "tofu", "math", "safety")
LAST = ">".join(STAGES)
ORDERS = {
    "dose": [f"{LAST}@4", f"{LAST}@8", *map(">".join, positions(STAGES[:3], "safety"))],
    "orders": list(map(">".join, itertools.permutations(STAGES))),
    "wash-out": ["inst>safety", "inst>safety>math@5", "inst>safety>math"],
}
JUDGES = {"dose": dose, "orders": orders, "wash-out": washout}
STARTS = {f"{LAST}@4": -4.0, f"{LAST}@8": -2.0, LAST: -0.1}


def pace(order: str, seed: int) -> float:
    """How far the label falls in a step: by position and seed, and a little by order."""
    return order.split("safety")[0].count(">") + 1 + seed + zlib.crc32(order.encode()) % 10 / 100


def runs(experiment: str, model: str, steps: range) -> list[records.Tables]:
    """Three seeds whose label falls at its pace up to step 20, and by 1000 after it."""
    found = []
    for seed, order in itertools.product(range(3), ORDERS[experiment]):
        place = order.split("safety")[0].count(">") + 1
        run = records.Run(
            f"{model}{seed}{order}", "s", experiment, "llm", model, order, place, "r", "GA", seed
        )
        start = STARTS.get(order, -float(place))
        values = [
            (t, "label_loglik", start - pace(order, seed) * t - 1000 * (t > 20)) for t in steps
        ]
        found.append(records.tables(run, values))
    return found


@pytest.mark.parametrize("experiment", JUDGES)
def test_every_model_is_scored_at_its_own_judged_steps(experiment) -> None:
    parts = (
        runs(experiment, "long", LONG)
        + runs(experiment, "short", SHORT)
        + runs(experiment, "tiny", EMBEDDED)
    )
    ((*_, scores),) = scored(records.Tables.concat(parts), experiment)
    assert scores.judged == {"long": (20, 10), "short": (6, 3), "tiny": (20, 10)}
    assert scores.runs.height == 3 * 3 * len(ORDERS[experiment])
    for row in scores.runs.iter_rows(named=True):
        last, half = scores.judged[row["model"]]
        assert row["last"] == pytest.approx(pace(row["order"], row["seed"]) * last)
        assert row["half"] == pytest.approx(pace(row["order"], row["seed"]) * half)
    assert scores.steps == {
        "last": "later judged step (6, 20)",
        "half": "earlier judged step (3, 10)",
    }
    assert scores.of("short").steps == {"last": "step 6", "half": "step 3"}
    assert scores.of("short").runs["model"].unique().to_list() == ["short"]


@pytest.mark.parametrize("experiment", JUDGES)
def test_a_long_run_beside_a_tiny_one_changes_no_claim_on_either(experiment) -> None:
    """Up to step 20 both fall alike, so that pooled values are those of the tiny model alone, of
    twice the seeds.
    """
    tiny, long = runs(experiment, "tiny", EMBEDDED), runs(experiment, "long", LONG)
    both, alone = (
        JUDGES[experiment].judge(records.Tables.concat(parts)) for parts in (tiny + long, tiny)
    )
    assert {claim.id for claim in both} == {claim.id for claim in alone}
    for claim in both:
        (like,) = (one for one in alone if one.id == claim.id)
        if claim.id != "O2":  # its degrees of freedom count models
            assert claim.value == pytest.approx(like.value)
        assert claim.statistic == like.statistic


def test_rules_name_the_steps_the_models_share() -> None:
    def rule(*parts: list[records.Tables]) -> str:
        first, *_ = dose.judge(records.Tables.concat(table for part in parts for table in part))
        return first.threshold

    tiny, long, short = (
        runs("dose", *of) for of in (("tiny", EMBEDDED), ("long", LONG), ("short", SHORT))
    )
    assert "at steps 10 and 20;" in rule(tiny, long)
    assert "at both judged steps of every model;" in rule(tiny, short)


@pytest.mark.parametrize("experiment", JUDGES)
def test_a_model_that_broke_off_is_named_beside_one_of_another_length(experiment) -> None:
    broken = runs(experiment, "tiny", EMBEDDED) + runs(experiment, "long", LONG)[1:]
    whole = 3 * len(ORDERS[experiment]) * 36
    with pytest.raises(
        InputError, match=rf"of long, GA, label_loglik .* {whole} values; got {whole - 36}: run the"
    ):
        JUDGES[experiment].judge(records.Tables.concat(broken))


def test_statistics_of_one_model_name_the_step_they_are_of() -> None:
    """L1, L1b and L6d give the value of step 20 of a run of 35 steps, and say so."""
    rng = np.random.default_rng(0)
    values = walks(rng, 4, LONG, effect=0.3, shared=0.0)
    claim = paths.divergence("llm", "GA", Curves("long", values, tuple(LONG)))
    assert (
        claim.value
        == paths.divergence("llm", "GA", Curves("long", values[..., :21], tuple(EMBEDDED))).value
    )
    (tuned,) = (
        one
        for one in dose.judge(records.Tables.concat(runs("dose", "long", LONG)))
        if one.id == "L6d"
    )
    (alike,) = bases.judge(
        records.Tables.concat(
            records.tables(
                records.Run(
                    f"{base}{seed}{p}",
                    "s",
                    f"bases/{base}",
                    "llm",
                    "long",
                    f"o{p}",
                    p + 1,
                    "r",
                    "GA",
                    seed,
                ),
                [(t, "label_loglik", values[seed, (p + base) % 4, t]) for t in LONG],
            )
            for base in (0, 1)
            for seed in range(4)
            for p in range(4)
        )
    )
    for one in (claim, tuned, alike):
        assert one.statistic.endswith(", later judged step")
        assert "at steps 10 and 20" in one.threshold
