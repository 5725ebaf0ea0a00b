"""Extras, versions, pins, marks: pyproject.toml, the lock, the pages and the code agree."""

import ast
import pkgutil
import re
import subprocess
import sys
import tomllib

import pytest
from marks import SLOW, mark_of
from packaging.requirements import Requirement
from pages import ROOT, targets

from retrace import __version__
from retrace.extras import DISTRIBUTION, EXTRAS, needed

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGES = ("protocol", "theory", "llm", "paper_figs", "retrace")
# Requirements that another library imports for us.
INDIRECT = {
    "accelerate": "transformers loads quantized models with it",
    "jaxlib": "jax moves together with it",
}
HIDDEN = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import retrace
retrace.main({arguments!r})
"""


def declared(extra: str | None = None) -> set[str]:
    """The modules of the requirements of an extra, without an extra those of the core."""
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    names = [Requirement(line).name for line in lines]
    return {name.replace("-", "_") for name in names if name != DISTRIBUTION}


def imported(package: str) -> set[str]:
    """The top names of everything a package imports, anywhere in its files, without our own
    packages and the standard library.
    """
    names: set[str] = set()
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - set(PACKAGES) - sys.stdlib_module_names


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_what_its_extra_declares(package: str) -> None:
    allowed = declared() | (declared(package) if package in EXTRAS else set())
    assert imported(package) <= allowed


def test_every_requirement_is_imported() -> None:
    """Core requirements by a package that every installation has; an extra's by its package."""
    core = set.union(*map(imported, ("protocol", "paper_figs", "retrace")))
    assert declared() == core
    for extra in EXTRAS:
        assert declared(extra) - imported(extra) <= set(INDIRECT)


def test_the_command_line_knows_the_extras() -> None:
    for extra, modules in EXTRAS.items():
        assert set(modules) == declared(extra)
    assert PROJECT["name"] == DISTRIBUTION


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("torch", ["llm", "positions", "--quick"], "llm"),
        ("torch", ["models"], "llm"),
        ("jax", ["theory", "theorem-curves", "--quick"], "theory"),
        ("jax", ["reproduce", "--quick"], "theory"),
    ],
)
def test_a_missing_extra_is_one_line(module, arguments, extra, tmp_path) -> None:
    """Nothing is computed and no folder is made, in `retrace reproduce` neither."""
    code = HIDDEN.format(module=module, arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    line = f"retrace {arguments[0]} needs {module}: pip install 'retrace-unlearning[{extra}]'\n"
    assert (done.returncode, done.stderr) == (2, line)
    assert list(tmp_path.iterdir()) == []


def test_another_missing_module_stays_an_error() -> None:
    error = ModuleNotFoundError("No module named 'mine'", name="mine")
    with pytest.raises(ModuleNotFoundError, match="mine"):
        needed("retrace llm", error)


def test_the_version_is_in_one_place() -> None:
    """`retrace.__version__`; what cannot read it agrees with it."""
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in PROJECT
    assert whole["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "retrace.__version__"}
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [__version__]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d[^\]]*)\]", changes, re.MULTILINE)
    assert released[0] == __version__


def test_ranges_in_pyproject_and_exact_versions_in_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lock)
    locked = {
        name.lower().replace("_", "-"): version
        for name, version in (line.split("==") for line in lock)
    }
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    requirements = [Requirement(line) for lines in groups for line in lines]
    for requirement in requirements:
        assert not any(part.operator in ("==", "===") for part in requirement.specifier)
        if requirement.name != DISTRIBUTION:
            assert requirement.specifier.contains(locked[requirement.name]), requirement


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_slow_tests_are_there() -> None:
    """Each entry is a folder, a file, or a file and the name of a test in it."""
    for entry in SLOW:
        file, _, name = entry.partition("::")
        path = ROOT / "tests" / file
        assert path.exists(), entry
        assert not name or f"def {name}(" in path.read_text(encoding="utf-8"), entry


@pytest.mark.parametrize(
    ("test", "mark"),
    [
        ("test_packaging.py::test_slow_tests_are_there", "fast"),
        ("test_packaging.py::test_a_missing_extra_is_one_line[torch-llm]", "slow"),
        ("notebooks/test_llm.py::test_the_notebook_runs", "slow"),
    ],
)
def test_a_test_has_one_mark(test: str, mark: str) -> None:
    assert mark_of(test) == mark


def test_this_test_is_marked(request: pytest.FixtureRequest) -> None:
    assert {mark.name for mark in request.node.iter_markers()} == {"fast"}


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "CHANGELOG.md"])
def test_what_a_page_names_is_there(page: str) -> None:
    """Targets of the Makefile, files and folders; in the changelog, modules of the new places."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert set(re.findall(r"`make (\w+)`", text)) <= targets()
    paths = re.findall(r"`((?:\w+/|\.github/)[\w/.]*)`|\]\(([\w/.]+)\)", text)
    written = {"out-demo/", "site/", "docs/api/"}  # what commands write, now or in earlier versions
    for path in {first or second for first, second in paths} - written:
        assert (ROOT / path).exists(), path
    for module in re.findall(r"^  \| .* \| (`[^|]*`) \|$", text, re.MULTILINE):
        for name in re.findall(r"`((?:llm|paper_figs|protocol)\.[\w.]+)`", module):
            pkgutil.resolve_name(name)
