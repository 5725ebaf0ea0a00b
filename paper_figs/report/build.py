"""The report: one HTML file that holds everything it shows (figures as SVG), and fetches nothing.

`render` only arranges: claims are judged, figures drawn and tables laid out before. The page
follows the reader's light or dark setting, prints, and is complete without scripts; its own script
lets curves be read and figures be enlarged.
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
ANSWER = "answer"  # name of the figure that opens the report; without it the first one does
SEVERAL = "All worlds on common axes"
NO_WORLD = "The experiment and the published numbers"


@dataclass(frozen=True)
class Drawn:
    """A figure of the registry, as SVG text, and what can be read off it."""

    entry: FigureEntry
    svg: str
    panels: tuple[tooltips.Panel, ...] = ()


@dataclass(frozen=True)
class World:
    """The figures of one world: those drawn, and those no records were there for."""

    title: str
    drawn: tuple[Drawn, ...]
    missing: tuple[FigureEntry, ...]


def _title(entry: FigureEntry) -> str:
    worlds = [world for world in entry.worlds if world in summary.WORLDS]
    return NO_WORLD if not worlds else summary.WORLDS[worlds[0]] if len(worlds) == 1 else SEVERAL


def by_world(drawn: Sequence[Drawn], missing: Sequence[FigureEntry]) -> list[World]:
    """Figures under the title of their world, of several, or of none; only the groups there are."""
    found = [
        World(
            title,
            tuple(one for one in drawn if _title(one.entry) == title),
            tuple(entry for entry in missing if _title(entry) == title),
        )
        for title in (NO_WORLD, *summary.WORLDS.values(), SEVERAL)
    ]
    return [world for world in found if world.drawn or world.missing]


def opening(drawn: Sequence[Drawn]) -> Drawn | None:
    """The figure that gives the answer: the one of that name, else the first; None where there is
    none.
    """
    return next((one for one in drawn if one.entry.name == ANSWER), drawn[0] if drawn else None)


def _image(svg: str) -> Markup:
    """An SVG as a data URI, percent-encoded only where an attribute in double quotes needs it."""
    return Markup("data:image/svg+xml," + quote(" ".join(svg.split()), safe=" <>/:;=,.()+-"))


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _anchor(text: str) -> str:
    """An id of letters, digits and hyphens."""
    return "-".join("".join(c if c.isalnum() else " " for c in text).split())


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
        verdicts=lambda claims: [
            (verdict, count) for verdict, count in tally(claims).items() if count
        ],
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
    bridge: Sequence[tuple[str, ...]],
    machine: Mapping[str, str],
) -> str:
    """The whole page as text.

    sources: where the records of `result` come from · claims: ours · published: the same claims
    judged on the paper's curves · facts: the audit of the published numbers · missing: figures that
    the records are not enough for · ours: Table 1 · tuning: our rows of Table 2 · bridge: rows of
    the bridge's table · machine: name and value.
    """
    first = opening(drawn)
    rest = [one for one in drawn if one is not first]
    specs = {
        name: json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        for name, text in result.specs.items()
    }
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            answers=summary.answers(claims),
            adjusted=adjusted(claims),
            bridge=bridge,
            bridge_head=rates_between_sides.HEAD,
            bridge_words=rates_between_sides.WORDS,
            claims=claims,
            counts=tally(list(claims)),
            evidence_of=partial(evidence.of, sources=sources),
            evidence_of_figure=partial(evidence.of_figure, sources=sources),
            facts=facts,
            five_of_five=exact_interval(5, 5)[0],
            first=first,
            groups=claim_text.groups(claims),
            headline=claim_text.headline(list(claims)),
            level=LEVEL,
            machine=machine,
            ours=ours,
            pairs=published_vs_ours.pairs(published, claims),
            printed=printed(),
            ran=what_was_run.what_was_run(result, sources),
            seeds=what_was_run.seeds_by_model(result),
            settings=what_was_run.settings(result),
            specs=specs,
            standing=summary.standing(claims, "llm"),
            table2=(*table2.printed(), *tuning),
            table2_head=table2.HEAD,
            table1_evidence=evidence.of_table1(sources),
            times=what_was_run.times(result.timings),
            timings=result.timings,
            world_titles=summary.WORLDS,
            worlds=by_world(rest, missing),
        )
    )
