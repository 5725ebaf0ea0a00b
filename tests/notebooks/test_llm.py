"""The notebook of the language models: saved, it reads without a kernel; at small size it runs through."""

import copy
import json
import math
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "llm.ipynb"
# A base that has read two batches, stages of one batch an epoch, two updates of unlearning.
SMALL = """
MODEL = "tiny-llama"
METHODS = ("GA", "NPO")
ROWS = {"inst": 32, "tofu": 32, "math": 32, "safety": 64}
PRETRAINING = 64
WORKERS = 1
"""

# What the notebook computed, and the same by another way.
TOLD = """
import json

from protocol.claims.curves import curves

by_claims = {
    method: curves(unlearning, world="llm", method=method, metric="label_loglik")[0].forgotten(experiment.steps)[0]
    for method in METHODS
}
by_notebook = {method: last.filter(method=method).sort("position")["score"].to_list() for method in METHODS}
itself = records.filter(pl.col("metric").str.starts_with("re_distance/"), method="retrained")["value"].to_list()
distances = distance.group_by("method", "position", "part").len().rows()
print(json.dumps({"by_claims": {method: list(scores) for method, scores in by_claims.items()},
                  "by_notebook": by_notebook, "itself": itself, "distances": distances, "told": told,
                  "left behind": runs.exists()}))
"""


def saved() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def outputs(notebook: Any) -> list[Any]:
    return [out for cell in notebook.cells for out in cell.get("outputs", ())]


def printed(notebook: Any) -> str:
    """Everything the notebook's own cells print."""
    return "".join(out.text for out in outputs(notebook) if out.output_type == "stream")


def shown(notebook: Any, kind: str) -> list[str]:
    """Everything of one kind that is displayed; a figure counts as an image alone."""
    found = [out.data for out in outputs(notebook) if out.output_type == "display_data"]
    return [data[kind] for data in found if kind in data and (kind == "image/png" or "image/png" not in data)]


def settings(source: str) -> list[str]:
    return re.findall(r"^([A-Z]+) = ", source, re.MULTILINE)


def test_the_first_code_cell_holds_the_settings() -> None:
    first = next(cell for cell in saved().cells if cell.cell_type == "code")
    assert first.metadata.tags == ["parameters"]
    assert settings(first.source) == settings(SMALL) == ["MODEL", "METHODS", "ROWS", "PRETRAINING", "WORKERS"]


def test_the_saved_notebook_reads_without_a_kernel() -> None:
    notebook = saved()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [out for out in outputs(notebook) if out.output_type == "error" or out.get("name") == "stderr"]
    assert len(shown(notebook, "image/png")) == 2
    assert "False" not in printed(notebook)
    assert notebook.metadata.kernelspec.name == "python3"


def test_the_saved_notebook_is_small_and_knows_neither_machine_nor_time() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 400_000
    images = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not re.search(r"/(home|root|work|tmp|Users|usr)/|\.venv|site-packages", images)
    assert {key for cell in saved().cells for key in cell.metadata} == {"tags"}
    assert "widgets" not in json.loads(text)["metadata"]


@pytest.fixture(scope="module")
def executed() -> tuple[Any, Any]:
    """The notebook run with small settings, and what the cell run after it told."""
    notebook = copy.deepcopy(saved())
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    parameters.source = SMALL
    notebook.cells.append(nbformat.v4.new_code_cell(TOLD))
    NotebookClient(notebook, timeout=120, kernel_name="python3", coalesce_streams=True).execute()
    (out,) = notebook.cells.pop().outputs
    return notebook, json.loads(out.text)


# One test: were there several, each test process would run the notebook for its own.
def test_it_runs_from_top_to_bottom(executed: tuple[Any, Any]) -> None:
    """Its statements come out true at this size, too: 8 nodes (4 + 4, and θ_r is the third of p = 4), 4 runs, and the
    units of work 2 orders × (4 stages + 2 methods) + 1 retrained model.
    """
    notebook, told = executed
    text = printed(notebook)
    assert text.count(": True") == printed(saved()).count(": True") == 2 + 4
    assert "False" not in text
    assert "2 updates of unlearning by GA and NPO" in text
    assert "11 stages in the orders, 8 nodes trained:" in text and "and 4 runs" in text
    assert shown(notebook, "text/plain") == ["language models: 13 of 13 done"]
    assert len(shown(notebook, "image/png")) == 2
    assert not [out for out in outputs(notebook) if out.get("name") == "stderr"]

    assert {method: pytest.approx(scores) for method, scores in told["by_claims"].items()} == told["by_notebook"]
    assert all(math.isfinite(s) and s != 0 for scores in told["by_notebook"].values() for s in scores)
    assert told["itself"] == [0.0] * 4
    # 2 methods × 2 paths × 4 parts, each at steps 0, 1, 2
    assert len(told["distances"]) == 16 and {points for *_, points in told["distances"]} == {3}
    before, after = (["p = 1, before", "p = 4, before"], [f"p = {p}, after {m}" for p in (1, 4) for m in ("GA", "NPO")])
    assert set(told["told"]) == {*before, *after, "retrained model"}
    assert all(len(question) == 2 for replies in told["told"].values() for question in replies)
    assert not told["left behind"]
