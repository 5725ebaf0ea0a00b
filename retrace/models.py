"""`retrace models`: the models that have names, the paper's settings for them, and the memory their training takes."""

from collections.abc import Sequence
from dataclasses import dataclass

MEMORY = ("full", "LoRA", "QLoRA")  # the columns of the catalogue that end in GiB
NOTE = """
full, LoRA, QLoRA: GiB for weights, gradients and optimizer state, no activations, by way of training
batch: of learning / of unlearning · lr: of learning · rank, alpha: of LoRA and QLoRA"""


@dataclass(frozen=True)
class Models:
    """The models that have names: sizes, the paper's settings, and the memory that training takes."""


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Rows of cells as lines with aligned columns; the columns counted in `right` are aligned at their right edge."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        sized = [(cell, width, column in right) for column, (cell, width) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cell.rjust(width) if at else cell.ljust(width) for cell, width, at in sized).rstrip())
    return lines


def run(command: Models) -> str:
    """`retrace models`; returns the table and what its columns are."""
    from llm.models import catalogue

    header, *rows = catalogue.table()
    sizes = [header.index(name) for name in MEMORY]

    def plain(column: int, cell: str) -> str:
        # Two significant digits, yet 120 and not 1.2e+02; the unit, common to all, is told once below.
        return f"{float(cell.removesuffix(' GiB')):g}" if column in sizes else cell

    cells = [[plain(column, cell) for column, cell in enumerate(row)] for row in rows]
    above = ["unlearning" if name == "unlearning lr" else "" for name in header]  # or it is 121 columns wide
    names = [name.removeprefix("unlearning ") for name in header]
    return "\n".join([*aligned([above, names, *cells], right=range(2, len(header))), NOTE])
