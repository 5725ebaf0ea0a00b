"""Notebooks: saved, they read without a kernel; at small size they run through, and say what their
text says.

What both kinds of test ask of a notebook stands here; what one notebook says of its own numbers, in
its own test.
"""

import copy
import json
import os
import re
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
from nbclient import NotebookClient
from pages import ROOT


def saved(name: str) -> Any:
    """The notebook as it is kept."""
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def outputs(notebook: Any) -> list[Any]:
    """All outputs of all cells."""
    return [out for cell in notebook.cells for out in cell.get("outputs", ())]


def printed(notebook: Any) -> str:
    """Everything the notebook's cells print."""
    return "".join(out.text for out in outputs(notebook) if out.output_type == "stream")


def images(notebook: Any) -> int:
    """How many figures are shown."""
    return sum("image/png" in out.get("data", {}) for out in outputs(notebook))


def settings(source: str) -> list[str]:
    """The names a cell of settings sets, in order."""
    return [
        name
        for line in re.findall(r"^([A-Z_, ]+) = ", source, re.MULTILINE)
        for name in line.split(", ")
    ]


def check_saved(name: str, small: str, *, size: int) -> None:
    """It was run top to bottom without error, is smaller than `size`, knows no machine, and has its
    settings first.

    small: the test's settings, which set the same names.
    """
    notebook = saved(name)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [
        out
        for out in outputs(notebook)
        if out.output_type == "error" or out.get("name") == "stderr"
    ]
    assert "False" not in printed(notebook)
    assert notebook.metadata.kernelspec.name == "python3" and "widgets" not in notebook.metadata
    text = json.dumps(notebook)
    assert len(text) < size
    pictured = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not re.search(r"/(home|root|work|tmp|Users|usr)/|\.venv|site-packages", pictured)
    assert code[0].metadata.tags == ["parameters"]
    assert settings(code[0].source) == settings(small) != []


def execute(
    name: str, small: str, *, after: str | None = None, folder: Path | None = None
) -> tuple[Any, Any]:
    """The notebook run with small settings in `folder`, and the cell `after` that was run behind
    it.
    """
    notebook = copy.deepcopy(saved(name))
    (parameters,) = (
        cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())
    )
    parameters.source = small
    if after is not None:
        notebook.cells.append(nbformat.v4.new_code_cell(after))
    there = {"metadata": {"path": str(folder or ROOT)}}
    with mock.patch.dict(os.environ, PYTHONPATH=str(ROOT)):
        NotebookClient(
            notebook, timeout=120, kernel_name="python3", coalesce_streams=True, resources=there
        ).execute()
    return notebook, notebook.cells.pop() if after is not None else None
