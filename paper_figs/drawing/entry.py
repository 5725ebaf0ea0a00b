"""What a figure is: name and words, the claims that cite it, the commands it needs, its drawing.

Every figure is a small module that ends in `FIGURE = FigureEntry(...)` and draws itself from the
records of a folder: `python -m paper_figs.figures.figure4 --out out`, or
`retrace figures --only 4`.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from paper_figs.drawing import style
from protocol.errors import InputError
from protocol.records import Tables
from protocol.sources import read_all


@dataclass(frozen=True)
class FigureEntry:
    """A figure of the report; `draw` returns None if the tables hold no records for it."""

    name: str  # of the files, without ending
    title: str
    caption: str
    alt: str
    worlds: tuple[str, ...]  # of the records shown; a claim of one of them ...
    claims: tuple[str, ...]  # ... with one of these ids is shown here
    commands: tuple[str, ...]  # each makes records for the figure; none if it needs no records
    draw: Callable[[Tables], Figure | None]

    @property
    def missing(self) -> str:
        """Which records the figure needs, for a message."""
        return f"needs the records of `{'` or `'.join(self.commands)}`"


def save(entry: FigureEntry, tables: Tables, folder: Path) -> tuple[Path, Path] | None:
    """Draw a figure into folder/NAME.pdf and NAME.png; None, and no file, if it has no records."""
    figure = entry.draw(tables)
    return None if figure is None else style.save(figure, folder, entry.name)


def main(entry: FigureEntry) -> None:
    """The command line of one figure: its records from OUT/records, its files into OUT/figures."""
    parser = argparse.ArgumentParser(description=entry.title)
    parser.add_argument(
        "--out", type=Path, default=Path("out"), help="folder that holds the records (default: out)"
    )
    out = parser.parse_args().out
    try:
        tables = read_all(out)[0].tables if entry.commands else Tables.concat([])
        saved = save(entry, tables, out / "figures")
        if saved is None:
            raise InputError(f"{entry.missing}; {out / 'records'} holds none")
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
    except InputError as error:
        sys.exit(f"{entry.name}: {error}")
    print(" ".join(map(str, saved)))
