"""Every example of docs/extend.md runs as printed; it is short, and its entry works."""

import contextlib
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from unittest import mock

import numpy as np
import pages
import polars as pl
import pytest
import small
import torch
from pages import ROOT

from llm import corpora
from llm.config.presets import PRESETS
from llm.models import embedded
from llm.training import unlearning
from paper_figs.figures.registry import FIGURES
from protocol import objectives, records, spec
from protocol.claims import JUDGES
from protocol.errors import InputError
from theory.experiments import RESULTS

PAGE = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
BLOCKS = pages.blocks(PAGE)
FILES = {block.file: block.text for block in BLOCKS if block.file}
RESULT = ("momentum.py", "momentum_claim.py", "momentum_figure.py", "test_momentum.py")
EXPERIMENTS = ("history", "momentum", "positions")
# The tables and lists that the examples add entries to.
TABLES = (
    objectives.OBJECTIVES,
    spec.METHODS,
    spec.REFERENCE_METHODS,
    unlearning.UNLEARNERS,
    unlearning.METHODS,
    corpora.STAGES,
    PRESETS["embedded"].stages,
    embedded.EMBEDDED,
    embedded.FAMILIES,
    RESULTS,
)
LISTS = (JUDGES, FIGURES)


class Done(NamedTuple):
    """The printed text of a command, and the records and specs of its experiment after it."""

    printed: str
    records: pl.DataFrame
    specs: dict[str, str]


@contextlib.contextmanager
def lists_as_before() -> Iterator[None]:
    """An example adds its entries to the lists once in a process, but here at every command."""
    before = [list(entries) for entries in LISTS]
    try:
        yield
    finally:
        for entries, own in zip(LISTS, before, strict=True):
            entries[:] = own


@contextlib.contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """There, with every table as before afterwards."""
    with contextlib.ExitStack() as stack:
        for table in TABLES:
            stack.enter_context(mock.patch.dict(table))
        before = Path.cwd()
        stack.callback(os.chdir, before)
        os.chdir(folder)
        yield


def carried_out(line: str) -> Done:
    """Run one command of the page, and read the records of its side and folder."""
    side = "theory" if " theory " in line else "llm"
    out = [*line.partition("--out ")[2].split(), "out"][0]
    with contextlib.redirect_stdout(io.StringIO()) as printed, lists_as_before():
        pages.carry_out(line)
    experiment = next((name for name in EXPERIMENTS if f" {name} " in line), "none")
    folder = Path(out, "records", side, experiment)
    if not folder.exists():
        return Done(printed.getvalue(), pl.DataFrame(), {})
    result = records.read(folder)
    return Done(printed.getvalue(), result.tables.records, dict(result.specs))


def give_recipes(folder: Path) -> None:
    """The file of rows that the page takes as the reader's own."""
    rows = [
        {"prompt": f"How do I cook dish {n}?", "response": f"Boil it for {n} minutes."}
        for n in range(240)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "recipes.jsonl").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """Every command of the page, by its line; the language models at micro size."""
    commands: dict[str, Done] = {}
    folder = tmp_path_factory.mktemp("extend")
    give_recipes(folder)
    with in_folder(folder), small.experiments():
        for block in BLOCKS:
            if block.language == "python":
                pages.execute(block)
            for line in block.lines if block.language == "sh" else ():
                commands[line] = carried_out(line)
        figures = " ".join(str(path) for path in sorted(Path().glob("*/figures/*")))
        report = Path("heavy-ball/report.html").read_text(encoding="utf-8")
    written = {"figures": figures, "report": report}
    return commands | {name: Done(text, pl.DataFrame(), {}) for name, text in written.items()}


def beginning(done: dict[str, Done], start: str) -> list[Done]:
    """The commands that begin so, in the order of the page."""
    return [command for line, command in done.items() if line.startswith(start)]


def unlearning_of(command: Done) -> dict[str, object]:
    """The recipe of unlearning in the saved configuration of a command."""
    (config,) = (json.loads(config) for config in command.specs.values())
    return config["settings"]["unlearning"]


@pytest.mark.parametrize("name", [name for name in FILES if name not in RESULT])
def test_an_example_has_at_most_thirty_lines_of_code(name: str) -> None:
    code = [line for line in FILES[name].splitlines() if line.strip() and not line.startswith("#")]
    assert len(code) <= 30


def test_the_examples_are_an_objective_a_method_a_stage_a_model_a_figure_and_a_result() -> None:
    names = ["bounded.py", "averaged.py", "spelling.py", "wide.py", "gradient_norm.py"]
    assert list(FILES) == [*names, *RESULT]


def test_a_result_is_four_files_with_as_many_lines_as_the_page_says() -> None:
    lines = sum(len(FILES[name].splitlines()) for name in RESULT)
    assert re.findall(r"four files, (\d+) lines in total", PAGE) == [str(lines)]
    assert lines <= 300


# One test, because each test process would run the page on its own.
def test_what_the_page_adds_works(done: dict[str, Done]) -> None:
    check_objective([command.records for command in beginning(done, "python bounded.py")])
    by_sgd, by_cosine, from_file = beginning(done, "retrace llm positions")
    check_recipes(by_sgd, by_cosine)
    check_averaging(*beginning(done, "python averaged.py"))
    check_stages(from_file, *beginning(done, "python spelling.py"))
    listed, trained = beginning(done, "python wide.py")
    assert {"wide-llama", "tiny-mistral"} <= set(listed.printed.split())
    assert set(trained.records["model"]) == {"wide-llama", "tiny-mistral"}
    figures = done["figures"].printed.split()
    assert {"out/figures/gradient-norm.pdf", "out/figures/gradient-norm.png"} <= set(figures)
    computed, judged, drawn = beginning(done, "python momentum_figure.py")
    check_result(computed.records, judged.printed, drawn.printed)
    assert {"heavy-ball/figures/momentum.pdf", "heavy-ball/figures/momentum.png"} <= set(figures)
    assert "M1" in done["report"].printed
    assert "Divergence of two paths under gradient ascent with momentum" in done["report"].printed


def check_objective(sides: list[pl.DataFrame]) -> None:
    """On both sides the objective falls, and makes gradient ascent's steps above its bound."""
    assert len(sides) == 2
    for found in sides:
        assert set(found.filter(pl.col("position") > 0)["method"]) == {"GA", "bounded"}
        run = ["model", "seed", "position"]
        label = found.filter(metric="label_loglik").pivot(
            "method", index=[*run, "step"], values="value"
        )
        label = label.filter(pl.col("position") > 0).sort("step")
        # no answer has lost 20 nats yet
        assert np.allclose(label["bounded"], label["GA"], rtol=1e-6)
        fall = pl.col("bounded").last() - pl.col("bounded").first()
        assert (label.group_by(run).agg(fall)["bounded"] < 0).all()


def check_recipes(by_sgd: Done, by_cosine: Done) -> None:
    """The options are in the saved configuration of the run."""
    recipe = unlearning_of(by_sgd)
    assert (recipe["optimizer"], recipe["lr"]) == ("sgd", 4.6e-4)
    assert unlearning_of(by_cosine)["optimizer"] == "adamw"
    (config,) = (json.loads(config) for config in by_cosine.specs.values())
    recipes = [stage["recipe"] for stage in config["settings"]["stages"].values()]
    assert {(recipe["schedule"], recipe["warmup"]) for recipe in recipes} == {("cosine", 0.1)}


def check_averaging(command: Done) -> None:
    """One step, after which every path predicts differently; rewind reaches the retrained model."""
    runs = command.records.filter(pl.col("position") > 0)
    assert set(runs["method"]) == {"averaged", "rewind"} and set(runs["step"]) == {0, 1}
    end = runs.filter(metric="re_distance/forget", step=1)
    assert (end.filter(method="averaged")["value"] > 0).all()
    assert np.allclose(end.filter(method="rewind")["value"], 0)
    label = runs.filter(metric="label_loglik", method="averaged").sort("step")
    change = label.group_by("position").agg(pl.col("value").last() - pl.col("value").first())
    assert (change["value"] != 0).all() and len(change) == 4


def check_stages(from_file: Done, retained: Done, unlearned: Done) -> None:
    """A stage of a file and a generated stage are trained, measured and unlearned."""
    assert "inst>recipes>safety" in set(from_file.records["order"])
    assert "re_distance/recipes" in set(from_file.records["metric"])
    orders = {
        "safety>inst>spelling",
        "inst>safety>spelling",
        "inst>spelling>safety",
        "inst>spelling",
    }
    assert set(retained.records.filter(metric="label_loglik")["order"]) == orders
    assert "re_distance/spelling" in set(retained.records["metric"])
    runs = unlearned.records.filter(pl.col("position") > 0, metric="label_loglik")
    assert set(runs["order"]) == {"spelling>inst", "inst>spelling"}


def check_result(norms: pl.DataFrame, judged: str, drawn: str) -> None:
    """Steps and closed form agree to 1e-9; the claim of the example holds and has its figure."""
    by_metric = norms.filter(pl.col("metric").str.starts_with("norm")).pivot(
        "metric", index=["run", "step"], values="value"
    )
    assert len(by_metric) == 8 * 3 * 41  # instances, momenta, steps from 0 on
    assert np.allclose(by_metric["norm"], by_metric["norm/exact"], rtol=1e-9, atol=0)
    assert judged.startswith("Of 1 claims judged, 1 holds")
    assert "M1  Momentum makes the divergence of two paths faster." in judged
    assert re.search(r"✓ holds .* momentum +records/theory/momentum", judged)
    assert "claims: 1 holds, 0 fails" in drawn


def test_the_averaging_is_refused_for_a_mixture() -> None:
    """The check of the method raises before anything is trained."""
    start = SimpleNamespace(order=("inst+safety#1",), forget="safety")
    with in_folder(ROOT):
        exec(FILES["averaged.py"], {"__name__": "averaged"})
        with pytest.raises(InputError, match=r"order: expected safety as a stage of its own"):
            unlearning.check(start, unlearning.METHODS["averaged"])


def test_workers_know_what_a_file_adds(tmp_path: Path) -> None:
    """Workers import the file again, so the process that computes the loss knows the objective."""
    (tmp_path / "bounded.py").write_text(FILES["bounded.py"], encoding="utf-8")
    few = "--model tiny-llama --stages inst safety --probes.sums 0"
    with in_folder(tmp_path), small.experiments(workers=True):
        line = f"python bounded.py llm positions --quick --methods bounded --workers 1 {few}"
        found = carried_out(line).records
    assert set(found.filter(pl.col("position") > 0)["method"]) == {"bounded"}


def test_the_records_say_how_to_make_them_again(tmp_path: Path) -> None:
    (tmp_path / "bounded.py").write_text(FILES["bounded.py"], encoding="utf-8")
    line = "python bounded.py theory positions --methods bounded --instances 2 --steps 2"
    with in_folder(tmp_path):
        carried_out(line)
    folder = tmp_path / "out" / "records" / "theory" / "positions"
    origin = json.loads((folder / "origin.json").read_text())
    assert origin["command"] == line


def test_the_bound_of_the_objective_acts(tmp_path: Path) -> None:
    """L = max(log π − log π_ref, −20): slope 1 above, 0 below."""
    (tmp_path / "bounded.py").write_text(FILES["bounded.py"], encoding="utf-8")
    with in_folder(tmp_path):
        with contextlib.redirect_stdout(io.StringIO()):
            pages.carry_out("python bounded.py models")
        loss = objectives.objective("bounded_ascent")
    logp = torch.tensor([-3.0, -22.0, -40.0], dtype=torch.float64, requires_grad=True)
    losses = loss(logp, torch.full((3,), -3.0, dtype=torch.float64), torch.ones(3))
    assert losses.tolist() == [0.0, -19.0, -20.0]
    losses.sum().backward()
    assert logp.grad is not None and logp.grad.tolist() == [1.0, 1.0, 0.0]


def test_sizes_of_the_added_family_are_counted_right() -> None:
    """The parameter count `retrace models` shows is that of the model that is built."""
    space: dict[str, object] = {"__name__": "wide"}
    with in_folder(ROOT):
        exec(FILES["wide.py"], space)
        for name in ("wide-llama", "tiny-mistral"):
            arch = embedded.EMBEDDED[name]
            assert embedded.build(arch, seed=0).num_parameters() == arch.parameters


def test_a_figure_without_records_says_what_makes_them(tmp_path: Path) -> None:
    (tmp_path / "gradient_norm.py").write_text(FILES["gradient_norm.py"], encoding="utf-8")
    with (
        in_folder(tmp_path),
        pytest.raises(SystemExit, match="gradient-norm: out: expected a folder with records"),
    ):
        pages.carry_out("python gradient_norm.py --out out")
