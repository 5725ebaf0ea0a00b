"""Pages that name a place in the code, as `file:name`, name a definition that is there.

The files are parsed, not imported: a name counts if its file defines the name, and `Class.name` if
the class does. A name that was moved to another file is a fault of the page.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pages
import pytest
from pages import PAGES, ROOT

PLACE = re.compile(r"`([\w/]+\.py):([\w.]+)`")
LAYERS = ("retrace", "paper_figs", "theory", "llm", "protocol")
Body = list[ast.stmt]


def text_of(page: str) -> str:
    """The text of a page in docs/."""
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def definitions(body: Body) -> Iterator[tuple[str, Body]]:
    """Every name that a module or a class defines, with the body of a class."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield node.name, node.body
        elif isinstance(node, ast.FunctionDef):
            yield node.name, []
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name for target in targets for name in ast.walk(target)]
            yield from ((name.id, []) for name in names if isinstance(name, ast.Name))


def is_defined(file: Path, name: str) -> bool:
    """Whether the file defines the dotted name."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for part in name.split("."):
        here = dict(definitions(body))
        if part not in here:
            return False
        body = here[part]
    return True


def places() -> list[tuple[str, str, str]]:
    """Page, file and name of every place that is named, each once."""
    named = [
        (page.name, file, name)
        for page in PAGES
        for file, name in PLACE.findall(page.read_text(encoding="utf-8"))
    ]
    return sorted(set(named))


@pytest.mark.parametrize(("page", "file", "name"), places())
def test_a_place_named_in_a_page_is_defined_there(page: str, file: str, name: str) -> None:
    assert (ROOT / file).is_file(), f"{page}: {file} is gone"
    assert is_defined(ROOT / file, name), f"{page}: {file} does not define {name}"


def test_a_name_that_is_not_defined_is_found_out(tmp_path: Path) -> None:
    """Functions, constants, classes and their members count; imports and unknown names do not."""
    file = tmp_path / "module.py"
    file.write_text("import os\nA, B = 1, 2\nclass C:\n    x: int\n    def f(self): ...\n")
    defined = [name for name in ("A", "B", "C", "C.x", "C.f", "os", "C.g", "D.x")
               if is_defined(file, name)]  # fmt: skip
    assert defined == ["A", "B", "C", "C.x", "C.f"]


def test_every_row_of_the_glossary_has_a_meaning_and_a_place() -> None:
    rows = [line for line in text_of("glossary.md").splitlines() if line.startswith("|")]
    words = [row for row in rows if not re.match(r"\|(?: word |-)", row)]
    assert len(words) >= 30
    for row in words:
        word, _, meaning, place = (cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1])
        assert word and meaning.endswith("."), row
        assert PLACE.fullmatch(place), row


def test_the_life_of_a_run_has_eight_steps_with_places() -> None:
    section = text_of("architecture.md").split("\n## ")[1]
    steps = re.split(r"^\d\. ", section, flags=re.MULTILINE)[1:]
    assert section.startswith("The life of one run") and len(steps) == 8
    assert all(len(PLACE.findall(step)) >= 2 for step in steps)


def test_the_architecture_names_every_room_and_layer() -> None:
    text = text_of("architecture.md")
    folders = {file.parent for layer in LAYERS for file in (ROOT / layer).glob("*/__init__.py")}
    rooms = {f"`{folder.relative_to(ROOT).as_posix()}/`" for folder in folders}
    assert rooms <= set(re.findall(r"`[\w/]+/`", text))
    (picture,) = [block.text for block in pages.blocks(text) if block.language == "text"]
    assert all(f"{layer}/" in picture for layer in LAYERS)
