"""The claim tables of README.md and docs/results.md, from the verdicts of the last full run.

    python -m paper_figs.report.claim_tables out/claims.json    # after `make reproduce`
    python -m paper_figs.report.claim_tables                    # after a sentence was rewritten

The first form also renews docs/verdicts.json, from which the tables are written: verdicts counted
by id and side. A table is between two comments of its page, `BEGIN` and `END`.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from paper_figs.drawing.claim_text import MARKS, badge
from protocol.claims.claim import VERDICTS, Claim, read_claims, tally
from protocol.claims.statements import STATEMENTS
from protocol.errors import InputError

BEGIN, END = "<!-- claims:begin -->", "<!-- claims:end -->"
VERDICTS_FILE = Path("docs/verdicts.json")
WORLDS = {"linear": "linear", "network": "networks", "llm": "llm"}  # and their columns
HEAD = ("id", "claim", *WORLDS.values())
# Statements that `make reproduce` does not judge: `retrace llm NAME` does
OWN_EXPERIMENTS = ("L1b", "L5", "L6", "L6d", "L6w", "O1", "O2", "S1")
# Statements whose value is shown: errors, and the share of a difference that stays (W3)
SHOWN_VALUES = ("T3", "G1", "G3", "W3", "C2", "H1")
# Rows of README.md that count several statements together
THEOREM = ("T1", "T2", "T3")
BEYOND = tuple(id for id in STATEMENTS if id[0] in "RBWCH")
GROUPS = {
    "T1–T3": (THEOREM, "The paper's theorem, its corollary and its lemmas hold."),
    "R, B, W, C, H": (
        BEYOND,
        "Results beyond the paper hold in the linear model ([theory](docs/theory.md)).",
    ),
}
README_ROWS = (
    "T1–T3", "L1", "L1b", "L2", "L3", "L4", "L5", "L6", "L6e", "E1", "S1", "N1", "K1",
    "G1", "G2", "G3", "G4", "D1", "D2", "R, B, W, C, H",
)  # fmt: skip


class Cell(NamedTuple):
    """The verdicts on one statement on one side; value: of a single claim, two digits."""

    id: str
    world: str
    verdicts: dict[str, int]
    value: float | None = None


def count(claims: Sequence[Claim]) -> list[Cell]:
    """Verdicts counted by statement and side, in the order of the statements."""
    cells = []
    for id in STATEMENTS:
        for world in WORLDS:
            own = [claim for claim in claims if (claim.id, claim.world) == (id, world)]
            if own:
                verdicts = {verdict: n for verdict, n in tally(own).items() if n}
                cells.append(Cell(id, world, verdicts, _shown_value(own)))
    return cells


def _shown_value(claims: Sequence[Claim]) -> float | None:
    value = claims[0].value
    if len(claims) > 1 or claims[0].id not in SHOWN_VALUES or value is None:
        return None
    return float(f"{value:.2g}")


def renewed(earlier: Sequence[Cell], claims: Sequence[Claim]) -> list[Cell]:
    """The cells of a full run, with the earlier cells of experiments that were not run again.

    Raises InputError if a statement that `make reproduce` judges has no claim.
    """
    judged = {claim.id for claim in claims}
    missing = [id for id in STATEMENTS if id not in judged and id not in OWN_EXPERIMENTS]
    if missing:
        raise InputError(
            f"claims: expected those of a full run; got none of {', '.join(missing)}: run "
            "`make reproduce` first"
        )
    kept = [cell for cell in earlier if cell.id in OWN_EXPERIMENTS and cell.id not in judged]
    place = list(STATEMENTS)
    return sorted([*count(claims), *kept], key=lambda cell: place.index(cell.id))


def read_cells(path: Path) -> list[Cell]:
    """The cells of docs/verdicts.json; InputError if there is none."""
    if not path.is_file():
        raise InputError(f"verdicts: expected {path}; not found: run this in the repository's root")
    return [Cell(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def write_cells(cells: Sequence[Cell], path: Path) -> None:
    """One line of JSON a cell."""
    lines = ",\n".join(json.dumps(cell._asdict(), ensure_ascii=False) for cell in cells)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _total(cells: Sequence[Cell]) -> dict[str, int]:
    return {verdict: sum(cell.verdicts.get(verdict, 0) for cell in cells) for verdict in VERDICTS}


def _marks(cells: Sequence[Cell]) -> str:
    """ "3 ✓, 1 ?" of several verdicts, "✓" of a single verdict."""
    counts = _total(cells)
    if sum(counts.values()) == 1:
        return next(MARKS[verdict] for verdict, n in counts.items() if n)
    return ", ".join(f"{n} {MARKS[verdict]}" for verdict, n in counts.items() if n)


def _marks_and_values(cells: Sequence[Cell]) -> str:
    """The marks, followed by the values that are shown: "✓ 2e-13"."""
    values = [f"{cell.value:g}" for cell in cells if cell.value is not None]
    return " ".join([_marks(cells), *values])


def _row(
    cells: Sequence[Cell],
    name: str,
    ids: Sequence[str],
    sentence: str,
    text: Callable[[Sequence[Cell]], str],
) -> str:
    """A line of a table; text: what a column says of its cells."""
    line = f"| {name} | {sentence} |"
    for world in WORLDS:
        words = text([cell for cell in cells if cell.id in ids and cell.world == world])
        line += f" {words} |" if words else " |"
    return line


def _table(rows: Sequence[str]) -> str:
    head = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    return "\n".join([*head, *rows])


def headline(cells: Sequence[Cell]) -> str:
    """How many verdicts the full run has, and how many of each kind."""
    counts = _total([cell for cell in cells if cell.id not in OWN_EXPERIMENTS])
    listed = ", ".join(f"{n} {badge(verdict)}" for verdict, n in counts.items())
    return f"The last full run gave {sum(counts.values())} verdicts: {listed}."


def readme_table(cells: Sequence[Cell]) -> str:
    """The table of README.md, with two rows that count the theory's statements together."""
    rows = []
    for name in README_ROWS:
        ids, sentence = GROUPS.get(name) or ((name,), STATEMENTS[name].sentence)
        rows.append(_row(cells, name, ids, sentence, _marks))
    return f"{headline(cells)}\n\n{_table(rows)}"


def results_table(cells: Sequence[Cell]) -> str:
    """The table of docs/results.md: every statement that `make reproduce` judges."""
    rows = [
        _row(cells, id, (id,), statement.sentence, _marks_and_values)
        for id, statement in STATEMENTS.items()
        if id not in OWN_EXPERIMENTS
    ]
    return f"{headline(cells)}\n\n{_table(rows)}"


PAGES = {Path("README.md"): readme_table, Path("docs/results.md"): results_table}


def with_table(page: str, table: str, name: str) -> str:
    """The page with the table between `BEGIN` and `END`; InputError if the page lacks them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise InputError(f"{name}: expected {BEGIN} and, below, {END}; not found")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def write(root: Path, claims: Path | None) -> None:
    """Write the tables of both pages below root; claims.json first renews docs/verdicts.json."""
    cells = read_cells(root / VERDICTS_FILE)
    if claims is not None:
        cells = renewed(cells, read_claims(claims))
        write_cells(cells, root / VERDICTS_FILE)
    for name, table in PAGES.items():
        page = (root / name).read_text(encoding="utf-8")
        (root / name).write_text(with_table(page, table(cells), str(name)), encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m paper_figs.report.claim_tables",
        description="Write the claim tables of README.md and docs/results.md.",
    )
    parser.add_argument("claims", type=Path, nargs="?", help="claims.json of a full run")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository (default: here)")
    command = parser.parse_args(arguments)
    try:
        write(command.root, command.claims)
    except InputError as error:
        sys.exit(f"claim tables: {error}")


if __name__ == "__main__":
    main()
