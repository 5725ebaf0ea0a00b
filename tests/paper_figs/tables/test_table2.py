"""Table 2: the paper's five rows as printed, ours from configurations, equal settings in one row;
its three files.
"""

import json
from pathlib import Path

import polars as pl
import pytest

from paper_figs.report import outputs
from paper_figs.tables import table2
from paper_figs.tables import text as table_text
from protocol.errors import InputError

STAGE = {"recipe": {"lr": 5e-4, "batch": 32}}


def spec(
    name: str,
    model: str = "tiny-llama",
    *,
    world: str = "llm",
    kind: str = "full",
    lr: float = 2e-4,
    **stages,
):
    settings = {
        "adaptation": {"kind": kind, "rank": 16, "alpha": 32},
        "stages": stages or {"inst": STAGE, "math": STAGE},
        "unlearning": {"lr": lr, "batch": 64},
    }
    return json.dumps({"world": world, "name": name, "model": model, "settings": settings})


def test_printed_rows_are_the_papers() -> None:
    rows = table2.printed()
    assert [row.model for row in rows] == ["Llama1B", "Llama8B", "Llama13B", "Qwen1B", "Qwen14B"]
    assert rows[2] == ("Llama13B", table2.PAPER, "LoRA", "1e-5", "5e-6", "256", "128", "8", "16")


def test_ours_come_from_the_configurations() -> None:
    specs = {
        "a": spec("positions"),
        "b": spec("dose"),
        "c": spec("learning-rates/0.001", lr=1e-3),
        "d": spec("positions", "tiny-qwen2", kind="lora"),
        "e": spec("positions", "linear", world="linear"),
        "f": '{"instances": 64}',
        "g": '["GA", 64]',
    }
    assert table2.ours(specs) == [
        ("tiny-llama", "dose, positions", "all weights", "5e-4", "2e-4", "32", "64", "–", "–"),
        ("tiny-llama", "learning-rates/0.001", "all weights", "5e-4", "1e-3", "32", "64", "–", "–"),
        ("tiny-qwen2", "positions", "LoRA", "5e-4", "2e-4", "32", "64", "16", "32"),
    ]


def test_stages_that_differ_are_all_told() -> None:
    other = {"recipe": {"lr": 1.5e-3, "batch": 128}}
    (row,) = table2.ours({"a": spec("depth", C=STAGE, R=other, U=STAGE)})
    assert (row.sft_lr, row.sft_batch) == ("5e-4, 1.5e-3", "32, 128")


def test_records_of_an_earlier_version_are_refused_in_one_line() -> None:
    """Their stages say `training` instead of `recipe`."""
    old = spec("positions", inst={"training": {"lr": 5e-4, "batch": 32}})
    message = "records: expected a recipe for each stage of positions; .* run the command"
    with pytest.raises(InputError, match=message):
        table2.ours({"a": old})


@pytest.mark.parametrize(
    ("value", "text"), [(5e-5, "5e-5"), (1.5e-4, "1.5e-4"), (0.001, "1e-3"), (2.3, "2.3e+0")]
)
def test_a_rate_is_written_as_in_the_paper(value: float, text: str) -> None:
    assert table2.rate(value) == text


def test_three_files_the_paper_before_ours(tmp_path: Path) -> None:
    outputs.write_table2({"a": spec("positions")}, tmp_path)
    frame = pl.read_csv(tmp_path / "table2.csv", infer_schema_length=0)
    assert frame.columns == list(table2.Row._fields)
    assert frame["model"].to_list() == [
        "Llama1B",
        "Llama8B",
        "Llama13B",
        "Qwen1B",
        "Qwen14B",
        "tiny-llama",
    ]
    assert frame["unlearning_lr"].to_list() == ["1e-5", "1e-5", "5e-6", "1e-5", "5e-6", "2e-4"]
    text = (tmp_path / "table2.md").read_text().splitlines()
    assert text[0] == "| " + " | ".join(table2.HEAD) + " |"
    assert text[1] == "| --- | --- | --- |" + " ---: |" * 6
    assert text[-1] == "| tiny-llama | positions | all weights | 5e-4 | 2e-4 | 32 | 64 | – | – |"
    latex = (tmp_path / "table2.tex").read_text().splitlines()
    assert latex[1] == r"\begin{tabular}{lllrrrrrr}"
    assert latex[-3] == r"tiny-llama & positions & all weights & 5e-4 & 2e-4 & 32 & 64 & -- & -- \\"


def test_nothing_is_written_without_language_models(tmp_path: Path) -> None:
    assert outputs.write_table2({"a": spec("positions", world="linear")}, tmp_path / "tables") == []
    assert not (tmp_path / "tables").exists()


def test_latex_escapes_underscores() -> None:
    assert r"my\_model & 1" in table_text.latex_lines(("a", "b"), [("my_model", "1")], 1)
