"""All figures drawn side by side, a process a core: each process reads the tables once and then draws what is next.

A figure depends on the tables alone, so its files are equal to the byte however many processes there are.
"""

import multiprocessing
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from paper_figs import hover, style
from paper_figs.registry import FIGURES
from paper_figs.report import Drawn
from protocol import records
from protocol.progress import Progress, quiet
from protocol.records import Result, Tables

Panels = tuple[hover.Panel, ...]
_tables: Tables | None = None  # of a drawing process


class Finished(NamedTuple):
    """A figure whose files are written."""

    svg: str
    panels: Panels


def _read(folder: Path) -> None:
    global _tables  # noqa: PLW0603 (a drawing process belongs to one pool)
    _tables = records.read(folder).tables


def draw_one(name: str, tables: Tables, folder: Path) -> Finished | None:
    """Draw a figure of the registry into folder/NAME.pdf and .png; None where the tables hold no records for it."""
    (entry,) = (entry for entry in FIGURES if entry.name == name)
    figure = entry.draw(tables)
    if figure is None:
        return None
    style.save(figure, folder, name)
    return Finished(style.svg(figure), hover.panels(figure))


def _draw(task: tuple[str, Path]) -> Finished | None:
    name, folder = task
    if _tables is None:
        raise RuntimeError("drawing: the tables of this process were not read")
    return draw_one(name, _tables, folder)


def _side_by_side(names: list[str], tables: Tables, folder: Path, workers: int) -> Iterator[Finished | None]:
    with tempfile.TemporaryDirectory() as scratch:
        records.write(Result(tables, {}), Path(scratch))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(names)), context, _read, (Path(scratch),)) as pool:
            yield from pool.map(_draw, [(name, folder) for name in names])


def draw_all(tables: Tables, folder: Path, *, workers: int = 1, progress: Progress = quiet) -> list[Drawn]:
    """Draw every figure the tables hold records for into `folder`, as PDF and PNG; returns those drawn, in order."""
    names = [entry.name for entry in FIGURES]
    progress("figures", 0, len(names))
    if workers > 1:
        each = _side_by_side(names, tables, folder, workers)
    else:
        each = (draw_one(name, tables, folder) for name in names)
    drawn = []
    for done, (entry, found) in enumerate(zip(FIGURES, each, strict=True), start=1):
        progress("figures", done, len(names))
        if found is not None:
            drawn.append(Drawn(entry, found.svg, found.panels))
    return drawn
