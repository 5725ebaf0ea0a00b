"""What every benchmark prints: a table in Markdown, and the memory of the process."""

import resource
import sys
from collections.abc import Sequence


def table(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print the title and the rows, columns aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    print(f"\n{title}\n")
    for number, row in enumerate(rows):
        print(
            "| "
            + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            + " |"
        )
        if number == 0 and len(rows) > 1:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def peak_memory() -> float:
    """Largest resident memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** (
        20 if sys.platform.startswith("linux") else 30
    )
