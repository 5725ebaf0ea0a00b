"""The reference is made of the docstrings: everything public has one, and it builds."""

import ast
import html
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import ROOT

PACKAGES = ("protocol", "theory", "llm", "paper_figs", "retrace")
Documented = ast.Module | ast.ClassDef | ast.FunctionDef


def files(*packages: str) -> list[Path]:
    """The modules of these packages, by default of all."""
    return sorted(
        file for package in packages or PACKAGES for file in (ROOT / package).rglob("*.py")
    )


def public(node: Documented, name: str) -> Iterator[tuple[str, Documented]]:
    """A module or class with its public functions, classes and methods, by dotted name; nothing
    inside a function.
    """
    yield name, node
    if not isinstance(node, ast.FunctionDef):
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef) and not child.name.startswith("_"):
                yield from public(child, f"{name}.{child.name}")


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_public_has_a_docstring(package: str) -> None:
    without = [
        name
        for file in files(package)
        for name, node in public(
            ast.parse(file.read_text(encoding="utf-8")), file.relative_to(ROOT).as_posix()
        )
        if not ast.get_docstring(node) and file.name != "__main__.py"
    ]
    assert without == []


def command() -> list[str]:
    """What `make docs` runs, once the environment is there."""
    make = ["make", "--dry-run", "--no-print-directory", "--assume-old=setup", "docs"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True)
    return shlex.split(done.stdout.splitlines()[-1])


def test_make_docs_names_every_module() -> None:
    """All that is installed, into a folder that git ignores."""
    installed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "setuptools"
    ]["packages"]
    assert {name.removesuffix("*") for name in installed["find"]["include"]} == set(PACKAGES)
    names = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in files()
        if file.stem[0] != "_"
    }
    said = command()
    assert said[said.index("--output-directory") + 1] == "docs/api"
    assert set(said[said.index("docs/api") + 1 :]) == {*PACKAGES, *names}
    assert "/docs/api/" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


def test_the_reference_builds(tmp_path: Path) -> None:
    """Of the ground floor, as `make docs` does: a page a module, with formulas and shapes as they
    stand in the code.
    """
    _, *options = command()
    own = [word for word in options if word.split(".")[0] not in {*PACKAGES} - {"protocol"}]
    own[own.index("docs/api")] = str(tmp_path)
    there = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [sys.executable, *own], env=there, capture_output=True, text=True, check=True
    )
    assert "Warning" not in done.stderr
    pages = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    modules = {
        f"{file.relative_to(ROOT).with_suffix('')}.html"
        for file in files("protocol")
        if file.stem[0] != "_"
    }
    assert modules <= pages
    objectives = (tmp_path / "protocol" / "objectives.html").read_text(encoding="utf-8")
    assert "NPO: L = −(2/β) log σ(−β [log π − log π_ref]), β &gt; 0." in objectives
    statistics = re.sub(
        r"<[^>]+>", "", (tmp_path / "protocol" / "metrics" / "statistics.html").read_text("utf-8")
    )
    assert "values: jaxtyping.Float[ndarray, 'seeds paths']" in " ".join(
        html.unescape(statistics).split()
    )
