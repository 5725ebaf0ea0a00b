"""docs/extend.md carried out as it stands: each example is short, and what it adds is there and
works.
"""

import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
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
from protocol import objectives, records, spec

BLOCKS = pages.blocks((ROOT / "docs" / "extend.md").read_text(encoding="utf-8"))
FILES = {block.file: block.text for block in BLOCKS if block.file}
# The tables that the examples add entries to.
TABLES = (
    objectives.OBJECTIVES,
    spec.METHODS,
    corpora.STAGES,
    PRESETS["embedded"].stages,
    embedded.EMBEDDED,
    embedded.FAMILIES,
)


class Done(NamedTuple):
    """A command of the page: what it printed, and the records of the positions after it (of its
    world and folder).
    """

    printed: str
    records: pl.DataFrame


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
    world, out = (
        "theory" if " theory " in line else "llm",
        [*line.partition("--out ")[2].split(), "out"][0],
    )
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        pages.carry_out(line)
    folder = Path(out, "records", world, "positions")
    return Done(
        printed.getvalue(),
        records.read(folder).tables.records if folder.exists() else pl.DataFrame(),
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """Every command of the page, by how it begins; the language models at micro size."""
    found: dict[str, Done] = {}
    folder = tmp_path_factory.mktemp("extend")
    recipes = (
        {"prompt": f"How do I cook dish {n}?", "response": f"Boil it for {n} minutes."}
        for n in range(240)
    )
    (folder / "recipes.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in recipes), encoding="utf-8"
    )
    with in_folder(folder), small.experiments():
        for block in BLOCKS:
            if block.language == "python":
                pages.execute(block)
            for line in block.lines if block.language == "sh" else ():
                found[line] = carried_out(line)
        found["figures"] = Done(
            " ".join(path.name for path in Path("out/figures").iterdir()), pl.DataFrame()
        )
    return found


def beginning(done: dict[str, Done], start: str) -> list[Done]:
    """The commands that begin so, in the order of the page."""
    return [each for line, each in done.items() if line.startswith(start)]


@pytest.mark.parametrize("name", FILES)
def test_an_example_has_at_most_thirty_lines_of_code(name: str) -> None:
    code = [line for line in FILES[name].splitlines() if line.strip() and not line.startswith("#")]
    assert len(code) <= 30


def test_the_examples_are_an_objective_a_stage_a_model_and_a_figure() -> None:
    assert list(FILES) == ["bounded.py", "spelling.py", "wide.py", "gradient_norm.py"]


# One test: were there several, each test process would run the page for its own.
def test_what_the_page_adds_works(done: dict[str, Done]) -> None:
    linear, language = (each.records for each in beginning(done, "python bounded.py"))
    for found in (linear, language):
        assert set(found.filter(pl.col("position") > 0)["method"]) == {"GA", "bounded"}
        label = found.filter(metric="label_loglik").pivot(
            "method", index=["model", "seed", "position", "step"], values="value"
        )
        label = label.filter(pl.col("position") > 0).sort("step")
        # as nothing has lost 20 nats yet, it makes gradient ascent's steps
        assert np.allclose(label["bounded"], label["GA"], rtol=1e-6)
        fallen = label.group_by("model", "seed", "position").agg(
            pl.col("bounded").last() - pl.col("bounded").first()
        )
        assert (fallen["bounded"] < 0).all()

    (from_file,) = (each.records for each in beginning(done, "retrace llm positions"))
    assert "inst>recipes>safety" in set(from_file["order"]) and "re_distance/recipes" in set(
        from_file["metric"]
    )
    first, second = (each.records for each in beginning(done, "python spelling.py"))
    orders = {
        "safety>inst>spelling",
        "inst>safety>spelling",
        "inst>spelling>safety",
        "inst>spelling",
    }
    assert set(first.filter(metric="label_loglik")["order"]) == orders
    assert "re_distance/spelling" in set(first["metric"])
    unlearned = second.filter(pl.col("position") > 0, metric="label_loglik")
    assert set(unlearned["order"]) == {"spelling>inst", "inst>spelling"}

    listed, trained = beginning(done, "python wide.py")
    assert {"wide-llama", "tiny-mistral"} <= set(listed.printed.split())
    assert set(trained.records["model"]) == {"wide-llama", "tiny-mistral"}
    assert done["figures"].printed.split().count("gradient-norm.pdf") == 1
    assert done["figures"].printed.split().count("gradient-norm.png") == 1


def test_workers_know_what_a_file_adds(tmp_path: Path) -> None:
    """They import the file again: the objective is known where the loss is computed, in another
    process.
    """
    (tmp_path / "bounded.py").write_text(FILES["bounded.py"], encoding="utf-8")
    few = "--model tiny-llama --stages inst safety --probes sums 0"
    with in_folder(tmp_path), small.experiments(workers=True):
        found = carried_out(
            f"python bounded.py llm positions --quick --methods bounded --workers 1 {few}"
        ).records
    assert set(found.filter(pl.col("position") > 0)["method"]) == {"bounded"}


def test_the_records_say_how_to_make_them_again(tmp_path: Path) -> None:
    (tmp_path / "bounded.py").write_text(FILES["bounded.py"], encoding="utf-8")
    line = "python bounded.py theory positions --methods bounded --instances 2 --steps 2"
    with in_folder(tmp_path):
        carried_out(line)
    origin = json.loads(
        (tmp_path / "out" / "records" / "theory" / "positions" / "origin.json").read_text()
    )
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
