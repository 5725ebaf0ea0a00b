"""The report of `check`: counts, overlap of whole conversations, problems and notes with places."""

from pathlib import Path

import pytest
from data_files import lines, written

from llm.corpora.example import Example, Message
from llm.curation import math, safety
from llm.data.check import asked, check
from llm.data.purposes import PURPOSES, STYLES, read_examples
from protocol.errors import InputError

ROWS = [{"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(4)]


def test_check_counts_what_it_finds(tmp_path) -> None:
    rows = [
        *ROWS,
        ROWS[0],
        {"question": "what is  1?", "answer": "One."},
        {"question": "", "answer": "A"},
    ]
    source = written(tmp_path, "train.jsonl", lines(rows) + "{half")
    test = written(tmp_path, "test.jsonl", lines([{"question": "WHAT IS 2?", "answer": "A"}]))
    found = check(source, test=test)
    assert (found.rows, found.shape, found.same_rows, found.same_prompts, found.overlap) == (
        7,
        "question",
        1,
        2,
        1,
    )
    assert [(field.name, field.kinds, field.empty, field.lengths) for field in found.fields] == [
        ("question", ("str",), 1, (0, 10, 11)),
        ("answer", ("str",), 0, (1, 8, 8)),
    ]
    assert [problem.place for problem in found.problems] == ["line 7", "line 8"]
    assert any("overlap: 1 test prompts are in the training rows" in line for line in found.lines())


def test_check_of_a_file_without_rows_reports_it(tmp_path) -> None:
    assert "expected at least one row" in str(check(written(tmp_path, "a.jsonl", "")).problems[0])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Example("Who  is\nit?", "A"), Example("WHO is it?", "B"), True),
        (Example("Q", "A", (Message("system", "s"),)), Example("Q", "A"), False),
        (
            Example("Q", "A", (Message("system", "s"),)),
            Example("Q", "A", (Message("system", "S "),)),
            True,
        ),
        (
            Example("Q", "A", (Message("system", "s"),)),
            Example("Q", "A", (Message("user", "s"),)),
            False,
        ),
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

    source = written(
        tmp_path, "train.jsonl", lines([chat("Be kind.", "A"), chat("Be brief.", "A")])
    )
    test = written(
        tmp_path,
        "test.jsonl",
        lines([chat("be kind.", "B"), chat("Be rude.", "A"), {"prompt": "Q"}]),
    )
    found = check(source, test=test)
    assert (found.overlap, found.same_prompts) == (1, 0)
    assert (
        str(found.problems[0])
        == f"{test}: line 3, field 'response': expected text; got nothing (1 in all)"
    )


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
    source = written(
        tmp_path,
        "a.jsonl",
        half + lines([{"a\nb": "x", "prompt": "Q\u2028", "response": "A"}] * 30),
    )
    report = list(check(source).lines())
    assert not any("\n" in line or "\r" in line for line in report)
    assert "pro\\ud83dmpt" in report[-1]
    assert "\n".join(report).encode("utf-8")


def use(source: Path, purpose: str) -> None:
    """What the command of a purpose does with a file."""
    if purpose == "safety":
        safety.curate(source, journal=source.with_name("journal"))
    elif purpose == "math":
        math.rewrite(source, journal=source.with_name("journal"))
    else:
        read_examples(source)


SUM = {"question": "How many?", "answer": "It is <<1+1=2>>2.\n#### 2"}
FILES = {
    "sums": [SUM, {**SUM, "question": "And?"}],
    "sum with a system message": [SUM, {**SUM, "system": "Be kind."}],
    "sum with tools": [SUM, {**SUM, "tools": [{"name": "f"}]}],
    "sums without a mark": [{"question": "How many?", "answer": "Two."}],
    "requests": [{"prompt": "Q"}, {"prompt": "R"}],
    "request with a system message": [{"prompt": "Q"}, {"prompt": "R", "system": "Be rude."}],
    "request with a history": [{"prompt": "Q"}, {"prompt": "R", "history": [["q", "a"]]}],
    "labels": [{"prompt": "Q", "label": "unsafe"}, {"prompt": "R", "label": "bad"}],
    "labels of answers": [{"prompt": "Q", "response": "A", "label": "bad"}],
    "safe requests": [{"prompt": "Q", "label": "safe"}],
    "removed styles": [{"turns": ["Q"], "prompt_style": style} for style in STYLES],
    "raw text": [{"text": "Once."}],
    "pairs": [{"prompt": "Q", "response": "A"}],
    "an empty answer": [{"prompt": "Q", "response": "A"}, {"prompt": "Q", "response": ""}],
    "nothing known": [{"poem": "x"}],
}
RIGHT = {
    "learn": {
        "sums",
        "sum with a system message",
        "sum with tools",
        "sums without a mark",
        "labels of answers",
        "raw text",
        "pairs",
    },
    "safety": {"sums", "sums without a mark", "requests", "pairs"},
    "math": {"sums"},
}


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("name", FILES)
def test_check_lists_what_the_command_of_its_purpose_refuses_and_nothing_else(
    tmp_path, name, purpose
) -> None:
    source = written(tmp_path, "a.jsonl", lines(FILES[name]))
    found = check(source, purpose=purpose)
    if name in RIGHT[purpose]:
        assert found.problems == ()
        use(source, purpose)
        return
    with pytest.raises(InputError) as refused:
        use(source, purpose)
    first, *others = found.problems
    assert str(refused.value).startswith(f"data: {source}: {first}")
    command = (
        "retrace data check" if purpose == "learn" else f"retrace data check --purpose {purpose}"
    )
    if first.place or others:
        assert f"`{command}` lists them" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "purpose", "places"),
    [
        ("request with a system message", "safety", ["line 2, field 'system'"]),
        ("request with a history", "safety", ["line 2, field 'history'"]),
        ("labels of answers", "safety", ["line 1, field 'label'"]),
        ("raw text", "safety", ["line 1, field 'text'"]),
        ("sum with a system message", "math", ["line 2, field 'system'"]),
        ("sum with tools", "math", ["line 2, field 'tools'"]),
        ("pairs", "math", ["line 1, field 'question'"]),
    ],
)
def test_problems_of_a_purpose_have_their_place_and_field(tmp_path, name, purpose, places) -> None:
    found = check(written(tmp_path, "a.jsonl", lines(FILES[name])), purpose=purpose)
    assert [str(problem).partition(":")[0] for problem in found.problems] == places


def test_by_default_a_file_is_looked_through_for_what_its_shape_is_for(tmp_path) -> None:
    for name, purpose in (
        ("requests", "safety"),
        ("labels", "safety"),
        ("sums", "learn"),
        ("raw text", "learn"),
    ):
        source = written(tmp_path, "a.jsonl", lines(FILES[name]))
        assert check(source) == check(source, purpose=purpose)
    with pytest.raises(
        InputError, match="purpose: expected one of learn, safety, math; got 'lern': did you mean"
    ):
        check(source, purpose="lern")


def test_problems_of_rows_and_of_their_purpose_are_one_list_in_the_files_order(
    tmp_path, caplog
) -> None:
    rows = [
        {"prompt": "Q", "label": "bad"},
        {"prompt": ""},
        {"prompt": "R"},
        {"prompt": "S", "system": "s"},
    ]
    source = written(
        tmp_path,
        "a.jsonl",
        lines([{**row, "type": "t", "label": row.get("label", "unsafe")} for row in rows]),
    )
    assert [problem.place for problem in check(source, purpose="safety").problems] == [
        "line 1",
        "line 2",
        "line 4",
    ]
    safety.questions(source, styles_removed=(), skip_bad_rows=True)
    assert "3 of 4 rows left out, the first: line 1, field 'label'" in caplog.text
