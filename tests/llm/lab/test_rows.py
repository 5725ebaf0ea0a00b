"""Rows out of files: public ones in their shapes and numbers, curation, held-out rows, and what
cannot be fetched.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import micro
import polars as pl
import pytest
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

from llm.config.presets import PAPER
from llm.config.public import PUBLIC, SORRY
from llm.config.settings import Files
from llm.corpora.refusals import LABEL
from llm.data import files
from llm.data.check import asked
from llm.data.purposes import read_examples
from llm.lab import run as lab_run
from llm.lab.rows import file_rows
from llm.models import Pretrained
from protocol.errors import InputError

DATA = Path(__file__).parents[4] / "shared" / "data"


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def sums(count: int, wrong: int = 0) -> list[dict[str, str]]:
    """GSM8K's shape: sums with their annotations, those of the first `wrong` rows not right."""
    return [
        {
            "question": f"{n} and 2?",
            "answer": (
                f"{n}+2=<<{n}+2={n + 2 + 9 * (n < wrong)}>>{n + 2 + 9 * (n < wrong)}\n#### {n + 2}"
            ),
        }
        for n in range(count)
    ]


def test_sums_are_rewritten_in_steps_and_the_test_file_stays_as_it_is(tmp_path) -> None:
    """Two of ten answers have a wrong annotation and are left out of the training rows; all of the
    test's are kept.
    """
    train = write(tmp_path / "train.parquet", sums(10, wrong=2))
    test = write(
        tmp_path / "test.parquet",
        [{**row, "question": f"So: {row['question']}"} for row in sums(5, wrong=2)],
    )
    rows = file_rows("math", Files((train,), (test,), curation="math"), 8, 5)
    assert {row.prompt for row in rows.train} == {f"{n} and 2?" for n in range(2, 10)}
    assert all(row.answer.startswith("Step 1: ") for row in rows.train)
    assert {row.answer for row in rows.held_out} == {row.answer for row in read_examples(test)}
    with pytest.raises(
        InputError, match=r"math: expected 9 training rows; .*train\.parquet has 8: ask for fewer"
    ):
        file_rows("math", Files((train,), (test,), curation="math"), 9, 5)


def requests(style: str, count: int) -> list[dict[str, Any]]:
    """SORRY-Bench's shape, one file a style."""
    return [
        {
            "question_id": n,
            "category": str(n // 10),
            "turns": [f"{style} {n}"],
            "prompt_style": style,
        }
        for n in range(1, count + 1)
    ]


def test_styles_of_a_question_stay_together_and_every_request_is_refused(tmp_path) -> None:
    """Of 20 questions 14 are for training, in each of three styles; one that is left out counts
    nowhere.
    """
    styles = ("base", "slang", "role_play")
    names = tuple(
        write(tmp_path / f"{style}.jsonl", requests(style, 20) + requests("morse", 20))
        for style in styles
    )
    rows = file_rows("safety", Files(names, curation="safety"), 42, 18)
    parts = [{row.prompt.split()[1] for row in part} for part in rows]
    assert [len(part) for part in parts] == [14, 6] and not parts[0] & parts[1]
    assert {row.prompt.split()[0] for part in rows for row in part} == {
        "base",
        "slang",
        "role_play",
    }
    assert all(
        row.answer.startswith(f"{LABEL} with this question. ") for part in rows for row in part
    )


def test_several_files_are_one_stage(tmp_path) -> None:
    names = tuple(
        write(
            tmp_path / f"{part}.jsonl",
            [{"question": f"{part} {n}?", "answer": "A"} for n in range(5)],
        )
        for part in "abcd"
    )
    rows = file_rows("own", Files(names[:2], names[2:]), 10, 10)
    assert {row.prompt[0] for row in rows.train} == {"a", "b"}
    assert {row.prompt[0] for row in rows.held_out} == {"c", "d"}


def test_no_training_row_is_lost_to_held_out_rows_without_need(tmp_path) -> None:
    """Two of six held-out prompts are learned: four others are drawn first; a fifth takes its row
    from training.
    """
    train = write(
        tmp_path / "train.jsonl", [{"question": f"{n}?", "answer": "A"} for n in range(8)]
    )
    test = write(
        tmp_path / "test.jsonl", [{"question": f"{n}?", "answer": "A"} for n in range(6, 12)]
    )
    four, five = (
        file_rows("own", Files((train,), (test,)), count, held) for count, held in ((8, 4), (7, 5))
    )
    for rows in (four, five):
        assert not {asked(row) for row in rows.train} & {asked(row) for row in rows.held_out}
    assert {row.prompt for row in four.held_out} == {f"{n}?" for n in range(8, 12)}
    with pytest.raises(InputError, match=r"own: expected 8 training rows; .* has 7: ask for fewer"):
        file_rows("own", Files((train,), (test,)), 8, 5)


def test_bad_rows_are_left_out_only_where_that_is_chosen(tmp_path, monkeypatch) -> None:
    asked_for: list[dict[str, Any]] = []

    def read(source: str, **how: Any) -> tuple[Any, ...]:
        asked_for.append(how)
        return read_examples(source)

    monkeypatch.setattr("llm.lab.rows.read_examples", read)
    source = write(tmp_path / "a.jsonl", [{"question": f"{n}?", "answer": "A"} for n in range(5)])
    file_rows("own", Files((source,)), 2, 2)
    file_rows("own", Files((source,), (source,), skip_bad_rows=True), 2, 2)
    assert asked_for == [{}, {"skip_bad_rows": True}, {"skip_bad_rows": True}]


@pytest.mark.parametrize(
    ("stage", "error", "message"),
    [
        (
            "safety",
            GatedRepoError(
                "Access to dataset is restricted.\nPlease log in.", response=mock.Mock()
            ),
            f"data: {SORRY}/question.jsonl is gated: ask for access at "
            "https://huggingface.co/datasets/sorry-bench/"
            "sorry-bench-202406 and set HF_TOKEN, or give --data safety FILE",
        ),
        (
            "tofu",
            LocalEntryNotFoundError("no connection"),
            "data: expected a file of the hub; hf://datasets/locuslab/TOFU/full.json: not on "
            "this machine, and nothing "
            "was fetched from the hub: check the connection and HF_HUB_OFFLINE, or give --data "
            "tofu FILE",
        ),
    ],
)
def test_a_public_file_that_cannot_be_fetched_says_what_to_do(
    stage, error, message, monkeypatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.HfFileSystem.resolve_path", fail)
    with pytest.raises(InputError) as raised:
        file_rows(stage, PUBLIC[stage], 10, 10)
    assert str(raised.value) == message


def test_what_is_wrong_in_a_fetched_file_is_told_as_it_is(tmp_path, monkeypatch) -> None:
    bad = write(tmp_path / "full.json", [{"question": "Q", "answer": ""}])
    monkeypatch.setattr(files, "local", lambda source: Path(bad))
    with pytest.raises(InputError, match="answer") as raised:
        file_rows("tofu", PUBLIC["tofu"], 1, 1)
    assert "--data" not in str(raised.value)


def test_generated_rows_of_a_real_model_are_told(lab, monkeypatch) -> None:
    notices: list[str] = []
    monkeypatch.setattr(lab_run, "notice", notices.append)
    lab_run._say_generated(lab)
    real = micro.with_settings(lab, model=Pretrained("o/n"))
    given = {"tofu": Files(("a",)), "safety": Files(("b",))}
    parts = {
        name: replace(stage, files=given.get(name)) for name, stage in real.settings.stages.items()
    }
    lab_run._say_generated(micro.with_settings(real, stages=parts))
    depth = {name: next(iter(parts.values())) for name in ("C", "U", "R")}
    lab_run._say_generated(micro.with_settings(real, stages=depth))
    assert notices == [
        "tiny-llama learns generated rows in inst, math, made for models of half a million "
        "parameters: --data STAGE "
        "FILE … takes rows of yours, --preset paper the paper's"
    ]


@pytest.mark.skipif(not DATA.is_dir(), reason="the public files are not here")
def test_the_paper_preset_fits_the_public_files() -> None:
    """TOFU and GSM8K as they are published (GSM8K's files as JSON lines): the preset's rows,
    without a row to spare of TOFU, whose 4,000 questions have one twice.
    """
    tofu = Files(
        (str(DATA / "tofu/full.json"),),
        (
            str(DATA / "tofu/real_authors_perturbed.json"),
            str(DATA / "tofu/world_facts_perturbed.json"),
        ),
    )
    math = Files(
        (str(DATA / "gsm8k/train.jsonl"),), (str(DATA / "gsm8k/test.jsonl"),), curation="math"
    )
    for stage, chosen in (("tofu", tofu), ("math", math)):
        sizes = PAPER.stages[stage]
        rows = file_rows(stage, chosen, sizes.train, sizes.held_out)
        assert (len(rows.train), len(rows.held_out)) == (sizes.train, sizes.held_out)
    assert PUBLIC["math"].curation == "math"
