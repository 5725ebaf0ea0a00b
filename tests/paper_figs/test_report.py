"""The report and all that `build` writes: complete, self-contained, the same on a second run."""

import itertools
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from paper_figs import claim_text
from paper_figs.outputs import build
from paper_figs.registry import FIGURES, FigureEntry
from protocol.claims import Claim, read_claims
from protocol.errors import InputError
from protocol.records import Result

MACHINE = {"processor": "2 cores <made up>", "memory": "8 GB"}
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """What the tests ask of a page: tags with attributes in order, ids, text; raises on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            raise ValueError(f"</{tag}> does not close what is open")

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def result(make_result: Callable[..., Result]) -> Result:
    return make_result(models=("tiny-llama",))


@pytest.fixture(scope="module")
def out(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    assert build(result, folder, MACHINE) == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def page(out: Path) -> Page:
    return Page((out / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def drawn(result: Result) -> list[FigureEntry]:
    """The figures the made-up records are enough for; the command line's test has records for all of them."""
    return [entry for entry in FIGURES if entry.draw(result.tables) is not None]


def test_everything_is_written(out: Path, drawn: list[FigureEntry]) -> None:
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    figures = {f"figures/{entry.name}.{ending}" for entry in drawn for ending in ("pdf", "png")}
    tables = {f"tables/table{number}.{ending}" for number in (1, 2) for ending in ("csv", "md", "tex")}
    assert names == figures | tables | {"claims.json", "claims.md", "report.html"}


def test_figure_files_carry_no_date_and_no_version(out: Path, drawn: list[FigureEntry]) -> None:
    for entry in drawn:
        assert b"CreationDate" not in (out / "figures" / f"{entry.name}.pdf").read_bytes()
        assert b"Software" not in (out / "figures" / f"{entry.name}.png").read_bytes()


def test_the_page_fetches_nothing(page: Page, out: Path) -> None:
    sources = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "srcset")]
    assert sources
    assert all(value is not None and value.startswith("data:image/png;base64,") for value in sources)
    assert all(str(attributes["href"]).startswith("#") for attributes in page.all("a"))
    assert not page.all("link")
    assert not page.all("script")
    style = re.search(r"<style>(.*?)</style>", (out / "report.html").read_text(encoding="utf-8"), re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_every_figure_has_its_title_caption_and_alternative_text(page: Page, drawn: list[FigureEntry]) -> None:
    images = page.all("img")
    assert [image["alt"] for image in images] == [entry.alt for entry in drawn]
    for entry in drawn:
        assert entry.title in page.text
        assert entry.caption in page.text


def test_every_claim_is_there_with_verdict_and_detail(page: Page, out: Path) -> None:
    claims = read_claims(out / "claims.json")
    assert {claim.id for claim in claims} == {"T1", "T2", "T3", "L1", "L2", "L3", "E1", "N1"}
    for claim in claims:
        assert claim.detail in page.text
        assert claim.threshold in page.text
    badges = [a for a in page.all("span") if "badge" in str(a.get("class"))]
    assert len(badges) == len(claims)
    for group in claim_text.groups(claims):
        assert page.text.count(f"{group.id}: {group.statement}") == 1


def test_anchors_lead_somewhere_and_ids_are_unique(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(a["href"]).removeprefix("#") for a in page.all("a")} <= set(ids)


def test_headings_step_down_one_at_a_time(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_machine_times_and_settings_are_shown_as_text(page: Page) -> None:
    assert "2 cores <made up>" in page.text  # escaped in the source
    assert "pretraining tiny-llama" in page.text
    assert "38.2 s" in page.text
    assert '"mu": 0.1' in page.text
    assert len(page.all("details")) == 2


def test_tables_scroll_in_their_own_box(out: Path) -> None:
    text = (out / "report.html").read_text(encoding="utf-8")
    boxed = re.findall(r'<div class="scroll"[^>]*>\s*<table', text)
    assert len(boxed) == len(re.findall("<table", text))


def test_a_second_run_gives_the_same_bytes(result: Result, out: Path, tmp_path: Path, drawn: list[FigureEntry]) -> None:
    build(result, tmp_path, MACHINE)
    files = [path.relative_to(out) for path in out.rglob("*") if path.is_file()]
    assert len(files) == 2 * len(drawn) + 6 + 3
    assert [name for name in files if (out / name).read_bytes() != (tmp_path / name).read_bytes()] == []


def test_a_result_without_language_models_replaces_an_earlier_one(
    make_result: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "figure1.png").write_bytes(b"old")
    (tmp_path / "notes.txt").write_text("mine")
    said: list[tuple[str, int, int]] = []
    build(make_result(seeds=0, instances=2), tmp_path, {}, lambda *step: said.append(step))
    assert not (tmp_path / "figures" / "figure1.png").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "No language model was unlearned in this run." in page.text
    assert said[0] == ("figures", 0, len(FIGURES))
    assert said[-1][1:] == (len(FIGURES), len(FIGURES))


def test_an_empty_result_still_gives_a_page(make_result: Callable[..., Result], tmp_path: Path) -> None:
    build(make_result(seeds=0, instances=0, theorem=False), tmp_path, {})
    assert "Of 0 claims judged" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_file_in_the_folders_place_is_refused(result: Result, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match=r"out: expected a folder; got the file"):
        build(result, tmp_path / "out", {})


def claim(id: str, verdict: str, statistic: str = "share") -> Claim:
    return Claim(
        id, f"{id} is so.", "Table 1", "llm", "m", "GA", statistic, -0.5, (-1.0, float("inf")), "> 0 | 1", verdict, ""
    )


def test_the_headline_fits_its_counts() -> None:
    claims = [claim("A", "holds"), claim("A", "fails"), claim("B", "holds")]
    assert claim_text.headline(claims) == "Of 3 claims judged, 2 hold, 1 fails, 0 are inconclusive."


def test_groups_state_what_their_claims_share() -> None:
    first, second = claim_text.groups([claim("A", "holds"), claim("B", "fails"), claim("A", "fails", "rank")])
    assert (first.id, first.statistic, first.counts["fails"]) == ("A", None, 1)
    assert (second.id, second.statistic) == ("B", "share")


def test_the_markdown_list_has_a_line_per_claim() -> None:
    text = claim_text.markdown([claim("A", "holds"), claim("A", "inconclusive")])
    assert text.count("A is so.") == 1
    assert r"| −0.5 | [−1, ∞] | > 0 \| 1 | ✓ holds |" in text
    assert text.splitlines()[-1].endswith("| ? inconclusive |")
