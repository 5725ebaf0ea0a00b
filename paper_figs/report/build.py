"""The report: one HTML file that contains everything it shows (figures as SVG) and fetches nothing.

`render` only arranges: claims are judged, figures drawn and tables laid out before. The page
follows the reader's light or dark setting, can be printed, and is complete without scripts. Its own
script shows the values of curves and enlarges figures.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from paper_figs.drawing import claim_text
from paper_figs.drawing.entry import FigureEntry
from paper_figs.published.audit import Fact
from paper_figs.report import evidence, published_vs_ours, summary, tooltips, what_was_run
from paper_figs.tables import rates_between_sides, table2, text
from paper_figs.tables.table1 import Table, printed
from protocol.claims import Claim, tally
from protocol.claims.multiplicity import LEVEL, adjusted
from protocol.metrics import exact_interval
from protocol.records import Result
from protocol.sources import Source

TEMPLATES = Path(__file__).parent / "templates"
OVERVIEW = "overview"  # the figure that opens the report
SEVERAL = "Several kinds of model on common axes"
SETUP = "The experiment and the published numbers"


@dataclass(frozen=True)
class Drawn:
    """A figure of the registry as SVG text, and the curves that tooltips read."""

    entry: FigureEntry
    svg: str
    panels: tuple[tooltips.Panel, ...] = ()


@dataclass(frozen=True)
class Section:
    """The figures under one heading: those drawn, and those without records."""

    title: str
    drawn: tuple[Drawn, ...]
    missing: tuple[FigureEntry, ...]


def _title(entry: FigureEntry) -> str:
    worlds = [world for world in entry.worlds if world in summary.KINDS]
    if not worlds:
        return SETUP
    return summary.KINDS[worlds[0]] if len(worlds) == 1 else SEVERAL


def sections(drawn: Sequence[Drawn], missing: Sequence[FigureEntry]) -> list[Section]:
    """Figures by kind of model; a figure of several kinds or of none has a section of its own."""

    def section(title: str) -> Section:
        of_title = [figure for figure in drawn if _title(figure.entry) == title]
        absent = [entry for entry in missing if _title(entry) == title]
        return Section(title, tuple(of_title), tuple(absent))

    every = [section(title) for title in (SETUP, *summary.KINDS.values(), SEVERAL)]
    return [part for part in every if part.drawn or part.missing]


def opening(drawn: Sequence[Drawn]) -> Drawn | None:
    """The figure that opens the report: the overview, else the first, None without figures."""
    overview = [figure for figure in drawn if figure.entry.name == OVERVIEW]
    return next(iter([*overview, *drawn]), None)


def _image(svg: str) -> Markup:
    """An SVG as a data URI, percent-encoded only where an attribute in double quotes needs it."""
    return Markup("data:image/svg+xml," + quote(" ".join(svg.split()), safe=" <>/:;=,.()+-"))


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _anchor(text: str) -> str:
    """An id of letters, digits and hyphens."""
    return "-".join("".join(c if c.isalnum() else " " for c in text).split())


def _verdicts(claims: list[Claim]) -> list[tuple[str, int]]:
    """Every verdict that some claim has, with its number."""
    return [(verdict, count) for verdict, count in tally(claims).items() if count]


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        anchor=_anchor,
        badge=claim_text.badge,
        cell=text.cell_text,
        common=summary.common_verdict,
        counted=summary.counted,
        curves=lambda panels: Markup(tooltips.to_json(panels)),
        duration=_duration,
        image=_image,
        interval=claim_text.interval,
        mark=lambda verdict: claim_text.MARKS.get(verdict, "◐"),
        number=claim_text.number,
        percent=lambda share: f"{share:.0%}",
        verdicts=_verdicts,
    )
    return environment


def render(
    result: Result,
    sources: Sequence[Source],
    *,
    claims: Sequence[Claim],
    published: Sequence[Claim],
    facts: Sequence[Fact],
    drawn: Sequence[Drawn],
    missing: Sequence[FigureEntry],
    ours: Table | None,
    tuning: Sequence[table2.Row],
    rates: Sequence[tuple[str, ...]],
    machine: Mapping[str, str],
) -> str:
    """The whole page as text.

    sources: folders of the records of `result` · claims: ours · published: the same claims judged
    on the paper's curves · facts: the audit of the published numbers · missing: figures without
    records · ours: Table 1 · tuning: our rows of Table 2 · rates: rows of the table of rates ·
    machine: name and value.
    """
    first = opening(drawn)
    specs = {
        name: json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        for name, text in result.specs.items()
    }
    template = _environment().get_template("report.html.jinja")
    return template.render(
        answers=summary.answers(claims),
        adjusted=adjusted(claims),
        claims=claims,
        counts=tally(list(claims)),
        evidence_of=partial(evidence.of, sources=sources),
        evidence_of_figure=partial(evidence.of_figure, sources=sources),
        facts=facts,
        first=first,
        five_of_five=exact_interval(5, 5)[0],
        groups=claim_text.groups(claims),
        headline=claim_text.headline(list(claims)),
        kinds=summary.KINDS,
        level=LEVEL,
        machine=machine,
        ours=ours,
        pairs=published_vs_ours.pairs(published, claims),
        printed=printed(),
        ran=what_was_run.what_was_run(result, sources),
        rates=rates,
        rates_head=rates_between_sides.HEAD,
        rates_words=rates_between_sides.WORDS,
        sections=sections([figure for figure in drawn if figure is not first], missing),
        seeds=what_was_run.seeds_by_model(result),
        settings=what_was_run.settings(result),
        specs=specs,
        standing=summary.standing(claims, "llm"),
        table1_evidence=evidence.of_table1(sources),
        table2=(*table2.printed(), *tuning),
        table2_head=table2.HEAD,
        times=what_was_run.times(result.timings),
        timings=result.timings,
    )
