"""The theory notebook: saved, it reads without a kernel; at small size it runs through, every slider included."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "theory.ipynb"
SMALL = "INSTANCES, STEPS, D, N = 5, 30, 50, 9"

# Every slider at both ends, the others where they stand; every figure drawn once.
ENDS = """
called = 0
for view in (bound_view, recency_view, barrier_view):
    sliders = {slider.description: slider for slider in view.widget.children if hasattr(slider, "min")}
    now = {name: slider.value for name, slider in sliders.items()}
    for name, slider in sliders.items():
        ends = [slider.base**end if hasattr(slider, "base") else end for end in (slider.min, slider.max)]
        for end in ends:
            view(**{**now, name: end})
            called += 1
print("called", called)
"""


def saved() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def outputs(notebook: Any) -> list[Any]:
    return [out for cell in notebook.cells for out in cell.get("outputs", ())]


def printed(notebook: Any) -> str:
    """Everything the notebook's own cells print."""
    return "".join(out.text for out in outputs(notebook) if out.output_type == "stream")


def figures(notebook: Any) -> int:
    return sum("image/png" in out.data for out in outputs(notebook) if out.output_type == "display_data")


@pytest.fixture(scope="module")
def executed() -> tuple[Any, Any]:
    """The notebook run with a small parameter cell, and the cell run after it that goes to every slider's ends."""
    notebook = copy.deepcopy(saved())
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    parameters.source = SMALL
    notebook.cells.append(nbformat.v4.new_code_cell(ENDS))
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return notebook, notebook.cells.pop()


def test_the_first_code_cell_holds_the_sizes() -> None:
    first = next(cell for cell in saved().cells if cell.cell_type == "code")
    assert first.metadata.tags == ["parameters"]
    names = re.findall(r"^(\w+) = \d+", first.source, re.MULTILINE)
    assert set(names) == set(re.findall(r"[A-Z]+", SMALL)) == {"INSTANCES", "STEPS", "D", "N"}


def test_the_saved_notebook_reads_without_a_kernel() -> None:
    notebook = saved()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [out for out in outputs(notebook) if out.output_type == "error" or out.get("name") == "stderr"]
    assert figures(notebook) >= 8
    assert "False" not in printed(notebook)
    assert notebook.metadata.kernelspec.name == "python3"


def test_the_saved_notebook_is_small_and_knows_no_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    images = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not re.search(r"/(home|root|work|tmp|Users|usr)/|\.venv|site-packages", images)
    assert "widgets" not in json.loads(text)["metadata"]


def test_it_runs_from_top_to_bottom(executed: tuple[Any, Any]) -> None:
    """Every statement the notebook makes of its own numbers comes out true at this size, too."""
    notebook, _ = executed
    text = printed(notebook)
    assert text.count(": True") == printed(saved()).count(": True") >= 12
    assert "False" not in text
    assert "the bound holds in all 5 instances" in text
    assert figures(notebook) == figures(saved())


def test_every_slider_runs_at_its_ends(executed: tuple[Any, Any]) -> None:
    """(4 + 3 + 4) sliders × 2 ends, each with a figure; an error would have stopped the notebook."""
    said = "".join(out.text for out in executed[1].outputs if out.output_type == "stream")
    assert said.endswith("called 22\n")
    assert said.count(": True") == 2 * (4 + 4)
    assert "False" not in said
    assert sum(out.output_type == "display_data" for out in executed[1].outputs) == 22
