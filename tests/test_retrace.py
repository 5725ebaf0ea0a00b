"""The command line: the whole job at a small size, and wrong input: one line, exit code 2, nothing
overwritten.
"""

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import micro
import pytest

import retrace
from llm.lab.base import NUMERICS
from llm.store import artifacts
from paper_figs.figures.registry import FIGURES
from protocol import records
from protocol.claims.claim import VERDICTS
from protocol.spec import digest
from retrace import run_llm, run_reproduce, run_theory


def refused(capsys, *arguments: str) -> str:
    """The one line on standard error of a refused call."""
    with pytest.raises(SystemExit) as ended:
        retrace.main(list(arguments))
    assert ended.value.code == 2
    captured = capsys.readouterr()
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("retrace: ")
    assert captured.out == ""
    return line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("llm", "--models", "gpt-5"),
            "model: expected one of tiny-llama, tiny-qwen2, llama-3.2-1b",
        ),
        (
            ("llm", "--methods", "DPO"),
            "methods: expected one of GA, NPO, SimNPO, SimNPO-beta1, SimNPO-original",
        ),
        (
            ("llm", "--stages", "inst", "poems", "safety"),
            "stages: expected one of inst, tofu, math, safety",
        ),
        (("llm", "--stages", "inst", "inst", "safety"), "retain: expected every stage once"),
        (("llm", "--stages", "inst", "math"), "forget: expected one of inst, math; got 'safety'"),
        (("llm", "--stages"), "stages: expected the forget stage and at least one other; got none"),
        (("llm", "--seeds", "0"), "seeds: expected at least 1; got 0"),
        (("llm", "--seeds", "three"), "--seeds"),
        (("llm", "--workers", "0"), "workers: expected at least 1; got 0"),
        (("theory", "chaos"), "result: expected one of all, theorem, theorem-curves, positions"),
        (
            ("theory", "theorem", "--instances", "0"),
            "settings: expected at least 1 shape and 1 instance",
        ),
        (
            ("theory", "positions", "--problem.held-out", "3"),
            "held_out: expected more than n/3 rows",
        ),
        (
            ("theory", "positions", "--methods", "DPO"),
            "methods: expected one of GA, NPO, SimNPO, SimNPO-beta1",
        ),
        (("theory", "positions", "--instances", "some"), "--instances"),
        (("theory", "theorem", "--seed", "x"), "retrace: --seed: invalid literal for int()"),
        (
            ("theory", "networks", "--mlp.recipe.lr", "nan"),
            "retrace: mlp.recipe.lr: expected a finite number > 0",
        ),
        (("theory", "depth", "--lr", "-1"), "retrace: lr: expected a finite number > 0; got -1.0"),
        (
            ("theory", "certified", "--delta", "2"),
            "delta: expected a number between 0 and 1; got 2",
        ),
        (("theory", "--speed", "11"), "Unrecognized options: --speed"),
        (("data", "check", "nowhere.json"), "data: expected a file; not found: nowhere.json"),
        (("data", "check"), "FILE"),
        (("data", "safety", "x.csv", "--share", "half"), "--share"),
        (
            ("data", "math", "x.jsonl", "--endpoint.url", "http://x"),
            "endpoint.model: expected the model's name",
        ),
        (
            ("data", "math", "x.jsonl", "--endpoint.url", "x", "--endpoint.model", "m"),
            "endpoint.url: expected http://",
        ),
        (
            (
                "data",
                "math",
                "x",
                "--endpoint.url",
                "http://x",
                "--endpoint.model",
                "m",
                "--endpoint.max-tokens",
                "0",
            ),
            "endpoint.max_tokens: expected a number > 0; got 0",
        ),
        (
            (
                "data",
                "math",
                "x",
                "--endpoint.url",
                "http://x",
                "--endpoint.model",
                "m",
                "--endpoint.temperature",
                "3",
            ),
            "endpoint.temperature: expected a number from 0 to 2; got 3.0",
        ),
        (("reproduce", "--speed", "11"), "Unrecognized options: --speed"),
        (("llm", "--learning.rate", "1"), "Unrecognized options: --learning.rate, 1 (did you mean"),
        (("llm", "--lr", "1"), "--lr: expected --learning.lr in place of --lr"),
        (("theory", "secant"), "secant: expected rates in place of secant"),
        (
            ("theory", "positions", "--seeds", "8"),
            "--seeds: expected --instances in place of --seeds",
        ),
        (
            ("theory", "networks", "--seed", "8"),
            "misplaced options: --seed 8 (did you mean --seeds?)",
        ),
        (("llm", "--unlearning.lr", "0"), "unlearning.lr: expected a number > 0; got 0.0"),
        (("store", "list"), "runs folder: expected a store; not found: runs"),
        (("store", "show", "--runs", "nowhere"), "KEY"),
        (
            ("store", "show", "0", "--runs", "nowhere"),
            "runs folder: expected a store; not found: nowhere",
        ),
        (
            ("store", "verify", "--runs", "nowhere"),
            "runs folder: expected a store; not found: nowhere",
        ),
        (
            ("store", "prune", "--runs", "nowhere"),
            "runs folder: expected a store; not found: nowhere",
        ),
        (("models", "--paper"), "Unrecognized options: --paper"),
        (("conquer",), "conquer"),
        ((), "Missing subcommand"),
    ],
)
def test_wrong_options_are_named_in_one_line(
    tmp_path, monkeypatch, capsys, arguments, message
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, *arguments)
    assert [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != "store.json" and not path.name.startswith(".")
    ] == []


def test_a_result_of_the_theory_has_its_own_options(tmp_path, capsys) -> None:
    """Options change what is computed, --quick where they start from; the other results are left as
    they are.
    """
    out = tmp_path / "out"
    small = [
        "--instances",
        "2",
        "--steps",
        "3",
        "--problem.d",
        "30",
        "--problem.n",
        "8",
        "--out",
        str(out),
    ]
    retrace.main(["theory", "positions", *small, "--methods", "GA"])
    assert capsys.readouterr().out.startswith(f"records: {out / 'records'}")
    result = records.read(out / "records" / "theory" / "positions")
    assert set(result.tables.records["seed"]) == {0, 1}
    assert result.tables.records["step"].max() == 3
    assert set(result.tables.records["method"]) == {"GA"}
    assert [path.name for path in (out / "records" / "theory").iterdir()] == ["positions"]
    command = run_theory.command(["positions", "--quick", "--steps", "3"])
    assert (command.settings.instances, command.settings.steps) == (32, 3)
    assert run_theory.command(["--quick"]) == run_theory.Theory(quick=True)


def test_an_output_folder_that_cannot_be_written(tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("precious")
    for command in ("theory", "llm", "reproduce"):
        line = refused(capsys, command, "--out", str(tmp_path / "file"))
        assert "out: expected a folder that can be written" in line
    assert (tmp_path / "file").read_text() == "precious"


def test_a_store_of_another_version(tmp_path, capsys) -> None:
    (tmp_path / "store.json").write_text(json.dumps({"format": 99}))
    line = refused(capsys, "llm", "--runs", str(tmp_path), "--out", str(tmp_path / "out"))
    assert "runs folder: expected a store of format 2" in line
    assert json.loads((tmp_path / "store.json").read_text()) == {"format": 99}


def test_the_list_of_commands_loads_no_command() -> None:
    """`retrace --help` loads neither side, and no module of a command."""
    lines = ("import sys, retrace", "try: retrace.main(['--help'])", "except SystemExit: pass")
    code = "\n".join([*lines, "print(*sys.modules)"])
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert loaded.returncode == 0, loaded.stderr
    modules = loaded.stdout.splitlines()[-1].split()
    assert not {"torch", "jax", "matplotlib"} & set(modules)
    assert not [name for name in modules if name.startswith(("retrace.run_", "protocol.claims"))]


@pytest.mark.parametrize("name", retrace.COMMANDS)
def test_every_command_has_help(name, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        retrace.main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: retrace {name}" in capsys.readouterr().out


def test_an_unknown_option_is_told_once(capsys) -> None:
    assert refused(capsys, "models", "--paper").count("Unrecognized options") == 1


@pytest.mark.parametrize(
    ("given", "told"), [("base", "got 'base': did you mean 'bases'?"), ("xyz", "got 'xyz'")]
)
def test_the_nearest_name_is_suggested_where_one_is_near(given, told, capsys) -> None:
    assert refused(capsys, "llm", given).endswith(told)


def test_an_empty_data_set(tmp_path, monkeypatch, capsys) -> None:
    tiny = micro.experiment()
    stages = {**tiny.settings.stages, "math": replace(tiny.settings.stages["math"], train=0)}
    empty = replace(tiny, settings=replace(tiny.settings, stages=stages))
    monkeypatch.setattr(run_llm, "experiments", lambda *_: [empty])
    line = refused(capsys, "llm", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out"))
    assert "math rows: expected at least 1 training and 1 held-out row; got 0" in line


def test_figures_without_records(tmp_path, capsys) -> None:
    assert "run `retrace reproduce` first" in refused(
        capsys, "figures", "--out", str(tmp_path / "nothing")
    )
    (tmp_path / "records").mkdir()
    assert "found none" in refused(capsys, "figures", "--out", str(tmp_path))


def test_reproduce_does_the_whole_job(tmp_path, monkeypatch, capsys) -> None:
    """Both worlds (the language models at micro size), then every figure, table and claim, and the
    report.
    """
    monkeypatch.setattr(run_llm, "experiments", lambda name, *_: [micro.named(name)])
    out, runs = tmp_path / "out", tmp_path / "runs"
    retrace.main(["reproduce", "--quick", "--out", str(out), "--runs", str(runs)])
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.startswith(f"report: {out / 'report.html'} · claims: ")
    claims = json.loads((out / "claims.json").read_text())
    every = (
        "T1 T2 T3 L1 L2 L3 L4 L6e E1 N1 K1 G1 G2 G3 G4 D1 D2 R1 R2 B1 B2 B3 B4 W1 W2 W3 C1 C2 H1 H2"
    )
    assert {claim["id"] for claim in claims} == set(every.split())
    assert {claim["world"] for claim in claims} == {"linear", "network", "llm"}
    counted = [sum(claim["verdict"] == v for claim in claims) for v in VERDICTS]
    assert (
        "{} holds, {} fails, {} inconclusive, {} not testable, of {}".format(*counted, len(claims))
        in last
    )
    files = {path.name for path in (out / "figures").iterdir()}
    made = {"retrace theory", *(f"retrace llm {part}" for part in run_reproduce.PARTS)}
    names = {
        entry.name
        for entry in FIGURES
        if not entry.commands or any(command.startswith(tuple(made)) for command in entry.commands)
    }
    assert files == {f"{name}.{ending}" for name in names for ending in ("pdf", "png")}
    retrace.main(["claims", "--out", str(out)])  # from the records again
    told = capsys.readouterr().out
    assert all(f"\n{id}  " in told for id in every.split())
    for verdict in VERDICTS:
        assert told.count(f" {verdict} ") >= sum(claim["verdict"] == verdict for claim in claims)
    assert "records/llm/depth" in told and "records/theory/networks" in told
    origin = json.loads((out / "records" / "llm" / "depth" / "origin.json").read_text())
    assert origin["command"].startswith("retrace reproduce --quick")
    assert {"torch", "numpy", "python", "cores"} <= set(origin["environment"])


def test_claims_by_id_have_their_rule_and_detail(tmp_path, capsys) -> None:
    small = [
        "--instances",
        "2",
        "--steps",
        "3",
        "--problem.d",
        "30",
        "--problem.n",
        "8",
        "--out",
        str(tmp_path),
    ]
    retrace.main(["theory", "positions", *small, "--methods", "GA"])
    capsys.readouterr()
    retrace.main(["claims", "--out", str(tmp_path), "--id", "L1"])
    told = capsys.readouterr().out
    assert told.startswith("Of 1 claims judged")
    assert "(95% quantile) at steps 1 and 3; fails below 1" in told and "2 seeds" in told
    assert "L2" not in told
    assert "id: expected one of L1, L2, L3, L6e, E1; got 'X9'" in refused(
        capsys, "claims", "--out", str(tmp_path), "--id", "X9"
    )
    assert "id: L4 needs the records of `retrace llm depth`" in refused(
        capsys, "claims", "--out", str(tmp_path), "--id", "L4"
    )
    assert "run `retrace reproduce` first" in refused(
        capsys, "claims", "--out", str(tmp_path / "nothing")
    )
    assert "figure: expected one of overview, figure1" in refused(
        capsys, "figures", "--out", str(tmp_path), "--only", "12"
    )
    line = refused(capsys, "figures", "--out", str(tmp_path), "--only", "4")
    assert "only: figure4 needs the records of `retrace llm depth`" in line


def small_positions(out: Path, *more: str) -> Path:
    """Records of the linear positions at the smallest size; their folder."""
    size = [
        "--instances",
        "2",
        "--steps",
        "3",
        "--problem.d",
        "30",
        "--problem.n",
        "8",
        "--methods",
        "GA",
    ]
    retrace.main(["theory", "positions", *size, "--out", str(out), *more])
    return out / "records" / "theory" / "positions"


def test_damaged_records_are_named_in_one_line(tmp_path, capsys) -> None:
    folder = small_positions(tmp_path)
    capsys.readouterr()
    whole = (folder / "records.parquet").read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"no table"):
        (folder / "records.parquet").write_bytes(damaged)
        for command in ("claims", "figures"):
            line = refused(capsys, command, "--out", str(tmp_path))
            assert "records.parquet: expected a whole Parquet file" in line
    (folder / "records.parquet").unlink()
    assert "records.parquet; not found" in refused(capsys, "claims", "--out", str(tmp_path))
    (folder / "records.parquet").write_bytes(whole)
    for damaged in ("{", "[1, 2]", '{"command": 5, "environment": "x"}'):
        (folder / "origin.json").write_text(damaged)
        assert "origin.json: expected command and environment" in refused(
            capsys, "claims", "--out", str(tmp_path)
        )


def test_a_figure_folder_that_is_a_file(tmp_path, capsys) -> None:
    small_positions(tmp_path)
    (tmp_path / "figures").write_text("precious")
    capsys.readouterr()
    assert "figures: " in refused(capsys, "figures", "--out", str(tmp_path), "--only", "linear")
    assert (tmp_path / "figures").read_text() == "precious"


def test_records_of_other_settings_are_not_replaced_in_silence(tmp_path, capsys) -> None:
    small_positions(tmp_path)
    assert "replaced" not in capsys.readouterr().err
    small_positions(tmp_path)
    assert "replaced" not in capsys.readouterr().err  # the same again
    small_positions(tmp_path, "--problem.mu", "2")
    assert "positions held records of other settings; they are replaced" in " ".join(
        capsys.readouterr().err.split()
    )


def test_one_figure_is_drawn_alone(tmp_path, capsys) -> None:
    small = [
        "--instances",
        "2",
        "--steps",
        "3",
        "--problem.d",
        "30",
        "--problem.n",
        "8",
        "--out",
        str(tmp_path),
    ]
    retrace.main(["theory", "positions", *small, "--methods", "GA"])
    retrace.main(["figures", "--out", str(tmp_path), "--only", "linear"])
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .startswith(f"figures: {tmp_path / 'figures' / 'linear.pdf'}")
    )
    assert {path.name for path in tmp_path.rglob("*.p*") if path.suffix in (".pdf", ".png")} == {
        "linear.pdf",
        "linear.png",
    }


def test_llm_alone_writes_its_tables_again_to_the_bit(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(run_llm, "experiments", lambda *_: [micro.experiment(seeds=1)])
    folders: list[Path] = []
    for name in ("first", "second"):
        retrace.main(
            [
                "llm",
                "--models",
                "tiny-llama",
                "--out",
                str(tmp_path / name),
                "--runs",
                str(tmp_path / "runs"),
            ]
        )
        folders.append(tmp_path / name / "records" / "llm" / "positions")
    for file in ("records.parquet", "examples.parquet", "specs.parquet"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()
    assert capsys.readouterr().out.count("records: ") == 2


def test_data_commands_write_what_they_say(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        {"question": f"Q{n}", "answer": f"It is <<{n}+1={n + 1}>>{n + 1}.\n#### {n + 1}"}
        for n in range(4)
    ]
    Path("sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    retrace.main(["data", "check", "sums.jsonl"])
    assert "sums.jsonl: 4 rows, shape gsm8k" in capsys.readouterr().out
    retrace.main(["data", "math", "sums.jsonl", "--out", "math"])
    made = [json.loads(line) for line in Path("math/rows.jsonl").read_text().splitlines()]
    assert made[0] == {"prompt": "Q0", "response": "Step 1: It is 1.\n#### 1"}
    assert json.loads(Path("math/curation.json").read_text())["counts"] == {"rows": 4, "dropped": 0}
    Path("asked.csv").write_text("prompt\n" + "".join(f"Question {n}?\n" for n in range(10)))
    retrace.main(["data", "safety", "asked.csv", "--out", "safety"])
    assert [
        len(Path(f"safety/{part}.jsonl").read_text().splitlines()) for part in ("train", "test")
    ] == [7, 3]


def test_data_check_ends_with_an_error_where_something_is_wrong(tmp_path, capsys) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "Q", "response": "A"}\n{half\n')
    with pytest.raises(SystemExit) as ended:
        retrace.main(["data", "check", str(path)])
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert "line 2: expected a JSON object" in captured.out
    assert "1 problems in 1 rows, listed above" in captured.err


def test_data_check_looks_a_file_through_for_the_command_it_is_for(tmp_path, capsys) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "Q", "response": "A", "label": "bad"}\n')
    retrace.main(["data", "check", str(path)])
    assert "no problems" in capsys.readouterr().out
    for command in (["check", "--purpose", "safety"], ["safety", "--out", str(tmp_path / "out")]):
        with pytest.raises(SystemExit):
            retrace.main(["data", *command, str(path)])
        captured = capsys.readouterr()
        assert (
            "line 1, field 'label': expected one of safe, unsafe; got 'bad'"
            in captured.out + captured.err
        )
    assert "`retrace data check --purpose safety` lists them" in " ".join(captured.err.split())


def test_models_are_a_table_that_fits(capsys) -> None:
    retrace.main(["models"])
    lines = capsys.readouterr().out.rstrip("\n").splitlines()
    assert max(map(len, lines)) <= 120
    (row,) = (line.split() for line in lines if line.startswith("llama-3.1-8b"))
    assert row == [
        "llama-3.1-8b",
        "meta-llama/Llama-3.1-8B",
        "8.03B",
        "1e-05",
        "1e-05",
        "128",
        "/",
        "128",
        "8",
        "16",
        "120",
        "30",
        "7.9",  # 16 bytes for each of 8.03 billion parameters are 120 GiB
    ]
    ends = {len(line) for line in lines[1:10]}
    assert len(ends) == 1, "the last column is aligned at its right edge"
    assert (
        "full, LoRA, QLoRA: GiB for weights, gradients and optimizer state, without activations"
        in lines[11]
    )


def small_store(runs: Path) -> tuple[Path, Path, Path]:
    """A base, a stage made from it, and the same stage made under other numerics."""
    opened = artifacts.open_store(runs)
    base = {"kind": "base", "numerics": NUMERICS}
    stage = {"kind": "stage", "parent": digest(base), "seed": [0, "inst"], "numerics": NUMERICS}

    def make(folder: Path) -> None:
        (folder / "weights").write_bytes(b"1" * 1000)

    made = [
        (base, "tiny: pretraining"),
        (stage, "tiny seed 0: inst"),
        ({**stage, "numerics": "0"}, "tiny seed 0: old"),
    ]
    first, second, third = (
        artifacts.produce(opened, spec, make, description=text) for spec, text in made
    )
    return first, second, third


def test_store_list_and_show(tmp_path, capsys) -> None:
    base, stage, old = small_store(tmp_path)
    retrace.main(["store", "list", "--runs", str(tmp_path)])
    header, *rows, blank, totals, bases, stages, every = capsys.readouterr().out.splitlines()
    assert header.split() == ["key", "kind", "size", "to", "make", "made", "description"]
    assert [row.split()[:2] for row in rows] == [
        [stage.name, "stage"],
        [old.name, "stage"],
        [base.name, "base"],
    ]
    assert rows[0].endswith("  tiny seed 0: inst")
    assert (blank, totals.split()) == ("", ["kind", "artifacts", "size", "to", "make"])
    assert [line.split()[:2] for line in (bases, stages, every)] == [
        ["base", "1"],
        ["stage", "2"],
        ["all", "3"],
    ]

    retrace.main(["store", "show", stage.name[:12], "--runs", str(tmp_path)])
    first, second, _, *rest = capsys.readouterr().out.splitlines()
    assert first == f"{stage.name}  tiny seed 0: inst"
    assert second.startswith("stage, made 20")
    spec = json.loads((stage / artifacts.MANIFEST).read_text())["spec"]
    sha256 = hashlib.sha256(b"1" * 1000).hexdigest()
    assert rest == [
        "made of",
        *json.dumps(spec, indent=2).splitlines(),
        "",
        "files",
        f"weights  1.0 kB  {sha256}",
        "",
        "parent",
        f"{base.name}  tiny: pretraining",
        "",
        "parent of",
        "none",
    ]
    retrace.main(["store", "show", base.name, "--runs", str(tmp_path)])
    children = [f"{stage.name}  tiny seed 0: inst", f"{old.name}  tiny seed 0: old"]
    assert capsys.readouterr().out.splitlines()[-6:] == [
        "parent",
        "none",
        "",
        "parent of",
        *children,
    ]
    line = refused(capsys, "store", "show", "xyz", "--runs", str(tmp_path))
    assert "key: expected the beginning of an artifact's key; none of 3 begins 'xyz'" in line
    assert "key: expected the beginning of one key; '' begins 3: " in refused(
        capsys, "store", "show", "", "--runs", str(tmp_path)
    )


def test_store_verify_and_prune(tmp_path, capsys) -> None:
    base, stage, old = small_store(tmp_path)
    runs = ["--runs", str(tmp_path)]
    retrace.main(["store", "verify", *runs])
    assert re.fullmatch(
        r"3 artifacts, \d\.\d kB: every file matches its checksum\n", capsys.readouterr().out
    )

    (stage / "weights").write_text("2")
    with pytest.raises(SystemExit) as ended:
        retrace.main(["store", "verify", *runs])
    captured = capsys.readouterr()
    assert ended.value.code == 2
    fault = f"{stage}/weights does not match its checksum"
    assert (
        captured.out
        == f"{stage.name}  tiny seed 0: inst: {fault}; delete its folder and run again\n"
    )
    assert (
        "retrace: runs folder: 1 of 3 artifacts damaged, listed above; `retrace store prune"
        in captured.err
    )

    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in (stage, old)]
    retrace.main(["store", "prune", "--damaged", "--other-numerics", "--dry-run", *runs])
    told = capsys.readouterr().out.splitlines()
    assert {line.split()[2] for line in told[:2]} == {stage.name, old.name}
    assert told[2] == f"would remove 2 folders, 3 lock files: {sum(sizes):,} bytes"
    assert stage.exists()
    retrace.main(["store", "prune", *runs])
    assert capsys.readouterr().out == "removed 0 folders, 3 lock files: 0 bytes\n", (
        "other numerics stay unless asked"
    )
    retrace.main(["store", "prune", "--other-numerics", *runs])
    removed, last = capsys.readouterr().out.splitlines()
    assert removed.startswith(f"removed  {old.name}  ")
    assert removed.endswith("  tiny seed 0: old, made under numerics 0")
    assert last == f"removed 1 folder, 0 lock files: {sizes[1]:,} bytes"
    retrace.main(["store", "prune", "--damaged", *runs])
    assert (
        capsys.readouterr().out.splitlines()[-1]
        == f"removed 1 folder, 0 lock files: {sizes[0]:,} bytes"
    )
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == [base.name]
