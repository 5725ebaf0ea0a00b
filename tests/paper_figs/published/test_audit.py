"""Each fact of the audit with its residual; and each is changed by a wrong number in the files."""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl
import pytest

from paper_figs.published import audit, numbers
from paper_figs.published.audit import Fact
from paper_figs.published.audit.fact import small

LABEL = "unlearn_label_loglik"
Edit = tuple[str, Callable[[pl.DataFrame], pl.DataFrame]]


def shifted(by: float, column: str = "value", **where: object) -> Edit:
    """curves.csv with a number added to the one value (or to all) that `where` names."""
    chosen = pl.all_horizontal(pl.col(name) == value for name, value in where.items())
    return "curves", lambda frame: frame.with_columns(
        pl.when(chosen).then(pl.col(column) + by).otherwise(column)
    )


def printed(model: str, algorithm: str, path: int, column: str, value: float) -> Edit:
    """table1.csv with another number in one place."""
    chosen = (
        (pl.col("model") == model) & (pl.col("algorithm") == algorithm) & (pl.col("path") == path)
    )
    return "table1", lambda frame: frame.with_columns(
        pl.when(chosen).then(pl.lit(value)).otherwise(column).alias(column)
    )


def banded(frame: pl.DataFrame) -> pl.DataFrame:
    """Figure 7 with a band of no width."""
    seventh = pl.col("figure") == 7
    return frame.with_columns(
        pl.when(seventh).then("value").otherwise(name).alias(name) for name in ("ci_low", "ci_high")
    )


class Case(NamedTuple):
    """What a fact says; and what it says once one number is another."""

    id: str
    agrees: bool
    residual: tuple[float, float] | None  # least and largest
    says: str
    edit: Edit
    edited_agrees: bool
    edited_says: str


WSD = {"figure": 8, "scheduler": "WSD"}
CASES = (
    Case(
        "table1-forget-score",
        False,
        (4e-4, 5e-4),
        "16 of 16 values in Figure 1, 16 of 16 in Figure 3, 7 of 8",
        printed("Llama1B", "GA", 1, "forget_score", 7.993),
        True,
        "15 of 16 values in Figure 1",
    ),
    Case(
        "table1-qwen1b-simnpo-p4",
        False,
        (1.9995, 2.0005),
        "drops by 3.893, the mean of four seeds in Figure 5 by "
        "4.048; the other three values of the row are the curve's to 0.0005. By the curve p = 4 "
        "is number 1 of 4 by "
        "speed, by the printed value number 3",
        printed("Qwen1B", "SimNPO", 4, "forget_score", 3.893),
        True,
        "by the printed value number 1",
    ),
    Case(
        "table1-math-utility",
        False,
        None,
        "28 of 60 printed values are positive, 30 negative, 2 zero; max − min "
        "over the paths is 0.057 to 0.832, above 0.2 in 13 of 15 rows",
        printed("Llama1B", "GA", 1, "math_utility", -0.387),
        False,
        "27 of 60 printed values are positive, 31",
    ),
    Case(
        "figure1-method",
        True,
        (4e-4, 5e-4),
        "of GA in 16 of 16 values, of NPO in 1 of 16, of SimNPO in 0 of 16",
        shifted(0.1, figure=1, model="Llama1B", path="1", step=19),
        False,
        "of GA in 15 of 16 values",
    ),
    Case(
        "figure3-scale",
        True,
        (1e-4, 2e-4),
        "the printed ones to 0.0005 in 32 values",
        shifted(0.1, figure=3, model="Qwen14B", algorithm="NPO", quantity=LABEL, path="1"),
        False,
        "to 0.10.",
    ),
    Case(
        "figure4-rule",
        False,
        None,
        "6 of 6 orders are deep. The depth score (C₀ − C_T)/(U₀ − U_T) is 0.31, 0.56, "
        "1.23, 0.94, 0.61, 0.56 for θ1 to θ6; from 0.75 on: θ3, θ4.",
        shifted(-500, figure=4, path="theta1", quantity="logprob_R", step=20),
        False,
        "5 of 6 orders",
    ),
    Case(
        "only-figure5-spread",
        True,
        None,
        "Of the 7 figures with curves those with a band are: 5 (Qwen1B)",
        ("curves", banded),
        False,
        "are: 5, 7 (Qwen1B)",
    ),
    Case(
        "figure5-start",
        True,
        (0.09, 0.1),
        "no width in 10 of 12 curves, that of the label is at most 0.097 nats",
        shifted(
            0.2, "ci_high", figure=5, algorithm="NPO", quantity="tofu_loglik", path="1", step=0
        ),
        True,
        "9 of 12",
    ),
    Case(
        "figure5-single-runs",
        False,
        (3.41, 3.42),
        "GA: 4 of 4 paths, by 0.37 to 3.41 nats; SimNPO: 4 of 4 paths, by 0.06 to 0.44",
        shifted(-1.0, figure=1, model="Qwen1B", path="4", step=19),
        False,
        "GA: 3 of 4 paths",
    ),
    Case(
        "figure7-repeats-figure6",
        True,
        (0, 2e-5),
        "Figure 6's panel Qwen1B at 5e-05, to 1e-05",
        shifted(0.01, figure=7, quantity=LABEL, path="2", step=7),
        False,
        "to 0.01",
    ),
    Case(
        "figure8-npo-wsd",
        False,
        (0, 2e-5),
        "(largest difference 1e-05); the drops differ from Table 1's NPO row by 0.12 to 3.25 nats",
        shifted(0.01, algorithm="NPO", path="2", step=7, **WSD),
        True,
        "difference 0.01)",
    ),
    Case(
        "figure8-cosine-start",
        True,
        (0, 2e-5),
        "in all 3 rows (largest difference 1e-05)",
        shifted(0.01, algorithm="GA", path="2", step=0, **WSD),
        False,
        "(largest difference 0.01)",
    ),
    Case(
        "figure6-llama1b-start",
        False,
        (1.067, 1.068),
        "at all learning rates (to 0 nats). Qwen1B's are those of "
        "Figure 1 (to 1e-05), Llama1B's are up to 1.07 nats away",
        shifted(0.01, figure=6, model="Qwen1B", learning_rate=1e-6, path="2", step=0),
        False,
        "(to 0.01 nats)",
    ),
    Case(
        "figure3-llama8b-start",
        False,
        (0, 0),
        "(largest difference 0). Under SimNPO the label of p = 4 starts 0.035 "
        "nats away from there, that of the other paths where it does under NPO (to 5e-05)",
        shifted(0.01, figure=3, model="Llama8B", algorithm="NPO", quantity=LABEL, path="1", step=0),
        True,
        "(largest difference 0.01)",
    ),
    Case(
        "figure3-llama8b-p4",
        False,
        (5e-5, 1e-4),
        "in 4 of 4 panels (to 8e-05 nats), the other paths in 0 of 12 curves",
        shifted(4e-4, figure=3, model="Llama8B", algorithm="NPO", quantity=LABEL, path="4", step=9),
        False,
        "in 3 of 4 panels",
    ),
    Case(
        "last-two-points",
        False,
        (0.0339, 0.034),
        "equal in 124 of 128 curves (not in Llama8B p = 4)",
        shifted(0.01, figure=1, model="Llama1B", path="1", step=19),
        False,
        "123 of 128 curves (not in Llama1B p = 1, Llama8B p = 4)",
    ),
    Case(
        "slowest-path",
        False,
        (3.15, 3.16),
        "in 15 of 21 panels that show runs of their own; not in Figure 3: "
        "Qwen14B SimNPO, WSD (rank 3), Figure 5: Qwen1B SimNPO, WSD (rank 4), Figure 6: Llama1B "
        "NPO, 5e-06 (rank 2), "
        "Figure 6: Llama1B NPO, 1e-06 (rank 2), Figure 8: Qwen1B SimNPO, WSD (rank 4), Figure "
        "8: Qwen1B SimNPO, "
        "cosine (rank 4).",
        shifted(-20, figure=1, model="Llama1B", path="4", step=19),
        False,
        "in 14 of 21 panels",
    ),
)
each = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])


def named(id: str) -> Fact:
    (fact,) = (fact for fact in audit.facts() if fact.id == id)
    return fact


@each
def test_the_fact(case: Case) -> None:
    fact = named(case.id)
    assert case.says in fact.found
    assert fact.agrees == case.agrees
    assert (fact.residual is None) == (case.residual is None)
    if case.residual is not None:
        assert case.residual[0] <= fact.residual <= case.residual[1]


@each
def test_another_number_is_noticed(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    table, change = case.edit
    frame = change(getattr(numbers, table)())
    monkeypatch.setattr(numbers, table, lambda: frame)
    fact = named(case.id)
    assert case.edited_says in fact.found
    assert case.edited_says not in case.says
    assert fact.agrees == case.edited_agrees


def test_every_fact_is_a_full_row_with_an_id_of_its_own() -> None:
    facts = audit.facts()
    assert sorted(fact.id for fact in facts) == sorted(case.id for case in CASES)
    for fact in facts:
        for text in (fact.printed, fact.found, fact.compared):
            assert text.endswith(".") and "  " not in text
        assert type(fact.agrees) is bool
        assert fact.residual is None or type(fact.residual) is float


def test_deviations_are_written_short() -> None:
    assert [small(value) for value in (3.4135, 0.01, 0.00047, 1e-5, 0.0)] == [
        "3.41",
        "0.01",
        "0.0005",
        "1e-05",
        "0",
    ]
