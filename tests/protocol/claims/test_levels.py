"""L6e on made-up positions: straight lines that start at different levels."""

import numpy as np
import polars as pl
import pytest

from protocol import records
from protocol.claims.paper import levels

STEPS = np.arange(21)


def positions(last_slopes: list[float]) -> records.Tables:
    """Two paths: p = 1 from −1 by −0.2 a step, p = last from 0 by each slope, a seed each."""
    parts = []
    for seed, slope in enumerate(last_slopes):
        for p, curve in ((1, -1.0 - 0.2 * STEPS), (2, slope * STEPS)):
            run = records.Run(
                f"{seed} {p}", "s", "positions", "linear", "m", f"order {p}", p, "r", "GA", seed
            )
            values = [
                (int(step), "label_loglik", float(value))
                for step, value in zip(STEPS, curve, strict=True)
            ]
            parts.append(records.tables(run, values))
    return records.Tables.concat(parts)


@pytest.mark.parametrize(
    ("slower", "faster", "verdict"),
    [(5, 0, "holds"), (4, 0, "inconclusive"), (0, 5, "fails"), (3, 2, "inconclusive")],
)
def test_a_seed_counts_by_the_sign_of_its_difference(slower, faster, verdict) -> None:
    (claim,) = levels.judge(positions([-0.1] * slower + [-0.4] * faster))
    assert (claim.value, claim.verdict) == (slower / (slower + faster), verdict)


def test_what_never_falls_to_the_level_is_no_pair() -> None:
    (claim,) = levels.judge(positions([-0.1, -0.01]))
    assert claim.detail == "1 of 1 seeds, mean difference -0.5 nats; 1 pairs, 1 seeds without"
    (none,) = levels.judge(positions([-0.01, -0.01]))
    assert (none.verdict, none.value) == ("not testable", None)
    assert none.detail == "p = last never falls to the level at which another path starts"


def test_it_needs_every_step() -> None:
    tables = positions([-0.1])
    sparse = records.Tables(tables.records.filter(pl.col("step") % 2 == 0), tables.examples)
    (claim,) = levels.judge(sparse)
    assert (claim.verdict, claim.detail) == ("not testable", "needs the label at every step")
