"""The site and its reference, which is made of the docstrings: everything public has one."""

import ast
import html
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import ROOT

PACKAGES = ("protocol", "theory", "llm", "paper_figs", "retrace")
Documented = ast.Module | ast.ClassDef | ast.FunctionDef


def files(package: str) -> list[Path]:
    """The modules of a package."""
    return sorted((ROOT / package).rglob("*.py"))


def public(node: Documented, name: str) -> Iterator[tuple[str, Documented]]:
    """A module or class with its public functions, classes and methods, by dotted name.

    Nothing inside a function.
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


def words(page: Path) -> str:
    """The text of a page, without tags, a single space between words."""
    text = html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))
    return " ".join(text.split())


def test_make_docs_builds_the_site_into_a_folder_that_git_ignores() -> None:
    make = ["make", "--dry-run", "--no-print-directory", "--assume-old=setup", "docs"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].endswith("mkdocs build --strict")
    assert "/site/" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


def test_the_site_names_what_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {name.removesuffix("*") for name in installed} == set(PACKAGES)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it: every warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    there = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=there, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_module_and_every_page_is_in_the_site(site: Path) -> None:
    paths = [file.relative_to(ROOT).with_suffix("") for name in PACKAGES for file in files(name)]
    modules = {".".join(path.parts).removesuffix(".__init__") for path in paths}
    pages = {path.parent.name for path in (site / "api").rglob("index.html")}
    assert pages == {name for name in modules if not name.endswith("__main__")}
    texts = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert texts <= {path.parent.name for path in site.glob("*/index.html")}


def test_formulas_and_shapes_are_as_in_the_code(site: Path) -> None:
    objectives = words(site / "api" / "protocol.objectives" / "index.html")
    assert "NPO: L = −(2/β) log σ(−β [log π − log π_ref]), β > 0." in objectives
    statistics = words(site / "api" / "protocol.metrics.statistics" / "index.html")
    assert 'values: Float[ndarray, "seeds paths"]' in statistics


def test_the_home_page_is_the_readme_with_links_of_the_site(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    links = set(re.findall(r'href="([^"#:]+)"', home))
    assert {"results/", "theory/", "notebooks/theory.ipynb"} <= links
    assert (site / "notebooks" / "theory.ipynb").is_file()
