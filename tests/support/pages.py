"""The code blocks of the pages (README.md and docs/*.md), and running them as a reader would.

A python block whose first line is `# NAME.py` is a file, any other is executed; lines of sh blocks
are carried out one after the other, all of a page in one folder. `text` marks output and trees,
which are no code.
"""

import multiprocessing  # noqa: F401 (it makes the module __mp_main__)
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from unittest import mock

import retrace

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
NOT_RUN = "not run by the tests"  # how a page marks such a line, in the comment at its end
ACTIVATE = ["source", ".venv/bin/activate"]  # the tests run inside an environment
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block: its language and its text."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The name of the file it is, None where it is none."""
        found = re.match(r"# (\w+\.py)\n", self.text)
        return found[1] if found else None

    @property
    def lines(self) -> list[str]:
        """The commands of a shell block; continued lines are one."""
        joined = self.text.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def blocks(text: str) -> list[Block]:
    """All blocks of a page."""
    return [Block(*found) for found in FENCE.findall(text)]


def words(line: str) -> list[str]:
    """A command's words as typed, the environment's folder and a comment left out."""
    first, *rest = shlex.split(line, comments=True)
    return [first.removeprefix(".venv/bin/"), *rest]


def targets() -> set[str]:
    """The targets of the Makefile that are no files."""
    (found,) = re.findall(
        r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    return set(found.split())


def _run_as_main(script: Path) -> None:
    """Run a script in this process as `python SCRIPT` does; the modules are as before afterwards.

    What worker processes send back is of the module __mp_main__, which runpy would leave as it is.
    """
    main = ModuleType("__main__")
    main.__file__ = str(script)
    before = {name: sys.modules[name] for name in ("__main__", "__mp_main__")}
    try:
        sys.modules.update(dict.fromkeys(before, main))
        exec(compile(script.read_text(encoding="utf-8"), main.__file__, "exec"), main.__dict__)
    finally:
        sys.modules.update(before)


def _python(arguments: list[str]) -> None:
    if arguments[0] == "-m":
        there = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, *arguments], check=True, env=there, stdout=subprocess.DEVNULL
        )
        return
    # whole, as worker processes look for it in the folder this process was started in
    script = Path(arguments[0]).resolve()
    path = [str(script.parent), *sys.path]  # so that a script may import files of its folder
    with mock.patch.object(sys, "argv", arguments), mock.patch.object(sys, "path", path):
        _run_as_main(script)


def carry_out(line: str) -> None:
    """One line of a shell block, in this folder; an error ends in an exception, an unknown program
    in ValueError.
    """
    program, *arguments = words(line)
    if program == "retrace":
        retrace.main(arguments)
    elif program == "python":
        _python(arguments)
    elif (
        not (program == "make" and set(arguments) <= targets())
        and [program, *arguments] != ACTIVATE
    ):
        raise ValueError(
            f"the tests cannot run {line!r}: mark it {NOT_RUN!r} and list it with its reason"
        )


def execute(block: Block) -> None:
    """A python block: written where it is a file, else executed in this process."""
    if block.file:
        Path(block.file).write_text(block.text, encoding="utf-8")
    else:
        exec(compile(block.text, "block", "exec"), {"__name__": "__main__"})
