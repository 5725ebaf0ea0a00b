"""The terminal: wrong options as one line, progress bars, and tables with aligned columns."""

import contextlib
import io
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tyro
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from protocol import progress
from protocol.errors import InputError

console = Console(stderr=True)
# tyro's words for an option or nested settings
PARSING = r"Value error Error parsing (?:\S*?settings\.?)?(\S*): "


def show(line: str) -> None:
    """A line on standard error, above the progress bars."""
    console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


@contextlib.contextmanager
def progress_bars() -> Iterator[progress.Progress]:
    """Progress bars with the time left; yields report(label, done, total).

    Nothing is shown before the first report.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    bars = Progress(*columns, console=console, redirect_stdout=sys.stdout.isatty())
    tasks: dict[str, TaskID] = {}

    def report(label: str, done: int, total: int) -> None:
        if not tasks:
            bars.start()
        if label not in tasks:
            tasks[label] = bars.add_task(label, total=total)
        bars.update(tasks[label], completed=done, total=total)

    try:
        yield report
    finally:
        if tasks:
            bars.stop()


def _named(parsing: re.Match[str]) -> str:
    name = parsing[1]
    return f"{name}: " if name.startswith("--") else f"{name}." if name else ""


def _one_line(text: str) -> str:
    """The message of tyro without its frame, its colours and its help, as one line."""
    text = re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]|-{4,}", " ", text)
    text = re.split("Argument helptext:|For full helptext", text)[0]
    text, _, suggestions = text.partition("Perhaps you meant:")
    line = re.sub(PARSING, _named, " ".join(text.split()).rstrip("."))
    line = re.sub(r"^Unrecognized options (?=Unrecognized)", "", line)  # tyro's heading
    line = re.sub(r" \(applied to [^)]*\)| Arguments are applied to the directly .*", "", line)
    near = re.search(r"--[\w.-]+", suggestions)
    return f"{line} (did you mean {near[0]}?)" if near else line


def refuse_renamed(arguments: Sequence[str], renamed: Mapping[str, str]) -> None:
    """InputError for a word of an earlier version that names the word which replaces it."""
    for argument in arguments:
        word = argument.partition("=")[0].replace("_", "-")
        if word in renamed:
            raise InputError(f"{word}: expected {renamed[word]} in place of {word}")


def parse(command: Any, arguments: list[str], *, program: str, description: str | None) -> Any:
    """The command of the arguments; InputError in one line for arguments that are wrong."""
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(command, args=arguments, prog=program, description=description)
    except SystemExit as ended:
        if ended.code == 2:
            line = _one_line(errors.getvalue())
            raise InputError(f"{line}; see {program} --help") from ended
        raise


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Rows of cells as lines with aligned columns; columns in `right` align at their right edge."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            cells.append(cell.rjust(width) if column in right else cell.ljust(width))
        lines.append("  ".join(cells).rstrip())
    return lines
