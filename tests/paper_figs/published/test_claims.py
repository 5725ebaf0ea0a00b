"""The published numbers as records, and the claims that our functions judge on them."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from paper_figs.published import numbers
from paper_figs.published.claims import judge_published, printed_scores
from paper_figs.published.records import tables
from protocol import claims
from protocol.claims import Claim
from protocol.readings.curves import Curves, curves, unlearned


@pytest.fixture(scope="module")
def judged() -> list[Claim]:
    return judge_published()


def one(found: list[Claim], id: str, method: str, model: str = "", statistic: str = "") -> Claim:
    (claim,) = (
        claim
        for claim in found
        if (claim.id, claim.method) == (id, method)
        and model in claim.model
        and statistic in claim.statistic
    )
    return claim


def label(experiment: str, method: str) -> dict[str, Curves]:
    found = curves(
        unlearned(tables(), experiment), world="published", method=method, metric="label_loglik"
    )
    return {measured.model: measured for measured in found}


@pytest.mark.parametrize(
    ("experiment", "method", "sources", "fields"),
    [
        ("positions", "GA", {"Llama1B": 1, "Llama13B": 1, "Qwen14B": 1, "Qwen1B": 5}, {}),
        ("positions", "NPO", {"Llama8B": 3, "Qwen14B": 3, "Qwen1B": 5}, {}),
        ("positions", "SimNPO", {"Llama8B": 3, "Qwen14B": 3, "Qwen1B": 5}, {}),
        ("learning-rates/1e-06", "NPO", {"Llama1B": 6, "Qwen1B": 6}, {"learning_rate": 1e-6}),
        ("learning-rates/5e-06", "NPO", {"Llama1B": 6, "Qwen1B": 6}, {"learning_rate": 5e-6}),
        ("learning-rates/5e-05", "NPO", {"Llama1B": 6, "Qwen1B": 6}, {"learning_rate": 5e-5}),
        ("schedules/WSD", "GA", {"Qwen1B": 8}, {"scheduler": "WSD"}),
        ("schedules/WSD", "NPO", {"Qwen1B": 5}, {"scheduler": "WSD"}),
        ("schedules/WSD", "SimNPO", {"Qwen1B": 8}, {"scheduler": "WSD"}),
        ("schedules/cosine", "NPO", {"Qwen1B": 8}, {"scheduler": "cosine"}),
    ],
)
def test_every_model_counts_once_from_the_figure_that_can_be_used(
    experiment, method, sources, fields
) -> None:
    found = label(experiment, method)
    assert set(found) == set(sources)
    for model, figure in sources.items():
        panel = numbers.panel(figure, model=model, algorithm=method, **fields)
        assert np.array_equal(found[model].values[0], panel.values)
        assert found[model].seeds == (4 if figure == 5 else 1)


def test_table_1s_utilities_are_counted_from_where_nothing_is_lost() -> None:
    examples = tables().examples
    assert examples.height == 60 * 2 * 2
    assert set(examples.filter(step=0, metric="math_utility")["value"]) == {0.0}
    assert set(examples.filter(step=0, metric="tofu_utility")["value"]) == {1.0}
    last = examples.filter(step=19, metric="tofu_utility", model="Qwen1B", method="NPO").sort(
        "position"
    )["value"]
    assert last.to_list() == numbers.table1_row("Qwen1B", "NPO", "tofu_utility").tolist()


def test_the_functions_are_those_that_judge_ours(judged) -> None:
    same = claims.judge(tables())
    assert {claim.id for claim in judged} == {"L1", "L2", "L3", "L4", "L5", "L6e"}
    assert [c.value for c in judged] == [c.value for c in same]
    assert [c for c in judged if c.id in ("L3", "L4", "L5")] == [
        c for c in same if c.id in ("L3", "L4", "L5")
    ]


@pytest.mark.parametrize("method", ["GA", "NPO", "SimNPO"])
def test_l1_is_tested_where_a_spread_is_published(judged, method) -> None:
    """F by hand, means and half-widths; within a path (σ_0 + σ_t)², σ = √4 h/t(0.975; 3)."""
    panel = numbers.panel(5, algorithm=method)
    deviation = 2 * (panel.high - panel.low) / 2 / stats.t.ppf(0.975, 3)
    within = np.mean((deviation[:, 0] + deviation[:, 19]) ** 2)
    expected = 4 * np.var(panel.drops, ddof=1) / within
    claim = one(judged, "L1", method, "Qwen1B")
    assert claim.value == pytest.approx(expected)
    assert claim.verdict == "holds"
    normal = expected * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 3)) ** 2
    assert (
        f"(an assumption); taken for ±1.96 standard errors: F {normal:.3g}, holds" in claim.detail
    )


def test_l1_is_not_testable_on_single_runs(judged) -> None:
    others = [claim for claim in judged if claim.id == "L1" and claim.model != "Qwen1B"]
    assert len(others) == 7
    assert {(claim.verdict, claim.value) for claim in others} == {("not testable", None)}


def test_l1_asks_both_readings_of_the_band(monkeypatch) -> None:
    """A band twice as wide under SimNPO: above the quantile half-way as a t interval, not as ±1.96
    errors.
    """
    value = pl.col("value")
    wide = ((value + 2 * (pl.col(name) - value)).alias(name) for name in ("ci_low", "ci_high"))
    frame = numbers.curves().with_columns(wide)
    monkeypatch.setattr(numbers, "curves", lambda: frame)
    claim = one(judge_published(), "L1", "SimNPO", "Qwen1B")
    assert one(claims.judge(tables()), "L1", "SimNPO", "Qwen1B").verdict == "holds"
    assert (
        one(claims.judge(tables(normal=True)), "L1", "SimNPO", "Qwen1B").verdict == "inconclusive"
    )
    assert claim.verdict == "inconclusive"


@pytest.mark.parametrize(
    ("method", "verdict", "ranks", "table"),
    [
        (
            "GA",
            "holds",
            "Llama13B 1, Llama1B 1, Qwen14B 1, Qwen1B 1",
            "in 5 of 5, 95% bounds 0.55–1.00",
        ),
        ("NPO", "holds", "Llama8B 1, Qwen14B 1, Qwen1B 1", "in 5 of 5, 95% bounds 0.55–1.00"),
        (
            "SimNPO",
            "inconclusive",
            "Llama8B 1, Qwen14B 3, Qwen1B 4",
            "in 3 of 5, 95% bounds 0.19–0.92",
        ),
    ],
)
def test_l2_by_model_and_by_table_1(judged, method, verdict, ranks, table) -> None:
    claim = one(judged, "L2", method)
    assert claim.verdict == verdict
    assert f"rank of p = last, step 19: {ranks};" in claim.detail
    assert claim.detail.endswith(f"(slowest {table})")


def test_the_value_that_differs_from_its_curve_is_not_a_forget_score() -> None:
    assert printed_scores("SimNPO")["Qwen1B"][3] == pytest.approx(3.893, abs=1e-3)
    assert (
        printed_scores("GA")["Qwen1B"][3] == numbers.table1_row("Qwen1B", "GA", "forget_score")[3]
    )


def test_l3_reports_the_spread_and_is_not_testable(judged) -> None:
    found = [claim for claim in judged if claim.id == "L3"]
    assert len(found) == 6
    assert {claim.verdict for claim in found} == {"not testable"}
    rows = [numbers.table1_row(model, "GA", "math_utility") for model in numbers.table2()["model"]]
    claim = one(found, "L3", "GA", statistic="math")
    assert claim.value == pytest.approx(np.ptp(np.mean(rows, axis=0)))
    spreads = "Llama13B 0.241, Llama1B 0.466, Llama8B 0.121, Qwen14B 0.284, Qwen1B 0.572"
    assert f"max − min by model: {spreads};" in claim.detail


def test_l4_has_score_and_class_of_every_order(judged) -> None:
    claim = one(judged, "L4", "GA")
    assert claim.verdict == "not testable"
    assert (
        "C>R>U 0.56 (superficial), C>U>R 0.56 (superficial), R>C>U 0.31 (superficial), R>U>C "
        "0.61 (superficial), "
        "U>C>R 1.23 (deep), U>R>C 0.94 (deep); 6 of 6 classes as published; the caption's rule "
        "calls 6 deep"
    ) in claim.detail


def test_l5_has_the_ranks_at_every_setting(judged) -> None:
    found = [claim for claim in judged if claim.id == "L5"]
    assert {claim.verdict for claim in found} == {"not testable"}
    rates = one(found, "L5", "NPO", "Llama1B").detail.split(" | ")
    assert [part.split(":")[0] for part in rates] == ["1e-06", "5e-06", "5e-05"]
    assert [part.split("rank ")[1].split(":")[0] for part in rates] == [
        "Llama1B 2, Qwen1B 1",
        "Llama1B 2, Qwen1B 1",
        "Llama1B 1, Qwen1B 1",
    ]
    simnpo = one(found, "L5", "SimNPO").detail
    assert simnpo.count("rank Qwen1B 4") == 2
