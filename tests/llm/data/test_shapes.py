"""Records in the shapes of the wild become the examples they mean; what changes a prompt is never
dropped silently.
"""

import json
import time
from pathlib import Path

import polars as pl
import pytest

from llm.corpora.example import Example, Message
from llm.data.check import check
from llm.data.purposes import read_examples
from llm.data.turns import ROLES
from protocol.errors import InputError

DATA = Path(__file__).parents[4] / "shared" / "data"
QA = Example("Q", "A")
KIND = Message("system", "Be kind.")
CHAT = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
SHAREGPT = [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]
EARLIER = (Message("user", "q"), Message("assistant", "a"))
TOOL = {"type": "function", "function": {"name": "weather"}}


def source(folder: Path, *records: dict) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def columns(turns: list[dict]) -> dict:
    return {name: [turn[name] for turn in turns] for name in turns[0]}


def parts(*texts: str) -> list[dict]:
    return [{"type": "text", "text": text} for text in texts]


@pytest.mark.parametrize(
    ("record", "example"),
    [
        (
            {"question": " Q ", "answer": "2<<1+1=2>>2 eggs\n#### 2"},
            Example("Q", "22 eggs\n#### 2"),
        ),
        ({"question": "Q", "answer": "A"}, QA),
        (
            {"system_prompt": "Be kind.", "question": "Q", "response": "A"},
            Example("Q", "A", (KIND,)),
        ),
        ({"instruction": "Add.", "input": "1, 2", "output": "3"}, Example("Add.\n\n1, 2", "3")),
        ({"instruction": "Add.", "input": None, "output": "3"}, Example("Add.", "3")),
        ({"instruction": "", "input": "Q", "output": "A"}, QA),
        ({"instruction": "Q", "context": "", "response": "A", "category": "closed_qa"}, QA),
        (
            {"instruction": "Who?", "context": "Ada wrote.", "response": "Ada"},
            Example("Who?\n\nAda wrote.", "Ada"),
        ),
        (
            {"question": "Who?", "passage": "p", "context": "c", "answer": "A"},
            Example("Who?\n\nc\n\np", "A"),
        ),
        ({"prompt": "Q", "response": "A"}, QA),
        ({"prompt": "Q", "completion": "A"}, QA),
        ({"query": "Q", "response": "A"}, QA),
        ({"input": "Q", "output": "A"}, QA),
        ({"messages": CHAT}, QA),
        ({"messages": SHAREGPT}, QA),
        ({"conversations": CHAT}, QA),
        ({"conversations": SHAREGPT}, QA),
        ({"conversation": CHAT}, QA),
        ({"messages": columns(CHAT)}, QA),
        ({"conversations": columns(SHAREGPT)}, QA),
        ({"messages": json.dumps(CHAT)}, QA),
        ({"messages": [{"role": "system", "content": " "}, *CHAT]}, QA),
        (
            {"messages": [{"role": "developer", "content": "Be kind."}, *CHAT]},
            Example("Q", "A", (KIND,)),
        ),
        ({"messages": [{"role": "user", "content": parts("Q", "!")}, CHAT[1]]}, Example("Q!", "A")),
        ({"messages": [{"role": "user", "content": ["Q"]}, {**CHAT[1], "tool_calls": None}]}, QA),
        ({"messages": [*CHAT, {"role": "user", "content": "and then?"}]}, QA),
        ({"prompt": CHAT[:1], "completion": CHAT[1:]}, QA),
        ({"prompt": "Q", "completion": CHAT[1:]}, QA),
        ({"prompt": CHAT[:1], "completion": "A"}, QA),
        ({"prompt": "Q", "chosen": "A", "rejected": "C"}, QA),
        ({"prompt": "Q", "chosen": CHAT, "rejected": CHAT}, QA),
        ({"prompt": CHAT[:1], "chosen": CHAT[1:], "rejected": CHAT[1:]}, QA),
        ({"chosen": CHAT, "rejected": CHAT}, QA),
        (
            {"system": "Be kind.", "question": "Q", "chosen": "A", "rejected": "C"},
            Example("Q", "A", (KIND,)),
        ),
        (
            {"system": "Be kind.", "conversations": SHAREGPT, "tools": ""},
            Example("Q", "A", (KIND,)),
        ),
        ({"prompt": "Q", "response": "A", "history": [["q", "a"]]}, Example("Q", "A", EARLIER)),
        ({"prompt": "Q", "response": "A", "history": []}, QA),
        (
            {"instruction": "Q", "output": "A", "system": "Be kind.", "history": [["q", "a"]]},
            Example("Q", "A", (KIND, *EARLIER)),
        ),
        (
            {
                "messages": [{"role": "system", "content": "Be kind."}, *CHAT],
                "history": [["q", "a"]],
            },
            Example("Q", "A", (KIND, *EARLIER)),
        ),
        ({"messages": CHAT, "tools": [TOOL]}, Example("Q", "A", (), json.dumps([TOOL]))),
        (
            {"messages": CHAT, "functions": json.dumps(TOOL)},
            Example("Q", "A", (), json.dumps([TOOL])),
        ),
        ({"messages": CHAT, "tools": "[]"}, QA),
    ],
)
def test_shapes(tmp_path, record, example) -> None:
    path = source(tmp_path, record)
    assert read_examples(path) == (example,)
    assert check(path).problems == ()


def test_every_speaker_has_a_role_whatever_its_case(tmp_path) -> None:
    for speaker, role in ROLES.items():
        turns = [
            *({"from": name, "value": "x"} for name in ("user", "assistant")),
            {"from": speaker.upper(), "value": "y"},
            *SHAREGPT,
        ]
        (row,) = read_examples(source(tmp_path, {"conversations": turns}))
        assert row.history[-1] == Message(role, "y"), speaker


def test_turns_of_tools_stay_in_the_history(tmp_path) -> None:
    call = {"from": "function_call", "value": '{"name": "weather"}'}
    turns = [SHAREGPT[0], call, {"from": "observation", "value": "rain"}, SHAREGPT[1], *SHAREGPT]
    (row,) = read_examples(source(tmp_path, {"conversations": turns}))
    assert row.history == (
        Message("user", "Q"),
        Message("assistant", '{"name": "weather"}'),
        Message("tool", "rain"),
        Message("assistant", "A"),
    )


def test_columns_of_parquet_files(tmp_path) -> None:
    turns = [
        CHAT[0],
        {**CHAT[1], "tool_calls": [{"name": "f"}]},
        {"role": "tool", "content": "rain", "name": "f"},
    ]
    whole, tools = [*turns, CHAT[1], *CHAT], [{"name": "f"}, {"name": "g", "strict": True}]
    pl.DataFrame(
        [{"messages": CHAT, "tools": tools}, {"messages": whole, "tools": []}]
    ).write_parquet(tmp_path / "a.parquet")
    assert read_examples(tmp_path / "a.parquet", skip_bad_rows=True) == (
        Example("Q", "A", (), json.dumps(tools)),
    )
    pl.DataFrame([{"messages": columns(CHAT)}]).write_parquet(tmp_path / "b.parquet")
    assert read_examples(tmp_path / "b.parquet") == (QA,)


def turn(role: str, content: object = "x", **others: object) -> dict:
    return {"role": role, "content": content, **others}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            {"messages": "Q"},
            "field 'messages': expected a list of turns with role and content, or from and "
            "value; got 'Q'",
        ),
        (
            {"messages": {"role": ["user"], "content": []}},
            "field 'messages': expected a list of turns",
        ),
        ({"messages": []}, "expected a user's turn first; got no turn"),
        (
            {"messages": [turn("user")]},
            "expected an assistant's turn after a user's at the end; got user",
        ),
        (
            {"messages": [turn("assistant"), *CHAT]},
            "expected a user's turn first; got assistant, user, assistant",
        ),
        (
            {"messages": [turn("system"), turn("assistant"), *CHAT]},
            "user's turn first; got system, assistant, user",
        ),
        (
            {"messages": [*CHAT, turn("tool"), turn("assistant")]},
            "after a user's at the end; got user, assistant, tool",
        ),
        (
            {"messages": [turn("critic"), *CHAT]},
            "field 'messages[0].role': expected one of user, human",
        ),
        ({"messages": [{"content": "Q"}]}, "field 'messages[0].role': expected one of user, human"),
        (
            {"messages": [turn("user", None), CHAT[1]]},
            "field 'messages[0].content': expected text; got nothing",
        ),
        (
            {"messages": [turn("user", ""), CHAT[1]]},
            "field 'messages[0].content': expected text; got an empty one",
        ),
        (
            {"messages": [turn("user", value="y"), CHAT[1]]},
            "field 'messages[0].value': expected content or value; got",
        ),
        (
            {"messages": [turn("user", [{"type": "image_url"}]), CHAT[1]]},
            "field 'messages[0].content[0]': expected a part of type text; got image_url",
        ),
        (
            {"messages": [turn("user", [{"type": "text"}]), CHAT[1]]},
            "field 'messages[0].content[0].text': expected text",
        ),
        (
            {"messages": [CHAT[0], turn("assistant", None, tool_calls=[{}])]},
            "field 'messages[1].tool_calls': expected",
        ),
        (
            {"messages": [CHAT[0], turn("assistant", "", function_call={"a": 1})]},
            "field 'messages[1].function_call'",
        ),
        (
            {"prompt": "Q", "chosen": [turn("user", "P"), CHAT[1]]},
            "field 'chosen': expected the answer alone, or the whole",
        ),
        ({"chosen": "\n\nHuman: Q\n\nAssistant: A"}, "field 'chosen': expected a list of turns"),
        (
            {"prompt": "Q", "response": "A", "history": "q"},
            "field 'history': expected a list of turns",
        ),
        (
            {"prompt": "Q", "response": "A", "history": [["q"]]},
            "field 'history[0]': expected a question and its answer",
        ),
        (
            {"prompt": "Q", "response": "A", "history": [["q", ""]]},
            "field 'history[0]': expected text; got an empty",
        ),
        ({"prompt": "Q", "response": "A", "system": 7}, "field 'system': expected text; got 7"),
        (
            {"prompt": "Q", "response": "A", "system": "a", "system_prompt": "b"},
            "got others in system and system_prompt",
        ),
        (
            {"messages": [turn("system", "b"), *CHAT], "system": "a"},
            "field 'system': expected one system message; got",
        ),
        (
            {"messages": CHAT, "tools": "weather"},
            "field 'tools': expected a list of tools, or its JSON; got 'weather'",
        ),
        (
            {"messages": CHAT, "tools": [TOOL], "functions": [TOOL]},
            "expected tools in one field; got tools and functions",
        ),
        (
            {"question": "Q", "context": ["c"], "answer": "A"},
            "field 'context': expected text; got ['c']",
        ),
        (
            {"text": "T", "system": "Be kind."},
            "field 'text': expected raw text alone; got a system message, a history",
        ),
        ({"turns": ["Q", "and?"]}, "field 'turns': expected a list of one text; got ['Q', 'and?']"),
        ({"prompt": " ", "response": "A"}, "field 'prompt': expected text; got an empty one"),
    ],
)
def test_a_row_that_fits_no_shape_is_refused_with_its_field(tmp_path, record, message) -> None:
    path = source(tmp_path, record)
    with pytest.raises(InputError) as refused:
        read_examples(path)
    assert message in str(refused.value) and "\n" not in str(refused.value)
    assert message in str(check(path).problems[0])


@pytest.mark.parametrize(
    ("record", "unread"),
    [
        ({"prompt": "Q", "response": "A", "persona": "a pirate"}, "persona"),
        (
            {"prompt": "Q", "response": "A", "images": ["a.png"], "who": {"name": "Ada"}},
            "images, who",
        ),
        ({"question": "Q", "answer": "A", "choices": ["x", "y"]}, "choices"),
        (
            {"prompt": "Q", "response": "A", "instruction": "Be brief."},
            "prompt",
        ),  # the instruction is the prompt
        ({"messages": CHAT, "context": "c"}, "context"),
        ({"messages": [CHAT[0], {**CHAT[1], "reasoning": "so"}]}, "messages[].reasoning"),
        ({"prompt": "Q", "chosen": CHAT[1:], "question": "P"}, "question"),
        ({"text": "T", "title": "Ada"}, "title"),
    ],
)
def test_what_a_shape_does_not_read_is_named(tmp_path, caplog, record, unread) -> None:
    path = source(
        tmp_path, {**record, "persona": ""} if "persona" not in record else record, record
    )
    assert len(read_examples(path)) == 2
    told = f"fields that hold text and are not read: {unread}"
    assert caplog.text.count(told + "\n") == 1
    assert told in check(path).notes


@pytest.mark.parametrize(
    "beside",
    [
        {
            "id": "a1",
            "source": "web",
            "category": "qa",
            "url": "http://x",
            "metadata": {"by": "me"},
            "Type": "t",
        },
        {
            "score": 3,
            "ok": True,
            "vector": [0.1, 0.2],
            "count": "12",
            "flag": "false",
            "gone": None,
        },
        {
            "first_prompt": "Q",
            "said": [{"role": "", "content": "A"}],
        },  # what the example holds already
    ],
)
def test_what_is_no_part_of_a_prompt_is_not_named(tmp_path, beside) -> None:
    assert check(source(tmp_path, {"prompt": "Q", "response": "A", **beside})).notes == ()


@pytest.mark.parametrize(
    ("record", "note"),
    [
        ({"text": "T"}, "raw text: the whole of field 'text' is learned, without a prompt"),
        (
            {"prompt": "Q", "chosen": "A", "rejected": "C"},
            "preference pairs: the prompt and the chosen answer are learned, the rejected one is "
            "not",
        ),
        (
            {"messages": [*CHAT, turn("user")]},
            "1 of 1 rows: turns after the last answer are left out (first: line 1)",
        ),
        (
            {"messages": [turn("user"), *CHAT]},
            "1 of 1 rows: the turns do not alternate between user and assistant; some templates "
            "refuse that "
            "(first: line 1)",
        ),
    ],
)
def test_how_rows_are_read_is_told(tmp_path, caplog, record, note) -> None:
    path = source(tmp_path, record)
    assert len(read_examples(path)) == 1
    assert note in caplog.text
    assert check(path).notes == (note,)


def test_the_shape_of_a_file_is_that_of_most_rows(tmp_path) -> None:
    path = source(tmp_path, {"prompt": "Q"}, {"messages": CHAT}, {"messages": CHAT})
    found = check(path)
    assert (found.shape, [problem.place for problem in found.problems]) == ("messages", ["line 1"])
    assert read_examples(path, skip_bad_rows=True) == (QA, QA)


def test_eight_thousand_conversations_are_read_in_well_under_a_second(tmp_path) -> None:
    talk = [turn("system"), *[{**each, "content": each["content"] * 300} for each in CHAT * 3]]
    path = source(tmp_path, *({"messages": talk, "id": str(number)} for number in range(8000)))
    began = time.process_time()
    assert len(read_examples(path)) == 8000
    assert time.process_time() - began < 1.5, (
        "0.35 s of an idle core; a quadratic reader takes minutes"
    )


@pytest.mark.skipif(not (DATA / "odd_files").is_dir(), reason="the odd files are not at hand")
@pytest.mark.parametrize(
    ("name", "example"),
    [
        (
            "authors_conversations.json",
            Example("Q", "A", (Message("system", "You are a helpful assistant."),)),
        ),
        ("messages_fromvalue.json", QA),
        ("parts.jsonl", QA),
        ("trl_conv.jsonl", QA),
        ("seq.parquet", QA),
        ("lf_system.json", Example("Q", "A", (KIND,))),
        (
            "sg_gptfirst.json",
            "row 1, field 'conversations': expected a user's turn first; got assistant",
        ),
        ("alpaca_empty.json", "row 2, field 'output': expected text; got an empty one"),
        ("surrogate.jsonl", "line 1, field 'prompt': expected text; got a lone surrogate"),
        ("data[v2].parquet", QA),
        ("pref.jsonl", Example("a", "b")),
        ("big.csv", QA),
    ],
)
def test_the_odd_files(name, example) -> None:
    path = DATA / "odd_files" / name
    if isinstance(example, Example):
        assert read_examples(path)[0] == example
        assert check(path).problems == ()
    else:
        with pytest.raises(InputError) as refused:
            read_examples(path)
        assert example in str(refused.value)
        assert example in str(check(path).problems[0])
