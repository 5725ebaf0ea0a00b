"""L1b, has the order an effect that all bases share, on made records: verdicts from both sides,
shares by hand.
"""

import numpy as np
import pytest

from protocol import records
from protocol.claims.controls import bases
from protocol.errors import InputError

PATHS = np.array([3.0, 2.0, 1.0, 0.0])  # what every path forgets, whatever the base
OWN = np.array([[1.0, -1, 1, -1], [1, 1, -1, -1], [-1, 1, 1, -1]])  # what a base does to each path


def made(scores, *, experiment="bases/{}", steps=(0, 5, 10), model="tiny"):
    """Records of forget scores (bases, seeds, paths): the label falls from 0 to −score half-way and
    at the end.
    """
    found = []
    for (base, seed, path), score in np.ndenumerate(scores):
        head = (
            f"{model} {base} {seed} {path}",
            "s",
            experiment.format(base),
            "llm",
            model,
            f"o{path}",
            path + 1,
        )
        run = records.Run(*head, "r", "GA", seed)
        found.append(
            records.tables(run, [(step, "label_loglik", -score if step else 0.0) for step in steps])
        )
    return records.Tables.concat(found)


def scores(common: float, own: float, seeds: int = 2) -> np.ndarray:
    """Bases 100 apart, seeds 10 apart and a little noise of their own."""
    noise = 0.01 * np.random.default_rng(0).standard_normal((3, seeds, 4))
    base, seed = 100.0 * np.arange(3)[:, None, None], 10.0 * np.arange(seeds)[None, :, None]
    return common * PATHS + own * OWN[:, None] + base + seed + noise


@pytest.mark.parametrize(
    ("common", "own", "verdict"),
    [(1.0, 0.1, "holds"), (0.0, 1.0, "fails"), (0.5, 0.6, "inconclusive")],
)
def test_the_order_on_every_base_from_both_sides(common, own, verdict):
    (claim,) = bases.judge(made(scores(common, own)))
    assert (claim.id, claim.world, claim.model, claim.method, claim.verdict) == (
        "L1b",
        "llm",
        "tiny",
        "GA",
        verdict,
    )
    assert claim.interval[0] <= claim.value <= claim.interval[1]


def test_the_share_is_that_of_the_means_of_the_bases():
    """Means over seeds are 0.5·PATHS + 0.6·OWN: F = MS_p/MS_pb, of (3, 6) degrees of freedom; share
    (F − 1)/(F + 2).
    """
    values = 0.5 * PATHS + 0.6 * OWN
    within = values - values.mean(axis=1, keepdims=True)
    path = 3 * np.sum(within.mean(axis=0) ** 2) / 3
    left = np.sum((within - within.mean(axis=0)) ** 2) / 6
    (claim,) = bases.judge(made(np.repeat(values[:, None], 2, axis=1)))
    assert claim.value == pytest.approx((path / left - 1) / (path / left + 2))
    assert "3 bases of 2 seeds" in claim.detail and "rest 0.00" in claim.detail


def test_one_base_tells_nothing_of_others():
    (claim,) = bases.judge(made(scores(1.0, 0.1)[:1]))
    assert (claim.verdict, claim.value) == ("not testable", None)
    assert bases.judge(made(scores(1.0, 0.1), experiment="positions")) == []


def test_one_seed_a_base_is_enough_for_the_common_share():
    (claim,) = bases.judge(made(scores(1.0, 0.1, seeds=1)))
    assert claim.verdict == "holds" and "whole variance" not in claim.detail


def test_bases_of_unlike_size_are_refused():
    unlike = records.Tables.concat(
        [made(scores(1.0, 0.1)), made(scores(1.0, 0.1, seeds=1)[:1], experiment="bases/9")]
    )
    with pytest.raises(
        InputError,
        match=r"as many seeds, paths and steps of tiny, GA on every base; got \(1, 4, 3\)",
    ):
        bases.judge(unlike)
