"""Tables as Markdown and LaTeX.

Table 1 has a row per model and algorithm and a column per quantity and path. Its numbers are "mean
± half-width" of the 95% interval, the mean alone for one seed, "–" if nothing was measured. LaTeX
cells are shaded by their value among the four paths, as in the paper; the LaTeX needs the packages
booktabs and xcolor with its option table.
"""

from collections.abc import Iterable, Sequence

from paper_figs.tables.table1 import Cell, Row, Table

MISSING = "–"
STRONGEST = 45  # per cent of the shade's colour for the largest of the four
HUES = ("red", "blue", "green", "orange")


def number(value: float | None, digits: int = 3) -> str:
    """A number with a true minus sign and no negative zero; "–" for none."""
    if value is None:
        return MISSING
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        return text.removeprefix("-")
    return text.replace("-", "−")


def cell_text(cell: Cell) -> str:
    """ "1.234 ± 0.056", or the number alone if there is no interval."""
    value = number(cell.value)
    if cell.half_width is None:
        return value
    return f"{value} ± {number(cell.half_width)}"


def markdown_lines(head: Sequence[str], body: Iterable[Sequence[str]], words: int) -> str:
    """A table in Markdown; after the first `words` columns come numbers, aligned to the right."""
    rule = [*["---"] * words, *["---:"] * (len(head) - words)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *body)) + "\n"


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(cells).replace("_", r"\_").replace("–", "--") + r" \\"


def latex_lines(head: Sequence[str], body: Iterable[Sequence[str]], words: int) -> str:
    """The same table as a LaTeX tabular with booktabs rules."""
    lines = [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{{'l' * words}{'r' * (len(head) - words)}}}",
        r"\toprule",
        _latex_line(head),
        r"\midrule",
        *map(_latex_line, body),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def markdown(table: Table) -> str:
    """The table in Markdown; headings read "Forget score p=1"."""
    columns = [f"{title} p={p}" for title in table.titles for p in range(1, table.paths + 1)]
    body = []
    for row in table.rows:
        cells = [cell_text(cell) for group in row.groups for cell in group]
        body.append([row.model, row.method, *cells])
    return markdown_lines(["Model", "Algorithm", *columns], body, 2)


def _latex_number(value: float | None, sign: str = "") -> str:
    if value is None:
        return "--"
    text = number(value).replace("−", "-")
    return f"${sign}{text}$"


def _latex_cell(cell: Cell, hue: str) -> str:
    if cell.value is None:
        return "--"
    colour = rf"\cellcolor{{{hue}!{round(STRONGEST * cell.shade)}}}"
    if cell.half_width is None:
        return colour + _latex_number(cell.value)
    spread = _latex_number(cell.half_width, r"\pm ")
    return rf"{colour}{_latex_number(cell.value)}\,{{\scriptsize {spread}}}"


def _latex_row(row: Row) -> str:
    groups = zip(row.groups, HUES, strict=False)
    cells = [_latex_cell(cell, hue) for group, hue in groups for cell in group]
    model = row.model.replace("_", r"\_")
    return " & ".join([model, row.method, *cells]) + r" \\"


def latex(table: Table) -> str:
    """The table as a LaTeX tabular with booktabs rules and shaded cells."""
    paths = table.paths
    groups = [rf"\multicolumn{{{paths}}}{{c}}{{{title}}}" for title in table.titles]
    firsts = [3 + i * paths for i in range(len(table.titles))]
    rules = [rf"\cmidrule(lr){{{first}-{first + paths - 1}}}" for first in firsts]
    numbers = [rf"$p={p}$" for _ in table.titles for p in range(1, paths + 1)]
    lines = [
        r"% needs \usepackage{booktabs} and \usepackage[table]{xcolor}",
        rf"\begin{{tabular}}{{ll{'r' * (paths * len(table.titles))}}}",
        r"\toprule",
        " & ".join(["", "", *groups]) + r" \\",
        "".join(rules),
        " & ".join(["Model", "Algorithm", *numbers]) + r" \\",
        r"\midrule",
    ]
    for i, row in enumerate(table.rows):
        if i and row.model != table.rows[i - 1].model:
            lines.append(r"\midrule")
        lines.append(_latex_row(row))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"
