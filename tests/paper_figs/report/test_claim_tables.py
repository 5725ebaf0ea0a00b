"""The claim tables of README.md and docs/results.md: current, and written from claims.json."""

import json
import shutil
from pathlib import Path

import pytest

from paper_figs.report import claim_tables
from paper_figs.report.claim_tables import BEGIN, END, PAGES, VERDICTS_FILE, Cell
from protocol.claims import Claim, write_claims
from protocol.claims.statements import STATEMENTS
from protocol.errors import InputError

ROOT = Path(__file__).parents[3]
FRESH = "run `python -m paper_figs.report.claim_tables`"


def claim(id: str, world: str = "linear", verdict: str = "holds", value: float = 0.25) -> Claim:
    statement = STATEMENTS[id]
    return statement.judged(
        world=world, model="m", method="GA", value=value, rule="> 0", verdict=verdict, details=[]
    )


def full_run() -> list[Claim]:
    """A claim of every statement that `make reproduce` judges."""
    return [claim(id) for id in STATEMENTS if id not in claim_tables.OWN_EXPERIMENTS]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    for name in (VERDICTS_FILE, *PAGES):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def lines(root: Path, name: str) -> dict[str, list[str]]:
    """id -> claim and columns of a page's table."""
    page = (root / name).read_text(encoding="utf-8")
    table = page.split(BEGIN)[1].split(END)[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows[1:]}


@pytest.mark.parametrize("name", PAGES, ids=str)
def test_the_pages_hold_the_tables_of_the_committed_verdicts(name: Path) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    table = PAGES[name](claim_tables.read_cells(ROOT / VERDICTS_FILE))
    assert page == claim_tables.with_table(page, table, str(name)), FRESH


def test_sentences_of_all_tables_are_those_of_the_statements() -> None:
    """Tables written by hand, too: those of the experiments of their own in docs/results.md."""
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
        by_id = {row[0].removeprefix("| "): row[1] for row in rows if len(row) >= 4}
        sentences = {id: words for id, words in by_id.items() if id in STATEMENTS}
        assert sentences == {id: STATEMENTS[id].sentence for id in sentences}
        assert len(sentences) >= 18


def test_a_full_run_renews_the_tables(repository: Path) -> None:
    """L1 holds twice and fails once; the values of T3 and G1 are shown with two digits."""
    more = [claim("L1"), claim("L1", verdict="fails"), claim("G1", "llm", value=1.234e-15)]
    write_claims([*full_run(), *more], repository / "claims.json")
    claim_tables.main([str(repository / "claims.json"), "--root", str(repository)])
    results = lines(repository, "docs/results.md")
    assert results["L1"] == [STATEMENTS["L1"].sentence, "2 ✓, 1 ✗", "", ""]
    assert results["T3"][1:] == ["✓ 0.25", "", ""]
    assert results["G1"][1:] == ["✓ 0.25", "", "✓ 1.2e-15"]
    assert lines(repository, "README.md")["T1–T3"][1:] == ["3 ✓", "", ""]
    total = f"{len(full_run()) + 3} verdicts: {len(full_run()) + 2} ✓ holds, 1 ✗ fails"
    assert total in (repository / "README.md").read_text(encoding="utf-8")
    # S1 was not run again: its verdict stays
    assert lines(repository, "README.md")["S1"][1:] == ["", "", "✗"]


def test_an_experiment_of_its_own_that_was_run_again_counts(repository: Path) -> None:
    write_claims([*full_run(), claim("S1", "llm")], repository / "claims.json")
    claim_tables.write(repository, repository / "claims.json")
    assert lines(repository, "README.md")["S1"][1:] == ["", "", "✓"]
    assert "S1" not in lines(repository, "docs/results.md")


def test_what_is_around_the_table_stays() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert claim_tables.with_table(page, "new", "x.md") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


@pytest.mark.parametrize("page", ["no table", f"{END} before {BEGIN}"])
def test_a_page_without_its_comments_is_refused(page: str) -> None:
    with pytest.raises(InputError, match=r"x\.md: expected <!-- claims:begin --> and, below,"):
        claim_tables.with_table(page, "new", "x.md")


def test_part_of_a_run_is_refused(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (repository / VERDICTS_FILE).read_text(encoding="utf-8")
    part = [judged for judged in full_run() if judged.id not in ("G2", "H1")]
    write_claims(part, repository / "claims.json")
    with pytest.raises(SystemExit, match=r"expected those of a full run; got none of G2, H1: run"):
        claim_tables.main([str(repository / "claims.json"), "--root", str(repository)])
    assert (repository / VERDICTS_FILE).read_text(encoding="utf-8") == before


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"verdicts: expected .*docs/verdicts\.json; not found"):
        claim_tables.write(tmp_path, None)


def test_the_committed_verdicts_are_one_a_line_in_the_order_of_the_statements() -> None:
    text = (ROOT / VERDICTS_FILE).read_text(encoding="utf-8")
    cells = [Cell(**row) for row in json.loads(text)]
    places = [list(STATEMENTS).index(cell.id) for cell in cells]
    assert places == sorted(places) and len(text.splitlines()) == len(cells) + 2
