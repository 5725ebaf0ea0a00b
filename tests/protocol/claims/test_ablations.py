"""L5 on made-up records: every verdict is reached, L1 and L2 at every value decide."""

import numpy as np
import polars as pl
import pytest

from protocol import claims, records
from protocol.claims.controls import ablations

STEPS = (0, 5, 10, 15, 20)


def recent(seed: int, p: int, t: int) -> float:
    """p = 4 forgets a sixteenth as fast as p = 1, with little seed noise: L1 and L2 hold."""
    return -1.0 - t / p**2 + 1e-2 * float(np.random.default_rng([seed, p, t]).standard_normal())


def reversed_(seed: int, p: int, t: int) -> float:
    """p = 4 forgets fastest: L1 holds, L2 fails from 11 seeds on."""
    return recent(seed, 5 - p, t)


def alike(seed: int, p: int, t: int) -> float:
    """Seeds differ, paths hardly do, p = 4 least: L1 fails, L2 holds."""
    return -1.0 - t * (seed + 0.1 - 0.01 * p)


def setting(
    experiment: str, curve, *, seeds=11, method="GA", model="m", steps=STEPS
) -> list[records.Tables]:
    def run(seed: int, p: int) -> records.Run:
        key = f"{experiment}{method}{model}{seed}{p}"
        return records.Run(key, "s", experiment, "llm", model, f"order {p}", p, "r", method, seed)

    return [
        records.tables(run(seed, p), [(t, "label_loglik", curve(seed, p, t)) for t in steps])
        for seed in range(seeds)
        for p in range(1, 5)
    ]


def judged(*parts) -> list[claims.Claim]:
    return ablations.judge(records.Tables.concat(table for part in parts for table in part))


@pytest.mark.parametrize(
    ("slow", "seeds", "verdict", "value"),
    [
        (recent, 11, "holds", 1.0),
        (reversed_, 11, "fails", 0.5),  # L2 fails at one of two values
        (alike, 11, "fails", 0.5),  # L1 fails there
        (reversed_, 10, "inconclusive", 0.5),  # L2: 0 of 10, upper bound 1 − 0.05^(1/10) = 0.259
        (recent, 1, "not testable", 0.5),  # L1 needs 2 seeds
    ],
)
def test_l5_needs_l1_and_l2_at_every_value(slow, seeds, verdict, value) -> None:
    parts = (
        setting("learning-rates/0.0002", recent),
        setting("learning-rates/2e-05", slow, seeds=seeds),
    )
    (claim,) = judged(*parts)
    assert (claim.id, claim.verdict, claim.value) == ("L5", verdict, value)
    assert claim.threshold.startswith("= 1 of 2e-05, 0.0002")  # by size, not by letter


def test_l5_has_no_share_where_l1_is_testable_nowhere() -> None:
    (claim,) = judged(
        setting("schedules/wsd", recent, seeds=1), setting("schedules/cosine", recent, seeds=1)
    )
    assert (claim.verdict, claim.value) == ("not testable", None)


def test_l5_asks_for_l1_of_every_model() -> None:
    """L2 pools the models and holds: a's seeds are all slowest, and so are b's."""
    (claim,) = judged(
        setting("schedules/wsd", recent, model="a"), setting("schedules/wsd", alike, model="b")
    )
    assert (claim.verdict, claim.model) == ("fails", "a + b")
    assert (
        "holds, b 0.0" in claim.detail
        and "fails; p = last slowest at step 20 22 of 22" in claim.detail
    )


def test_l5_says_what_l1_and_l2_say() -> None:
    """The same records as experiment "positions"."""
    (claim,) = judged(setting("optimizers/sgd", reversed_))
    tables = records.Tables.concat(setting("positions", reversed_))
    first, second = (claim for claim in claims.judge(tables) if claim.id in ("L1", "L2"))
    assert claim.detail == (
        f"sgd: F m {first.value:.3g} {first.verdict}; p = last slowest at step 20 0 of 11, step "
        "10 0 of 11, area 0 of "
        f"11, rank m 4: {second.verdict}"
    )
    assert claim.statistic == "share of optimizers at which L1 (every model) and L2 hold"


def test_nothing_forgotten_is_a_setting_like_any_other() -> None:
    (claim,) = judged(setting("learning-rates/1e-09", lambda s, p, t: -1.0))
    assert (claim.verdict, claim.value) == ("fails", 0.0)


def test_every_family_and_method_is_judged_for_itself_at_the_values_it_has() -> None:
    parts = [setting("schedules/wsd", recent, method=m) for m in ("SimNPO", "GA")]
    parts += [setting("schedules/cosine", recent), setting("optimizers/sgd", recent)]
    found = [(c.method, c.statistic.split()[2], c.threshold.split(";")[0]) for c in judged(*parts)]
    assert found == [
        ("GA", "schedules", "= 1 of cosine, wsd"),
        ("SimNPO", "schedules", "= 1 of wsd"),
        ("GA", "optimizers", "= 1 of sgd"),
    ]


def test_no_records_no_claims() -> None:
    other = records.Tables.concat(setting("schedules", recent) + setting("wash-out", recent))
    assert ablations.judge(other) == ablations.judge(records.Tables.concat([])) == []
    retrained = other.records.with_columns(
        experiment=pl.lit("schedules/wsd"), position=pl.lit(0, pl.Int64)
    )
    assert ablations.judge(records.Tables(retrained, other.examples)) == []
