"""What `check` finds: counts, overlap of whole conversations, problems and notes with their places."""

import json
from pathlib import Path

import pytest

from llm.corpora.example import Example, Message
from llm.data.check import asked, check

ROWS = [{"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(4)]


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_check_counts_what_it_finds(tmp_path) -> None:
    rows = [*ROWS, ROWS[0], {"question": "what is  1?", "answer": "One."}, {"question": "", "answer": "A"}]
    source = written(tmp_path, "train.jsonl", lines(rows) + "{half")
    test = written(tmp_path, "test.jsonl", lines([{"question": "WHAT IS 2?", "answer": "A"}]))
    found = check(source, test=test)
    assert (found.rows, found.shape, found.same_rows, found.same_prompts, found.overlap) == (7, "question", 1, 2, 1)
    assert [(field.name, field.kinds, field.empty, field.lengths) for field in found.fields] == [
        ("question", ("str",), 1, (0, 10, 11)),
        ("answer", ("str",), 0, (1, 8, 8)),
    ]
    assert [problem.place for problem in found.problems] == ["line 7", "line 8"]
    assert any("overlap: 1 test prompts" in line for line in found.lines())


def test_check_of_a_file_without_rows_reports_it(tmp_path) -> None:
    assert "expected at least one row" in str(check(written(tmp_path, "a.jsonl", "")).problems[0])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Example("Who  is\nit?", "A"), Example("WHO is it?", "B"), True),
        (Example("Q", "A", (Message("system", "s"),)), Example("Q", "A"), False),
        (Example("Q", "A", (Message("system", "s"),)), Example("Q", "A", (Message("system", "S "),)), True),
        (Example("Q", "A", (Message("system", "s"),)), Example("Q", "A", (Message("user", "s"),)), False),
        (Example("Q", "A", (), "[1]"), Example("Q", "A", (), "[2]"), False),
        (Example("Q", "A", (), "[1]"), Example("Q", "A", (), "[1]"), True),
        (Example("", "one text"), Example("", "another"), False),
        (Example("", "one text"), Example("", "One  text\n"), True),
    ],
)
def test_prompts_are_the_same_where_all_that_stands_before_the_answer_is(one, other, same) -> None:
    assert (asked(one) == asked(other)) is same


def test_overlap_is_of_whole_conversations(tmp_path) -> None:
    def chat(system: str, answer: str) -> dict:
        return {"system": system, "prompt": "Q", "response": answer}

    source = written(tmp_path, "train.jsonl", lines([chat("Be kind.", "A"), chat("Be brief.", "A")]))
    test = written(tmp_path, "test.jsonl", lines([chat("be kind.", "B"), chat("Be rude.", "A"), {"prompt": "Q"}]))
    found = check(source, test=test)
    assert (found.overlap, found.same_prompts) == (1, 0)
    assert str(found.problems[0]) == f"{test}: line 3, field 'response': expected text; got nothing (1 in all)"


def test_prompts_without_answers_are_told_and_their_labels_looked_through(tmp_path) -> None:
    rows = [{"prompt": "Q", "label": label} for label in ("Safe", "unsafe", "harmful")]
    found = check(written(tmp_path, "a.jsonl", lines(rows)))
    assert [str(problem) for problem in found.problems] == [
        "line 3, field 'label': expected one of safe, unsafe; got 'harmful'"
    ]
    assert found.notes == (
        "prompts without answers: for `retrace data safety`, or a stage that is curated",
        "1 safe requests, which `retrace data safety` leaves out",
    )


def test_a_report_has_one_line_for_everything_and_can_be_printed(tmp_path) -> None:
    half = '{"pro\\ud83dmpt": "x", "response": "y"}\n'
    source = written(tmp_path, "a.jsonl", half + lines([{"a\nb": "x", "prompt": "Q\u2028", "response": "A"}] * 30))
    report = list(check(source).lines())
    assert not any("\n" in line or "\r" in line for line in report)
    assert "pro\\ud83dmpt" in report[-1]
    assert "\n".join(report).encode("utf-8")
