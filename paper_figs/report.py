"""The report: one HTML file that holds everything it shows (figures as base64), and fetches nothing.

`render` only arranges: claims are judged, figures drawn and tables laid out before. The page follows the reader's light
or dark setting, prints, and keeps wide tables in scrolling boxes of their own.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from paper_figs import claim_text, table_text
from paper_figs.entry import FigureEntry
from paper_figs.table1 import Table, printed
from protocol.claims import Claim, tally
from protocol.records import Result

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Drawn:
    """A figure of the registry and the PNG it was saved as."""

    entry: FigureEntry
    png: Path


class Part(NamedTuple):
    """One line of "what was run"."""

    experiment: str
    world: str
    model: str
    methods: str
    orders: int
    seeds: int
    last_step: int
    rows: int


def what_was_run(result: Result) -> list[Part]:
    """Experiments and models with their methods, orders, seeds, last step and number of rows in both tables."""
    columns = ["experiment", "world", "model", "method", "order", "seed", "step"]
    rows = pl.concat([result.tables.records.select(columns), result.tables.examples.select(columns)])
    summary = rows.group_by("experiment", "world", "model").agg(
        pl.col("method").unique().sort().str.join(", "),
        pl.col("order").n_unique(),
        pl.col("seed").n_unique(),
        pl.col("step").max(),
        pl.len(),
    )
    return [
        Part(*row) for row in summary.sort("world", "experiment", "model", descending=[True, False, False]).iter_rows()
    ]


def _image(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


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
        number=claim_text.number,
        interval=claim_text.interval,
        badge=claim_text.badge,
        cell=table_text.cell_text,
        image=_image,
        duration=_duration,
    )
    return environment


def render(
    result: Result, claims: Sequence[Claim], figures: Sequence[Drawn], ours: Table | None, machine: Mapping[str, str]
) -> str:
    """The whole page as text; `machine` is shown as given, name and value."""
    specs = {name: json.dumps(json.loads(text), indent=2, ensure_ascii=False) for name, text in result.specs.items()}
    return _environment().get_template("report.html.jinja").render(
        headline=claim_text.headline(list(claims)),
        counts=tally(list(claims)),
        groups=claim_text.groups(claims),
        parts=what_was_run(result),
        figures=figures,
        ours=ours,
        printed=printed(),
        specs=dict(sorted(specs.items())),
        timings=result.timings,
        total=sum(seconds for _, seconds in result.timings),
        machine=machine,
    )  # fmt: skip
