"""The tables of docs/models.md, made from what the tests check; `python
tests/support/model_tables.py` writes them.
"""

import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join([line(header), "|" + "---|" * len(header), *map(line, rows)])


def with_table(page: str, name: str, text: str) -> str:
    """The page with a table between the marks `<!-- NAME -->` and `<!-- end of NAME -->`."""
    marks = f"<!-- {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(re.escape(marks[0]) + ".*?" + re.escape(marks[1]), re.DOTALL)
    return pattern.sub(lambda _: f"{marks[0]}\n{text}\n{marks[1]}", page)


if __name__ == "__main__":
    import architectures
    import templates

    with tempfile.TemporaryDirectory() as folder:
        rows = [architectures.row(kind, Path(folder)) for kind in architectures.KINDS]
    page = with_table(PAGE.read_text(), "architectures", table(architectures.HEADER, rows))
    header, *rendered = templates.table()
    PAGE.write_text(with_table(page, "templates", table(header, rendered)))
