"""G4 and D2 on made-up records: how long a growth is exponential, and whether a spread is more than
chance.
"""

import numpy as np
import pytest

from protocol import metrics, records
from protocol.claims import Claim
from protocol.claims.rates import between_sides, spread
from protocol.errors import InputError


def run(order: str, seed: int, experiment: str = "rates", method: str = "GA") -> records.Run:
    head = (f"{experiment} {order} {seed} {method}", "s", experiment, "network", "m")
    return records.Run(*head, order, 1, "r", method, seed)


def tables(seed: int, rates: list[float], *, half: float = 2.0) -> list[records.Tables]:
    """One pair whose log d grows by these rates in windows of five steps, and the half-diameter at
    the end.
    """
    log_d = np.concatenate([[0.0], np.cumsum(5 * np.array(rates))])
    curve = [(5 * i, "log_divergence", value) for i, value in enumerate(log_d)]
    scalars = [(0, f"growth/{name}", 0.1) for name in ("measured", "rate")]
    scalars += [(0, f"horizon/{name}", 9.0) for name in ("rate", "constant")]
    spread_rows = [(step, "half_diameter", half) for step in (0, 20)]
    return [
        records.tables(run("a|b", seed), [*curve, *scalars]),
        records.tables(run("all", seed), spread_rows),
    ]


def judged(rates: list[float], seeds: int = 6) -> Claim:
    (claim,) = between_sides.judge(
        records.Tables.concat(t for seed in range(seeds) for t in tables(seed, rates))
    )
    return claim


@pytest.mark.parametrize(
    ("rates", "span", "verdict"),
    [
        ([0.1, 0.1, 0.1, 0.1, 0.1, 0.1], 30, "holds"),
        ([0.1, 0.2, 0.05, 0.1, 0.1, 0.1], 30, "holds"),  # at the edges of the factor 2
        ([0.1, 0.1, 0.1, 0.21, 0.1, 0.1], 15, "fails"),
        ([0.1, 0.1, 0.1, 0.1, 0.04, 0.1], 20, "holds"),
        ([0.1, 0.06, 0.03, 0.01, 0.01, 0.0], 10, "fails"),
        ([0.03, 0.03, 0.03, 0.03, 0.03, 0.03], 30, "inconclusive"),  # e^0.6 = 1.8: has not doubled
        ([-0.1, 0.3, 0.3, 0.3, 0.3, 0.3], 0, "fails"),  # shrinks at first
    ],
)
def test_g4_follows_the_rate_over_windows(rates, span, verdict) -> None:
    claim = judged(rates)
    assert (claim.value, claim.verdict) == (span, verdict)


def test_g4_needs_seeds_and_twenty_steps() -> None:
    assert judged([0.1] * 6, seeds=4).verdict == "inconclusive"
    short = judged([0.3] * 3)
    assert (short.verdict, "too few steps" in short.detail) == ("inconclusive", True)


def test_a_run_that_broke_off_is_named() -> None:
    parts = [*tables(0, [0.1] * 4), *tables(1, [0.1] * 3)]
    with pytest.raises(
        InputError, match="log_divergence at 5 steps under each of 2 seeds; got 9 values"
    ):
        between_sides.judge(records.Tables.concat(parts))


def test_a_span_ends_where_the_rate_first_leaves() -> None:
    steps = np.array([0, 2, 10, 12])
    assert metrics.exponential_span(steps, np.array([0.0, 1.0, 5.0, 9.0])) == 10  # rates ½, ½, 2
    assert metrics.exponential_span(steps, np.array([0.0, 1.0, 5.0, 7.0])) == 12  # 1 is twice ½
    assert metrics.exponential_span(steps, np.zeros(4)) == 0


@pytest.mark.parametrize(
    ("half", "seeds", "verdict"),
    [(2.01, 6, "holds"), (2.01, 4, "inconclusive"), (1.99, 6, "fails")],
)
def test_d2_holds_the_spread_against_the_noise_of_retraining(half, seeds, verdict) -> None:
    """Floor: the larger of √4 and √1 on the retained parts; the forget prompts do not count."""
    floor = [
        (0, "logit_distance/inst", 4.0),
        (0, "logit_distance/tofu", 1.0),
        (0, "logit_distance/forget", 99.0),
    ]
    parts = [t for seed in range(seeds) for t in tables(seed, [0.1] * 4, half=half)]
    noise = records.tables(run("r", 0, "positions", "floor"), floor)
    (claim,) = spread.judge(records.Tables.concat([*parts, noise]))
    assert claim.verdict == verdict
    assert "noise floor 2" in claim.detail
    assert spread.judge(records.Tables.concat(parts)) == []
