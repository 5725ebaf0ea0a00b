"""What was run, source by source: a folder of records, the command and versions that made it, and
what it holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from protocol.records import Result, Tables
from protocol.sources import Held, Source

WORLD_ORDER = ("linear", "network", "llm")


class Part(NamedTuple):
    """One experiment with one model; rows: in both tables."""

    experiment: str
    world: str
    model: str
    methods: str
    orders: int
    seeds: int
    last_step: int
    rows: int


@dataclass(frozen=True)
class Ran:
    """A source and the parts its folder holds."""

    source: Source
    parts: tuple[Part, ...]


def _parts(tables: Tables) -> dict[Held, Part]:
    columns = ["experiment", "world", "model", "method", "order", "seed", "step"]
    rows = pl.concat([tables.records.select(columns), tables.examples.select(columns)])
    summary = rows.group_by("experiment", "world", "model").agg(
        pl.col("method").unique().sort().str.join(", "),
        pl.col("order").n_unique(),
        pl.col("seed").n_unique(),
        pl.col("step").max(),
        pl.len(),
    )
    found = [Part(*row) for row in summary.iter_rows()]
    found.sort(key=lambda part: (WORLD_ORDER.index(part.world), part.experiment, part.model))
    return {(part.experiment, part.world, part.model): part for part in found}


def what_was_run(result: Result, sources: Sequence[Source]) -> list[Ran]:
    """Every source with its experiments and models: their methods, orders, seeds, last step and
    rows.
    """
    parts = _parts(result.tables)
    return [
        Ran(source, tuple(part for key, part in parts.items() if key in source.holds))
        for source in sources
    ]


def seeds_by_model(result: Result, world: str = "llm") -> dict[str, int]:
    """How many seeds each model of a world was run with at most."""
    found = (
        result.tables.records.filter(pl.col("world") == world)
        .group_by("model")
        .agg(pl.col("seed").n_unique())
    )
    return dict(sorted(found.iter_rows()))


def settings(result: Result) -> dict[str, str]:
    """What each stored specification is of, by its hash, sorted: "positions: tiny-llama"; the hash
    where no record names it.
    """
    columns = ["spec", "experiment", "model"]
    rows = pl.concat(
        [
            frame.select(columns).unique()
            for frame in (result.tables.records, result.tables.examples)
        ]
    )
    names = {
        spec: (
            f"{', '.join(group['experiment'].unique().sort())}: "
            f"{', '.join(group['model'].unique().sort())}"
        )
        for (spec,), group in rows.group_by("spec")
    }
    return dict(
        sorted(
            ((spec, names.get(spec, spec)) for spec in result.specs), key=lambda pair: pair[::-1]
        )
    )


def times(timings: Sequence[tuple[str, float]]) -> Mapping[str, float]:
    """Seconds summed over what has the same name before a colon ("tiny-llama seed 0: inst > math")."""
    sums: dict[str, float] = {}
    for what, seconds in timings:
        name = what.split(":")[0]
        sums[name] = sums.get(name, 0.0) + seconds
    return sums
