"""What was run, by folder of records: its command and versions, its experiments and models."""

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
    parts = [Part(*row) for row in summary.iter_rows()]
    parts.sort(key=lambda part: (WORLD_ORDER.index(part.world), part.experiment, part.model))
    return {(part.experiment, part.world, part.model): part for part in parts}


def what_was_run(result: Result, sources: Sequence[Source]) -> list[Ran]:
    """Every source with its experiments and models: methods, orders, seeds, last step and rows."""
    parts = _parts(result.tables)

    def held_by(source: Source) -> tuple[Part, ...]:
        return tuple(part for key, part in parts.items() if key in source.holds)

    return [Ran(source, held_by(source)) for source in sources]


def seeds_by_model(result: Result, world: str = "llm") -> dict[str, int]:
    """How many seeds each model of one kind was run with at most."""
    records = result.tables.records.filter(pl.col("world") == world)
    seeds = records.group_by("model").agg(pl.col("seed").n_unique())
    return dict(sorted(seeds.iter_rows()))


def settings(result: Result) -> dict[str, str]:
    """Title of each stored specification by its hash, sorted by title: "positions: tiny-llama".

    A specification that no record names has its hash as its title.
    """
    columns = ["spec", "experiment", "model"]
    frames = (result.tables.records, result.tables.examples)
    rows = pl.concat([frame.select(columns).unique() for frame in frames])
    titles = {spec: spec for spec in result.specs}
    for (spec,), group in rows.group_by("spec"):
        experiments = ", ".join(group["experiment"].unique().sort())
        models = ", ".join(group["model"].unique().sort())
        if spec in titles:
            titles[str(spec)] = f"{experiments}: {models}"
    return dict(sorted(titles.items(), key=lambda pair: pair[::-1]))


def times(timings: Sequence[tuple[str, float]]) -> Mapping[str, float]:
    """Seconds summed by the name before a colon ("tiny-llama seed 0: inst > math")."""
    sums: dict[str, float] = {}
    for part, seconds in timings:
        name = part.split(":")[0]
        sums[name] = sums.get(name, 0.0) + seconds
    return sums
