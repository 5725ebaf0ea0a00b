"""The report's page: complete, self-contained, every number linked to its records and command."""

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from page import Page

from paper_figs.drawing import claim_text, style
from paper_figs.figures.registry import FIGURES, FigureEntry
from paper_figs.published.audit import Fact
from paper_figs.report.build import (
    SETUP,
    SEVERAL,
    Drawn,
    evidence,
    opening,
    render,
    sections,
    tooltips,
)
from paper_figs.tables.table1 import layout, measured
from protocol.claims import Claim, judge
from protocol.records import Result
from protocol.sources import Source

DRAWN = ("overview", "figure1", "figure2", "theorem")
FACTS = (
    Fact("slowest", "p = 4 is the slowest", "not in Qwen14B <SimNPO>", "the curves", 0.25, False),
    Fact("table 1", "label & paraphrases", "the label alone", "the label", None, True),
)


@pytest.fixture(scope="module")
def result(one_model: Result) -> Result:
    return one_model


@pytest.fixture(scope="module")
def sources(
    result: Result, make_sources: Callable[[Result], tuple[Source, ...]]
) -> tuple[Source, ...]:
    return make_sources(result)


@pytest.fixture(scope="module")
def claims(result: Result) -> list[Claim]:
    return judge(result.tables)


@pytest.fixture(scope="module")
def published(claims: list[Claim]) -> list[Claim]:
    """Made up: the paper's curves are judged by themselves elsewhere."""
    ours = [claim for claim in claims if claim.world == "llm" and claim.id in ("L1", "L2")]
    return [
        replace(claim, world="published", model="Llama1B", verdict="not testable") for claim in ours
    ]


@pytest.fixture(scope="module")
def drawn(result: Result) -> list[Drawn]:
    """Some of the figures there are records for; the others count as missing."""
    figures = {entry: entry.draw(result.tables) for entry in FIGURES if entry.name in DRAWN}
    return [
        Drawn(entry, style.svg(figure), tooltips.panels(figure))
        for entry, figure in figures.items()
        if figure
    ]


@pytest.fixture(scope="module")
def missing(drawn: list[Drawn]) -> list[FigureEntry]:
    names = {one.entry.name for one in drawn}
    return [entry for entry in FIGURES if entry.name not in names]


@pytest.fixture(scope="module")
def text(
    result: Result,
    sources: tuple[Source, ...],
    claims: list[Claim],
    published: list[Claim],
    drawn: list[Drawn],
    missing: list[FigureEntry],
) -> str:
    return render(
        result,
        sources,
        claims=claims,
        published=published,
        facts=FACTS,
        drawn=drawn,
        missing=missing,
        ours=layout(measured(result.tables)),
        tuning=[],
        rates=[],
        machine={"processor": "2 cores <made up>"},
    )


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def rows_with(text: str, words: str) -> list[str]:
    """The table rows that hold these words, as source."""
    return [row for row in re.findall(r"<tr.*?</tr>", text, re.DOTALL) if words in row]


def test_the_page_fetches_nothing(page: Page, text: str) -> None:
    sources = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "srcset")
    ]
    assert sources
    assert all(value is not None and value.startswith("data:image/svg+xml,") for value in sources)
    assert all(str(attributes["href"]).startswith("#") for attributes in page.all("a"))
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    policy = next(str(meta["content"]) for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:;")
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_every_figure_has_its_title_caption_and_alternative_text(
    page: Page, drawn: list[Drawn]
) -> None:
    assert {one.entry.name for one in drawn} == set(DRAWN)
    assert sorted(str(image["alt"]) for image in page.all("img")) == sorted(
        one.entry.alt for one in drawn
    )
    for one in drawn:
        assert one.entry.title in page.text
        assert one.entry.caption in page.text


def test_every_figure_names_its_claims_records_and_commands(text: str, drawn: list[Drawn]) -> None:
    figure = next(one for one in drawn if one.entry.name == "figure1").entry
    (source,) = re.findall(r'<figure id="figure-figure1">.*?</figure>', text, re.DOTALL)
    assert all(f'<a href="#{id}">{id}</a>' in source for id in figure.claims)
    assert '<a href="#records-llm-positions">records/llm/positions</a>' in source
    assert "<code>retrace llm positions --seeds 3</code>" in source  # as typed
    assert "<code>retrace figures --only figure1</code>" in source


def test_every_figure_has_the_values_of_its_curves(text: str, drawn: list[Drawn]) -> None:
    for one in drawn:
        found = re.search(rf'id="curves-{one.entry.name}">(.*?)</script>', text)
        if one.panels:
            assert found is not None
            assert len(json.loads(found[1])) == len(one.panels)
        else:
            assert found is None


def test_a_figure_without_records_is_listed_with_its_command(
    text: str, missing: list[FigureEntry]
) -> None:
    assert {"rates", "span"} <= {entry.name for entry in missing}
    for entry in missing:
        (line,) = re.findall(rf'<li id="figure-{entry.name}">.*?</li>', text)
        assert all(f"<code>{command}</code>" in line for command in entry.commands)


def test_every_claim_is_there_with_verdict_detail_and_evidence(
    text: str, page: Page, claims: list[Claim], sources: tuple[Source, ...]
) -> None:
    assert {claim.id for claim in claims} >= {"T1", "T2", "T3", "L1", "L2", "L3", "E1", "N1"}
    for claim in claims:
        assert claim.detail in page.text
        assert claim.threshold in page.text
        found = evidence.of(claim, sources)
        assert found.records
        assert all(
            f'<a href="#{folder.replace("/", "-")}">{folder}</a>' in text
            for folder in found.records
        )
    for group in claim_text.groups(claims):
        assert page.text.count(f"{group.id}: {group.statement}") == 1


def test_a_claims_row_leads_to_its_figure_records_and_command(
    text: str, claims: list[Claim]
) -> None:
    claim = next(claim for claim in claims if (claim.id, claim.world) == ("T1", "linear"))
    (row,) = rows_with(text, f'data-label="Detail">{claim.detail}')
    assert '<a href="#figure-theorem">figure theorem</a>' in row
    assert '<a href="#records-theory-theorem">records/theory/theorem</a>' in row
    assert "<code>retrace theory theorem</code>" in row


def test_what_was_run_has_command_versions_and_parts(text: str) -> None:
    (body,) = re.findall(
        r'<tbody>\s*<tr><th [^>]*id="records-llm-positions".*?</tbody>', text, re.DOTALL
    )
    assert "<code>retrace llm positions --seeds 3</code>" in body
    assert "torch 2.13.0" in body
    assert "<td>positions</td><td>llm</td><td>tiny-llama</td>" in body
    assert "linear" not in body


def test_table1_names_its_records(page: Page) -> None:
    command = "retrace llm positions --seeds 3"
    assert f"Records: records/llm/positions {command} · files: tables/table1.csv" in page.words


def test_anchors_lead_somewhere_and_ids_are_unique(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(a["href"]).removeprefix("#") for a in page.all("a")} <= set(ids)


def test_headings_step_down_one_at_a_time(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_tables_scroll_in_a_named_box_and_name_their_headings(page: Page, text: str) -> None:
    boxed = re.findall(
        r'<div class="scroll" tabindex="0" role="group" aria-label="[^"]+">\s*<table', text
    )
    assert len(boxed) == len(re.findall("<table", text))
    assert all("scope" in heading for heading in page.all("th"))


def test_machine_times_and_settings_are_shown_as_text(page: Page) -> None:
    assert "2 cores <made up>" in page.text  # escaped in the source
    assert "pretraining tiny-llama" in page.text
    assert "38.2 s" in page.text
    assert '"mu": 0.1' in page.text
    assert "positions: tiny-llama spec-llm" in page.words


def test_published_verdicts_are_in_the_row_of_ours(text: str, published: list[Claim]) -> None:
    rows = rows_with(text, 'data-label="Published"')
    assert len(rows) == len({(claim.id, claim.method) for claim in published})
    row = next(row for row in rows if "#L1" in row and 'data-label="Method">NPO' in row)
    theirs, ours = row.split('data-label="Ours"')
    assert "not testable" in theirs
    assert "Llama1B" in theirs
    assert "tiny-llama" in ours


def test_the_audit_shows_every_fact(page: Page, text: str) -> None:
    rows = [row for fact in FACTS for row in rows_with(text, f">{fact.id}</th>")]
    assert ["≠ no" in row for row in rows] == [True, False]
    assert "not in Qwen14B <SimNPO>" in page.text
    assert "0.25" in rows[0]


def test_the_number_of_verdicts_is_given_and_p_values_are_adjusted(
    result: Result, sources: tuple[Source, ...], claims: list[Claim]
) -> None:
    """p = .01, .02, .03, .5: 3 below 5%, 3 after Benjamini and Hochberg, 1 after Holm (.04)."""
    tested = [
        replace(claim, p_value=p) for claim, p in zip(claims, (0.01, 0.02, 0.03, 0.5), strict=False)
    ]
    bare = {
        "published": [],
        "facts": [],
        "drawn": [],
        "missing": [],
        "ours": None,
        "tuning": [],
        "rates": [],
        "machine": {},
    }
    words = Page(render(result, sources, claims=tested, **bare)).words  # type: ignore[arg-type]
    assert "This page gives 4 verdicts on" in words
    assert "4 of the verdicts test “no effect” and have a p-value" in words
    assert "Without correction, 3 of 4 p-values are at most 5%" in words
    assert "expected to be false), 3 are at most 5%" in words
    assert "any false effect), 1 are at most 5%" in words
    without = [replace(claim, p_value=None) for claim in claims]
    words = Page(render(result, sources, claims=without, **bare)).words  # type: ignore[arg-type]
    assert "None of the verdicts has a p-value" in words


def entry(name: str, *worlds: str) -> FigureEntry:
    return FigureEntry(name, name, "", "", worlds, (), (), lambda tables: None)


def test_figures_are_grouped_by_kind_of_model() -> None:
    drawn = [
        Drawn(entry("a", "llm"), ""),
        Drawn(entry("b", "linear"), ""),
        Drawn(entry("c", "linear", "llm"), ""),
    ]
    groups = sections(drawn, [entry("d", "llm"), entry("e")])
    assert [group.title for group in groups] == [
        SETUP,
        "Linear model",
        "Language models",
        SEVERAL,
    ]
    assert [[one.entry.name for one in group.drawn] for group in groups] == [
        [],
        ["b"],
        ["a"],
        ["c"],
    ]
    assert [[one.name for one in group.missing] for group in groups] == [["e"], [], ["d"], []]


def test_the_overview_comes_first() -> None:
    first, overview = Drawn(entry("figure1", "llm"), ""), Drawn(entry("overview", "llm"), "")
    assert opening([first, overview]) is overview
    assert opening([first]) is first
    assert opening([]) is None
