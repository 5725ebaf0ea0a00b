"""Files: every format gives the same rows, and what cannot be read is named by its place."""

import csv
import gzip
import json
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from data_files import lines, written

from llm.corpora.example import Example
from llm.data import files
from llm.data.check import check
from llm.data.purposes import read_examples
from protocol.errors import InputError

ROWS = [{"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(4)]
DATA = Path(__file__).parents[4] / "shared" / "data"
present = pytest.mark.skipif(not DATA.is_dir(), reason="the real data are not at hand")


def cells(separator: str) -> str:
    return "".join(separator.join(row.values()) + "\r\n" for row in ROWS)


def served(rows: list[dict]) -> dict:
    """As the server of hub data sets answers."""
    inner = [
        {"row_idx": number, "row": row, "truncated_cells": []} for number, row in enumerate(rows)
    ]
    features = [{"feature_idx": 0, "name": "question"}]
    return {"features": features, "rows": inner, "num_rows_total": len(rows), "partial": False}


def by_number(rows: list[dict]) -> dict:
    """As `DataFrame.to_json` writes columns."""
    return {name: {str(number): row[name] for number, row in enumerate(rows)} for name in rows[0]}


def compressed(path: Path) -> Path:
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def test_every_format_gives_the_same_rows(tmp_path) -> None:
    columns = json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}, indent=1)
    pl.DataFrame(ROWS).write_parquet(tmp_path / "rows.parquet")
    sources = [
        written(tmp_path, "rows.json", json.dumps(ROWS, indent=1)),
        written(tmp_path, "columns.json", columns),
        written(tmp_path, "lines.json", lines(ROWS)),
        written(tmp_path, "lines.jsonl", "\ufeff" + lines(ROWS) + "\n"),
        written(tmp_path, "rows.csv", pl.DataFrame(ROWS).write_csv()),
        written(tmp_path, "semicolons.csv", "question;answer\n" + cells(";")),
        written(tmp_path, "rows.tsv", "question\tanswer\n" + cells("\t")),
        written(tmp_path, "list.jsonl", json.dumps(ROWS)),
        written(tmp_path, "data.json", json.dumps({"version": 1, "data": ROWS})),
        written(tmp_path, "train.json", json.dumps({"train": ROWS})),
        written(tmp_path, "own.json", json.dumps({"my_rows": ROWS})),
        written(tmp_path, "served.json", json.dumps(served(ROWS))),
        written(tmp_path, "pandas.json", json.dumps(by_number(ROWS))),
        tmp_path / "rows.parquet",
    ]
    sources += [compressed(source) for source in sources]
    for source in sources:
        assert [record.values for record in files.content(source).records] == ROWS, source
        assert [(row.prompt, row.answer) for row in read_examples(source)] == [
            tuple(row.values()) for row in ROWS
        ]


SEPARATORS = {"a.csv": ",", "b.csv": ";", "a.tsv": "\t"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", [*SEPARATORS, "a.jsonl", "lines.json", "a.txt"])
def test_lines_end_in_each_of_the_three_ways(tmp_path, name, end) -> None:
    """A file of an old Mac has no LF at all; the places are those of the lines."""
    rows = [
        {"question": f"What is {n}?", "answer": "" if n == 2 else f"It is {n}."} for n in range(4)
    ]
    made = [json.dumps(row) for row in rows]
    if name in SEPARATORS:
        made = [
            SEPARATORS[name].join(cells) for cells in (rows[0], *(row.values() for row in rows))
        ]
    path = tmp_path / name
    path.write_bytes(end.join([*made, ""]).encode())
    if name == "a.txt":
        assert [row.answer for row in read_examples(path)] == made
        return
    found = check(path)
    assert (found.rows, found.shape) == (4, "question")
    assert [str(problem) for problem in found.problems] == [
        f"line {4 if name in SEPARATORS else 3}, field 'answer': expected text; got an empty one"
    ]
    path.write_bytes(end.join([*made[:2], "caf\xe9"]).encode("latin-1"))
    assert "line 3: expected UTF-8; byte 0xe9 is not" in str(check(path).problems[0])


@pytest.mark.parametrize(
    "text",
    ['"question" or so,answer\nQ,A\n', '"question,answer\nQ,A\n', 'question,answer\nQ,A\n"Q'],
)
def test_no_table_is_a_traceback(tmp_path, text) -> None:
    (problem,) = check(written(tmp_path, "a.csv", text)).problems
    assert "expected CSV" in str(problem)


def test_names_of_columns_may_run_over_lines_and_stand_behind_empty_ones(tmp_path) -> None:
    source = written(tmp_path, "a.csv", '\n"the;\nquestion";answer\nQ;A\n')
    (record,) = files.content(source).records
    assert (record.place, record.values) == ("line 4", {"the;\nquestion": "Q", "answer": "A"})


def test_columns_of_pandas_are_joined_by_row_number(tmp_path) -> None:
    columns = {
        "question": {"2": "q2", "0": "q0", "10": "q10"},
        "answer": {"0": "a0", "10": "a10", "2": "a2"},
    }
    rows = read_examples(written(tmp_path, "a.json", json.dumps(columns)))
    assert [(row.prompt, row.answer) for row in rows] == [
        ("q2", "a2"),
        ("q0", "a0"),
        ("q10", "a10"),
    ]


@pytest.mark.parametrize(
    ("question", "answer", "message"),
    [
        ("01", "02", "'question' has 1, 'answer' has not"),
        ("01", "012", "'answer' has 2, 'question' has not"),
        ("012", "01", "'question' has 2, 'answer' has not"),
    ],
)
def test_columns_of_pandas_with_other_row_numbers_are_refused(
    tmp_path, question, answer, message
) -> None:
    columns = {
        name: dict.fromkeys(numbers, "text")
        for name, numbers in (("question", question), ("answer", answer))
    }
    source = written(tmp_path, "a.json", json.dumps(columns))
    with pytest.raises(
        InputError,
        match=f"field 'answer': expected the same row numbers in every column; {message}",
    ):
        read_examples(source)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
HTML = b"\xef\xbb\xbf \n<!DOCTYPE html>\n<html><title>Sign in</title></html>"
UTF_16 = "text in UTF-16: save it as UTF-8"


@pytest.mark.parametrize("suffix", files.SUFFIXES)
@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(
    ("data", "got"),
    [
        (b"", "an empty file"),
        (b"\n  \r\n", "an empty file"),
        (POINTER, "a pointer of Git LFS in place of the file: fetch the file with `git lfs pull`"),
        (HTML, "a web page, of a login or an error maybe: download the file itself"),
        (
            b"<html>Not found</html>",
            "a web page, of a login or an error maybe: download the file itself",
        ),
        (b'<?xml version="1.0"?><Error/>', "XML, a server's error maybe: download the file itself"),
        (lines(ROWS).encode("utf-16"), UTF_16),
        (b"\xfe\xff" + lines(ROWS).encode("utf-16-be"), UTF_16),
        (lines(ROWS).encode("utf-32"), "text in UTF-32: save it as UTF-8"),
        (
            b"PK\x03\x04" + bytes(20),
            "a ZIP archive (or Excel's .xlsx): unpack it, or save it as CSV",
        ),
    ],
)
def test_what_is_no_data_is_named_in_one_line(tmp_path, suffix, is_packed, data, got) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    path = compressed(path) if is_packed else path
    with pytest.raises(InputError) as refused:
        read_examples(path)
    assert str(refused.value) == f"data: {path}: expected at least one row; got {got}"
    assert [str(problem) for problem in check(path).problems] == [
        f"expected at least one row; got {got}"
    ]


@pytest.mark.parametrize("suffix", files.TEXT)
def test_text_in_utf_16_without_its_mark_and_parquet_under_another_name_are_named(
    tmp_path, suffix
) -> None:
    path = tmp_path / f"a{suffix}"
    for encoding in ("utf-16-le", "utf-16-be"):
        path.write_bytes(lines(ROWS).encode(encoding))
        assert str(check(path).problems[0]).endswith(f"got {UTF_16}")
    pl.DataFrame(ROWS).write_parquet(path)
    assert str(check(path).problems[0]).endswith("got Parquet: name it .parquet")


TEXTS = ["One.", "  Two, indented.", "Three."]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", lines([{"text": text, "id": 7} for text in TEXTS])),
        ("a.jsonl", "".join(json.dumps(text) + "\n" for text in TEXTS)),
        ("a.json", json.dumps(TEXTS)),
        ("a.json", json.dumps({"data": TEXTS})),
        ("a.json", json.dumps({"text": TEXTS})),
        ("a.txt", "\r\n\r\n".join(TEXTS)),
        ("a.csv", "text\n" + "".join(f'"{text}"\n' for text in TEXTS)),
    ],
)
def test_raw_text_is_all_answer(tmp_path, name, text) -> None:
    assert read_examples(written(tmp_path, name, text)) == tuple(
        Example("", each) for each in TEXTS
    )


def test_a_cell_of_any_length_is_read_and_the_limit_of_csv_is_left_as_it_was(tmp_path) -> None:
    long = "x" * 200_000
    source = written(tmp_path, "a.csv", f'prompt,response\nQ,"{long}"\n')
    before = csv.field_size_limit(1000)
    try:
        (row,) = read_examples(source)
        assert row.answer == long
        assert csv.field_size_limit() == 1000
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize("name", ["data[v2]", "da*a", "data?", "~data", "{a}"])
def test_a_name_is_no_pattern(tmp_path, name) -> None:
    for stem, answer in (
        (name, "A"),
        ("data", "neighbour"),
        ("datav", "neighbour"),
        ("data2", "neighbour"),
    ):
        pl.DataFrame([{"prompt": "Q", "response": answer}]).write_parquet(
            tmp_path / f"{stem}.parquet"
        )
    assert read_examples(tmp_path / f"{name}.parquet") == (Example("Q", "A"),)


def test_what_stands_beside_a_wrapped_list_is_told(tmp_path, caplog) -> None:
    source = written(
        tmp_path, "a.json", json.dumps({"system": "Be kind.", "version": "1.0", "data": ROWS})
    )
    assert len(read_examples(source)) == 4
    assert "rows are those of 'data'; not read: system, version" in caplog.text


@pytest.mark.parametrize("half", ["\\ud83d", "\\uDE00 end"])
def test_half_a_character_is_a_problem_of_its_line_and_field(tmp_path, half) -> None:
    whole = '{"prompt": "smile \\ud83d\\ude00", "response": "ok"}\n'
    source = written(
        tmp_path,
        "a.jsonl",
        whole + whole.replace("ok", half) + f'{{"{half}": "", "prompt": "Q"}}\n',
    )
    found = check(source)
    expected = "expected text; got a lone surrogate, half of a character"
    assert [(problem.place, problem.message) for problem in found.problems] == [
        ("line 2", expected),
        ("line 3", expected),
    ]
    assert found.problems[0].field == "response"
    assert "\n".join(found.lines()).encode("utf-8")
    assert read_examples(source, skip_bad_rows=True) == (Example("smile \N{GRINNING FACE}", "ok"),)


def test_bad_rows_are_left_out_on_request_with_a_count_and_the_first_place(
    tmp_path, caplog
) -> None:
    rows = lines([*ROWS[:2], {"question": "Q", "answer": ""}]) + "{half\n" + lines(ROWS[2:])
    source = written(tmp_path, "a.jsonl", rows)
    with pytest.raises(
        InputError, match=r"line 3.*an empty one \(1 more; .*--skip-bad-rows leaves such rows out\)"
    ):
        read_examples(source)
    assert len(read_examples(source, skip_bad_rows=True)) == 4
    assert "2 of 6 rows left out, the first: line 3, field 'answer'" in caplog.text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", 'prompt,response\nQ,A\nQ,"A" b\nQ,A\n', "line 3: expected CSV"),
        ("a.json", '[{"prompt": "Q", "response": "A"}, ', "expected JSON"),
        ("a.jsonl", lines([{"prompt": "Q", "response": ""}]), "line 1, field 'response'"),
    ],
)
def test_a_file_that_breaks_off_or_has_no_good_row_is_refused_in_any_case(
    tmp_path, name, text, message
) -> None:
    with pytest.raises(InputError, match=message):
        read_examples(written(tmp_path, name, text), skip_bad_rows=True)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"prompt": "Q", "response": "A"}\n{oops}\n', "line 2: expected a JSON object"),
        (
            "a.jsonl",
            lines([ROWS[0], {"question": "Q", "answer": 7}]),
            "line 2, field 'answer': expected text; got 7",
        ),
        (
            "a.jsonl",
            lines([ROWS[0], {"question": "Q", "answer": ""}]),
            "line 2, field 'answer': expected text; got an",
        ),
        (
            "a.jsonl",
            lines([ROWS[0], {"question": "Q"}]),
            "line 2, field 'answer': expected text; got nothing",
        ),
        ("a.jsonl", "[1]\n", "row 1: expected an object with named fields; got 1"),
        ("a.jsonl", "", "expected at least one row"),
        (
            "a.jsonl",
            lines([{"poem": "x"}]),
            "expected the fields of one of: question, instruction, prompt",
        ),
        ("a.jsonl", lines([{"a\nb": "x"}]), "| text; got a\\nb"),
        (
            "a.jsonl",
            lines([{"prompt": "x"}]),
            "expected questions with answers; got prompts only (prompt)",
        ),
        (
            "a.jsonl",
            lines([{"messages": [{"role": "user", "content": "Q"}]}]),
            "expected an assistant's turn",
        ),
        ("a.jsonl", lines([{"messages": "Q"}]), "field 'messages': expected a list of turns"),
        (
            "a.jsonl",
            lines(
                [{"question": "Q", "answer": "#### 1"}] * 2 + [{"question": "Q", "answer": "one"}]
            ),
            "line 3, field 'answer': expected a last line",
        ),
        (
            "a.json",
            '{"question": ["Q"], "answer": []}',
            "expected columns of equal length; got {'question': 1",
        ),
        ("a.json", "[1, ", "expected JSON"),
        ("a.csv", 'question,answer\nQ,A\n"Q\nQ",A,B\n', "line 3: expected 2 cells; got 3"),
        ("a.csv", "question,question\nQ,A\n", "line 1: expected distinct column names"),
        ("a.parquet", "no parquet", "expected Parquet"),
        (
            "a.doc",
            "Q",
            "expected a file named .json, .jsonl, .ndjson, .csv, .tsv, .txt, .parquet, or one of "
            "these with",
        ),
        (
            "a.jsonl",
            '{"prompt": "Q", "prompt": "R", "response": "A"}',
            "line 1: expected a JSON object; got the name 'prompt' twice",
        ),
        ("a.json", "{}", "| text; got none"),
        ("a.json", "", "expected at least one row"),
        (
            "a.json",
            json.dumps({"train": ROWS, "test": ROWS}),
            "expected one list of rows; got train, test: give each a",
        ),
        ("a.json", "[" * 5000, "expected JSON; maximum recursion depth exceeded"),
        (
            "a.jsonl",
            '{"a": ' * 5000,
            "line 1: expected a JSON object; maximum recursion depth exceeded",
        ),
        (
            "a.json",
            json.dumps({"rows": [{"row": ROWS[0], "truncated_cells": ["answer"]}]}),
            "the server cut it",
        ),
        ("a.jsonl.gz", "no gzip", "line 1: expected a JSON object"),
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


def test_a_gzip_file_that_breaks_off_is_refused(tmp_path) -> None:
    packed = compressed(written(tmp_path, "a.jsonl", lines(ROWS)))
    packed.write_bytes(packed.read_bytes()[:-12])
    with pytest.raises(InputError, match="expected a whole gzip file; "):
        read_examples(packed)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.json", r"data: expected a file; not found: .*nowhere\.json"),
        ("", r"data: expected a file; .* is a folder: name the files in it"),
        ("a" * 300 + ".json", r"data: expected a file; .*: File name too long"),
    ],
)
def test_what_is_no_file_is_named(tmp_path, name, message) -> None:
    with pytest.raises(InputError, match=message):
        files.content(tmp_path / name)


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
        from llm.data.purposes import read_examples
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
    done = subprocess.run(
        command, check=False, env=environment, capture_output=True, text=True, timeout=60
    )
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
    assert not any(
        "<<" in row.answer or ">>" in row.answer
        for row in read_examples(DATA / "gsm8k" / "train.jsonl")
    )
