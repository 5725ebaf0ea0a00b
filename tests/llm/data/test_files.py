"""Readers: the four formats, the shapes in the wild, and what is wrong where."""

import json
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

from llm.corpora.example import Example, Message
from llm.data import files, read_examples
from llm.data.check import check
from protocol.errors import InputError

ROWS = [{"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(4)]
DATA = Path(__file__).parents[4] / "shared" / "data"
present = pytest.mark.skipif(not DATA.is_dir(), reason="the real data are not at hand")


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_every_format_gives_the_same_rows(tmp_path) -> None:
    columns = json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}, indent=1)
    pl.DataFrame(ROWS).write_parquet(tmp_path / "rows.parquet")
    sources = [
        written(tmp_path, "rows.json", json.dumps(ROWS, indent=1)),
        written(tmp_path, "columns.json", columns),
        written(tmp_path, "lines.json", lines(ROWS)),
        written(tmp_path, "lines.jsonl", "\ufeff" + lines(ROWS) + "\n"),
        written(tmp_path, "rows.csv", pl.DataFrame(ROWS).write_csv()),
        tmp_path / "rows.parquet",
    ]
    for source in sources:
        assert [record.values for record in files.read(source)] == ROWS, source
        assert [(row.prompt, row.answer) for row in read_examples(source)] == [tuple(row.values()) for row in ROWS]


@pytest.mark.parametrize(
    ("record", "prompt", "answer", "history"),
    [
        ({"question": " Q ", "answer": "2<<1+1=2>>2 eggs\n#### 2"}, "Q", "22 eggs\n#### 2", ()),
        ({"instruction": "Add.", "input": "1, 2", "output": "3"}, "Add.\n\n1, 2", "3", ()),
        ({"instruction": "Add.", "input": None, "output": "3"}, "Add.", "3", ()),
        ({"prompt": "Q", "response": "A"}, "Q", "A", ()),
        ({"prompt": "Q", "completion": "A"}, "Q", "A", ()),
        (
            {
                "messages": [
                    {"role": "system", "content": "Be kind."},
                    {"role": "user", "content": "Q"},
                    {"role": "assistant", "content": "A"},
                    {"role": "user", "content": "and then?"},
                ]
            },
            "Q",
            "A",
            (Message("system", "Be kind."),),
        ),
        ({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}, "Q", "A", ()),
    ],
)
def test_shapes(tmp_path, record, prompt, answer, history) -> None:
    (row,) = read_examples(written(tmp_path, "rows.jsonl", lines([record])))
    assert row == Example(prompt, answer, history)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"prompt": "Q", "response": "A"}\n{oops}\n', "line 2: expected a JSON object"),
        ("a.jsonl", lines([ROWS[0], {"question": "Q", "answer": 7}]), "line 2, field 'answer': expected text; got 7"),
        ("a.jsonl", lines([ROWS[0], {"question": "Q", "answer": ""}]), "line 2, field 'answer': expected text; got an"),
        ("a.jsonl", lines([ROWS[0], {"question": "Q"}]), "line 2, field 'answer': expected text; got nothing"),
        ("a.jsonl", "[1]\n", "line 1: expected an object with named fields; got [1]"),
        ("a.jsonl", "", "expected at least one row"),
        ("a.jsonl", lines([{"poem": "x"}]), "expected the fields of one of: question, answer | instruction, output"),
        ("a.jsonl", lines([{"prompt": "x"}]), "holds prompts only (prompt)"),
        ("a.jsonl", lines([{"messages": [{"role": "user", "content": "Q"}]}]), "expected an assistant's turn"),
        ("a.jsonl", lines([{"messages": "Q"}]), "field 'messages': expected a list of turns"),
        (
            "a.jsonl",
            lines([{"question": "Q", "answer": "#### 1"}] * 2 + [{"question": "Q", "answer": "one"}]),
            "line 3, field 'answer': expected a last line",
        ),
        ("a.json", '{"question": ["Q"], "answer": []}', "expected columns of equal length; got {'question': 1"),
        ("a.json", "[1, ", "expected JSON"),
        ("a.csv", 'question,answer\nQ,A\n"Q\nQ",A,B\n', "line 3: expected 2 cells; got 3"),
        ("a.csv", "question,question\nQ,A\n", "line 1: expected distinct column names"),
        ("a.parquet", "no parquet", "expected Parquet"),
        ("a.txt", "Q", "expected a file named .json, .jsonl, .ndjson, .csv, .parquet; got a.txt"),
    ],
)
def test_what_is_wrong_where(tmp_path, name, text, message) -> None:
    with pytest.raises(InputError) as refused:
        read_examples(written(tmp_path, name, text))
    assert message in str(refused.value)


def test_bytes_that_are_no_utf8_are_named_by_line(tmp_path) -> None:
    (tmp_path / "a.csv").write_bytes(b"question,answer\nQ,A\nQ,caf\xe9\n")
    with pytest.raises(InputError, match="line 3: expected UTF-8; byte 0xe9 is not"):
        read_examples(tmp_path / "a.csv")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"data: expected a file; not found: nowhere\.json"):
        files.read("nowhere.json")


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
    assert [problem.place for problem in found.problems] == ["line 8", "line 7"]
    assert any("overlap: 1 test prompts" in line for line in found.lines())


def test_check_of_a_file_without_rows_reports_it(tmp_path) -> None:
    assert "expected at least one row" in str(check(written(tmp_path, "a.jsonl", "")).problems[0])


class _Hub(BaseHTTPRequestHandler):
    """As much of the hub as one file of one data set needs."""

    body = lines(ROWS).encode()
    commit = "0" * 39 + "1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        known = self.path.startswith(("/api/datasets/some/rows", "/datasets/some/rows/resolve/"))
        listing = json.dumps({"id": "some/rows", "sha": self.commit, "siblings": []}).encode()
        body = listing if self.path.startswith("/api/") else self.body
        self.send_response(200 if known else 404)
        if known:
            self.send_header("ETag", '"abc"')
            self.send_header("X-Repo-Commit", self.commit)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if known and with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_file_of_the_hub_is_fetched_and_a_missing_one_named(tmp_path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    script = """
        from llm.data import read_examples
        from protocol.errors import InputError
        print(len(read_examples("hf://datasets/some/rows/train.jsonl")))
        try:
            read_examples("hf://datasets/no/such/train.jsonl")
        except InputError as error:
            print(error)
    """
    environment = {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_XET": "1",
        "PATH": "",
    }
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)
    server.shutdown()
    server.server_close()
    assert done.returncode == 0, done.stderr
    count, refused = done.stdout.splitlines()[:2]
    assert count == "4"
    assert refused.startswith("data: expected a file of the hub; hf://datasets/no/such/train.jsonl")


@present
@pytest.mark.parametrize(
    ("name", "rows", "shape"),
    [
        ("tofu/full.json", 4000, "question"),
        ("tofu/forget01.json", 40, "question"),
        ("tofu/retain99.json", 3960, "question"),
        ("tofu/real_authors_perturbed.json", 100, "question"),
        ("tofu/world_facts_perturbed.json", 117, "question"),
        ("gsm8k/train.jsonl", 7473, "gsm8k"),
        ("gsm8k/test.jsonl", 1319, "gsm8k"),
        ("xstest/xstest_prompts.csv", 450, "prompt"),
    ],
)
def test_the_real_files(name, rows, shape) -> None:
    found = check(DATA / name)
    assert (found.rows, found.shape, found.problems) == (rows, shape, ())


@present
def test_no_calculator_mark_is_left_in_gsm8k() -> None:
    assert not any("<<" in row.answer or ">>" in row.answer for row in read_examples(DATA / "gsm8k" / "train.jsonl"))
