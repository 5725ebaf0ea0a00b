"""The files that `build` writes: complete, equal on a second run, nothing of an earlier result."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from page import Page

from paper_figs.figures.registry import FIGURES, FigureEntry
from paper_figs.report.outputs import build
from protocol.claims import judge, read_claims
from protocol.errors import InputError
from protocol.records import Result
from protocol.sources import Source

TABLES = {f"tables/table{number}.{ending}" for number in (1, 2) for ending in ("csv", "md", "tex")}


@pytest.fixture(scope="module")
def drawn(one_model: Result) -> list[FigureEntry]:
    """The figures the made-up records are enough for; the command line's test has records for all
    of them.
    """
    return [entry for entry in FIGURES if entry.draw(one_model.tables) is not None]


def test_everything_is_written(built: Path, drawn: list[FigureEntry]) -> None:
    names = {str(path.relative_to(built)) for path in built.rglob("*") if path.is_file()}
    figures = {f"figures/{entry.name}.{ending}" for entry in drawn for ending in ("pdf", "png")}
    assert names == figures | TABLES | {"claims.json", "claims.md", "report.html"}


def test_the_page_shows_what_was_judged_drawn_and_audited(
    built: Path, one_model: Result, drawn: list[FigureEntry]
) -> None:
    page = Page((built / "report.html").read_text(encoding="utf-8"))
    assert {image["alt"] for image in page.all("img")} == {entry.alt for entry in drawn}
    assert read_claims(built / "claims.json") == judge(one_model.tables)
    assert len(page.all("img")) == len(drawn)
    listed = [a["id"] for a in page.all("li") if str(a.get("id")).startswith("figure-")]
    assert len(listed) == len(FIGURES) - len(drawn)
    assert any(str(a.get("id")).startswith("fact-") for a in page.all("tr"))


def test_figure_files_carry_no_date_and_no_version(built: Path, drawn: list[FigureEntry]) -> None:
    for entry in drawn:
        assert b"CreationDate" not in (built / "figures" / f"{entry.name}.pdf").read_bytes()
        assert b"Software" not in (built / "figures" / f"{entry.name}.png").read_bytes()
    assert not re.search(
        r"dc:date|matplotlib v", (built / "report.html").read_text(encoding="utf-8"), re.IGNORECASE
    )


def test_a_second_run_gives_the_same_bytes(
    one_model: Result,
    make_sources: Callable[[Result], tuple[Source, ...]],
    built: Path,
    tmp_path: Path,
) -> None:
    path = build(one_model, make_sources(one_model), tmp_path, {"memory": "8 GB"})
    assert path == tmp_path / "report.html"
    files = [path.relative_to(built) for path in built.rglob("*") if path.is_file()]
    assert [
        name for name in files if (built / name).read_bytes() != (tmp_path / name).read_bytes()
    ] == []


def test_a_result_without_language_models_replaces_an_earlier_one(
    make_result: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "figure1.png").write_bytes(b"old")
    (tmp_path / "notes.txt").write_text("mine")
    said: list[tuple[str, int, int]] = []
    build(make_result(seeds=0, instances=2), (), tmp_path, {}, lambda *step: said.append(step))
    assert not (tmp_path / "figures" / "figure1.png").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "No language model was unlearned in this run" in page.text
    assert "Why small models" not in page.text
    assert said[0] == ("figures", 0, len(FIGURES))
    assert said[-1][1:] == (len(FIGURES), len(FIGURES))


def test_an_empty_result_still_gives_a_page(
    make_result: Callable[..., Result], tmp_path: Path
) -> None:
    build(make_result(seeds=0, instances=0, theorem=False), (), tmp_path, {})
    assert "Of 0 claims judged" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_file_in_the_folders_place_is_refused(one_model: Result, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match=r"out: expected a folder; got the file"):
        build(one_model, (), tmp_path / "out", {})
