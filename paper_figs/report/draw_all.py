"""All figures drawn in parallel, a process a core; each process reads the tables once.

A figure depends on the tables alone, so its files are equal to the byte for any number of
processes.
"""

import multiprocessing
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from paper_figs.drawing import style
from paper_figs.drawing.entry import FigureEntry
from paper_figs.figures.registry import FIGURES
from paper_figs.report import tooltips
from paper_figs.report.build import Drawn
from protocol import records
from protocol.progress import Progress, quiet
from protocol.records import Result, Tables

_tables: Tables | None = None  # of a drawing process


def _read(folder: Path) -> None:
    global _tables  # noqa: PLW0603 (a drawing process belongs to one pool)
    _tables = records.read(folder).tables


def draw_one(entry: FigureEntry, tables: Tables, folder: Path) -> Drawn | None:
    """Draw a figure into folder/NAME.pdf and .png; None if the tables hold no records for it."""
    figure = entry.draw(tables)
    if figure is None:
        return None
    style.save(figure, folder, entry.name)
    return Drawn(entry, style.svg(figure), tooltips.panels(figure))


def _draw(task: tuple[FigureEntry, Path]) -> Drawn | None:
    entry, folder = task
    if _tables is None:
        raise RuntimeError("drawing: the tables of this process were not read")
    return draw_one(entry, _tables, folder)


def _in_parallel(tables: Tables, folder: Path, workers: int) -> Iterator[Drawn | None]:
    with tempfile.TemporaryDirectory() as scratch:
        records.write(Result(tables, tables.specs), Path(scratch))
        context = multiprocessing.get_context("spawn")
        processes = min(workers, len(FIGURES))
        with ProcessPoolExecutor(processes, context, _read, (Path(scratch),)) as pool:
            yield from pool.map(_draw, [(entry, folder) for entry in FIGURES])


def draw_all(
    tables: Tables, folder: Path, *, workers: int = 1, progress: Progress = quiet
) -> list[Drawn]:
    """Draw every figure that has records into `folder`, as PDF and PNG; returns those, in order."""
    progress("figures", 0, len(FIGURES))
    if workers > 1:
        figures = _in_parallel(tables, folder, workers)
    else:
        figures = (draw_one(entry, tables, folder) for entry in FIGURES)
    drawn = []
    for done, figure in enumerate(figures, start=1):
        progress("figures", done, len(FIGURES))
        drawn += [] if figure is None else [figure]
    return drawn
