"""Table 1: numbers recomputed by hand from the records; shape of CSV, Markdown and LaTeX."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paper_figs.report import outputs
from paper_figs.tables import table1
from paper_figs.tables import text as table_text
from paper_figs.tables.table1 import Cell
from protocol.records import Result, Tables


def levels(full: Result, metric: str, step: int) -> np.ndarray:
    """Values of tiny-qwen2 under NPO on path 2, by seed."""
    return (
        full.tables.records.filter(
            (pl.col("model") == "tiny-qwen2")
            & (pl.col("method") == "NPO")
            & (pl.col("position") == 2)
            & (pl.col("metric") == metric)
            & (pl.col("step") == step)
        )
        .sort("seed")["value"]
        .to_numpy()
    )


def entry(full: Result, quantity: str) -> dict[str, float]:
    frame = table1.measured(full.tables)
    chosen = frame.filter(
        (pl.col("model") == "tiny-qwen2")
        & (pl.col("method") == "NPO")
        & (pl.col("position") == 2)
        & (pl.col("quantity") == quantity)
    )
    return chosen.row(0, named=True)


def test_forget_score_by_hand(full: Result) -> None:
    score = levels(full, "label_loglik", 0) - levels(full, "label_loglik", 20)
    half = 4.302653 * score.std(ddof=1) / np.sqrt(3)  # t(0.975; 2 degrees of freedom)
    found = entry(full, "forget_score")
    assert (found["mean"], found["seeds"]) == (pytest.approx(score.mean()), 3)
    assert found["half_width"] == pytest.approx(half, rel=1e-6)
    assert found["before"] == pytest.approx(levels(full, "label_loglik", 0).mean())
    assert found["after"] == pytest.approx(levels(full, "label_loglik", 20).mean())


def test_the_other_quantities_by_hand(full: Result) -> None:
    phrases = levels(full, "phrase_loglik", 0) - levels(full, "phrase_loglik", 20)
    tofu = 1 - np.abs(levels(full, "tofu_loglik", 20) - levels(full, "tofu_loglik", 0))
    math = levels(full, "math_accuracy", 20) - levels(full, "math_accuracy", 0)
    assert entry(full, "forget_score_phrases")["mean"] == pytest.approx(phrases.mean())
    assert entry(full, "tofu_utility")["mean"] == pytest.approx(tofu.mean())
    assert entry(full, "math_utility")["mean"] == pytest.approx(math.mean())


def test_layout_has_the_papers_rows_and_groups(full: Result) -> None:
    table = table1.layout(table1.measured(full.tables))
    assert table is not None
    assert [(row.model, row.method) for row in table.rows] == [
        (model, method)
        for model in ("tiny-llama", "tiny-qwen2")
        for method in ("GA", "NPO", "SimNPO")
    ]
    assert table.titles[:3] == ("Forget score", "TOFU utility", "Math utility")
    assert table.paths == 4
    assert all(len(group) == 4 for row in table.rows for group in row.groups)


def test_missing_parts_leave_gaps_not_errors(make_result: Callable[..., Result]) -> None:
    tables = make_result(
        seeds=2, models=("tiny-llama",), methods=("GA", "NPO"), theorem=False
    ).tables
    thinner = tables.records.filter(
        (pl.col("metric") != "math_accuracy") | (pl.col("method") == "GA")
    )
    table = table1.layout(table1.measured(replace(tables, records=thinner)))
    assert table is not None
    assert [cell.value for cell in table.rows[1].groups[2]] == [None] * 4
    assert "| – | – | – | – |" in table_text.markdown(table)


def test_one_seed_has_no_interval(make_result: Callable[..., Result]) -> None:
    table = table1.layout(table1.measured(make_result(seeds=1, theorem=False).tables))
    assert table is not None
    assert all(
        cell.half_width is None for row in table.rows for group in row.groups for cell in group
    )
    assert "±" not in table_text.markdown(table)
    assert r"\pm" not in table_text.latex(table)


def test_without_language_models_there_is_no_table(
    make_result: Callable[..., Result], tmp_path: Path
) -> None:
    tables: Tables = make_result(seeds=0).tables
    assert outputs.write_table1(tables, tmp_path / "tables") is None
    assert not (tmp_path / "tables").exists()


def test_shades_follow_the_values_of_the_four() -> None:
    cells = table1.shaded([1.0, None, 3.0, 2.0], [None] * 4)
    assert [cell.shade for cell in cells] == [0.0, 0.0, 1.0, 0.5]
    assert [cell.shade for cell in table1.shaded([2.0, 2.0], [None, None])] == [0.0, 0.0]


def test_printed_table_is_the_papers() -> None:
    table = table1.printed()
    assert len(table.rows) == 15
    first = table.rows[0]
    assert (first.model, first.method) == ("Llama1B", "GA")
    assert [[cell.value for cell in group] for group in first.groups] == [
        [7.893, 5.341, 6.346, 0.178],
        [-0.705, -0.27, -1.916, 0.622],
        [0.387, -0.079, 0, 0.001],
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (-0.0001, "0.000"), (-0.27, "−0.270"), (7.893, "7.893")]
)
def test_numbers_as_text(value: float | None, text: str) -> None:
    assert table_text.number(value) == text


def test_a_cell_with_its_interval() -> None:
    assert table_text.cell_text(Cell(-1.5, 0.25)) == "−1.500 ± 0.250"


def test_markdown_is_a_rectangle(full: Result) -> None:
    table = table1.layout(table1.measured(full.tables))
    assert table is not None
    text = table_text.markdown(table).splitlines()
    assert len(text) == 2 + 6
    assert {line.count("|") for line in text} == {2 + 4 * 4 + 1}
    assert text[0].startswith("| Model | Algorithm | Forget score p=1 | Forget score p=2 |")


def test_latex_has_a_cell_per_column_and_balanced_braces(full: Result) -> None:
    table = table1.layout(table1.measured(full.tables))
    assert table is not None
    text = table_text.latex(table)
    body = [line for line in text.splitlines() if line.startswith("tiny-")]
    assert len(body) == 6
    assert {line.count("&") for line in body} == {1 + 4 * 4}
    assert all(line.endswith(r"\\") for line in body)
    assert text.count("{") == text.count("}")
    assert text.count(r"\begin{tabular}{ll" + "r" * 16 + "}") == text.count(r"\end{tabular}") == 1
    assert text.count(r"\midrule") == 2
    assert "−" not in text
    assert r"\cellcolor{red!45}" in text
