"""The output of every benchmark: a table in Markdown, and the memory of the process."""

import resource
import sys
from collections.abc import Mapping, Sequence


def table(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print the title and the rows, columns aligned."""
    columns = zip(*rows, strict=True)
    widths = [max(map(len, column)) for column in columns]  # of each column
    print(f"\n{title}\n")
    for number, row in enumerate(rows):
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells = " | ".join(padded)
        print(f"| {cells} |")
        if number == 0 and len(rows) > 1:
            dashes = ["-" * (width + 2) for width in widths]
            line = "|".join(dashes)
            print(f"|{line}|")


def listed(sizes: Mapping[str, int]) -> str:
    """Sizes as text, "d = 200, n = 40"."""
    return ", ".join(f"{name} = {value}" for name, value in sizes.items())


def peak_memory() -> float:
    """Largest resident memory of this process so far, in GiB."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    in_kib = sys.platform.startswith("linux")  # else in bytes
    return usage.ru_maxrss / 2 ** (20 if in_kib else 30)
