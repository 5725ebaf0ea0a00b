"""The one result table: what was measured, in which run, at which step.

Figures and claims read records, never models. Three tables in long form, Parquet, no times in them
(those are in timings.parquet), sorted so that equal results are equal files:
- records: one value per run, step and metric;
- examples: the same with an example index (one question, one instance) if a claim needs the single
  values;
- specs: the whole configuration behind a spec hash, as JSON.

Metrics of an unlearning run (mean token log-likelihoods in nats unless said): label_loglik,
phrase_loglik (mean over the phrase means of label and paraphrases), tofu_loglik, retain_loglik
(linear), grad_norm, math_accuracy (share), forget_logp (step 0: mean over the forget rows of log π
of the whole answer; linear: label_loglik is that), and for part ∈ {forget, each retained stage}
(linear: forget, test) re_distance/part; for language models also log_distance/part
(log-probabilities), logit_distance/part (centred logits) and kl/part, math_loglik,
math_accuracy_flexible (graded on the last number), math_cut (share of sampled answers cut at the
token limit), label_loglik_held_out, mass/label, mass/paraphrases and mass/other (shares of the
probability after a forget question), and answer_loglik/C, /U, /R (log π of whole answers,
experiment "depth"). Runs of method "floor" (position 0, step 0) hold the same distances between two
retrained models. Times are in timings.parquet, which is never compared.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from protocol.errors import InputError
from protocol.orders import Order

RUN_SCHEMA = {
    "run": pl.String,
    "spec": pl.String,
    "experiment": pl.String,
    "world": pl.String,
    "model": pl.String,
    "order": pl.String,
    "position": pl.Int64,
    "reference": pl.String,
    "method": pl.String,
    "seed": pl.Int64,
}
RECORD_SCHEMA = {**RUN_SCHEMA, "step": pl.Int64, "metric": pl.String, "value": pl.Float64}
EXAMPLE_SCHEMA = {
    **RUN_SCHEMA,
    "step": pl.Int64,
    "metric": pl.String,
    "example": pl.Int64,
    "value": pl.Float64,
}
SPEC_SCHEMA = {"spec": pl.String, "config": pl.String}
TIMING_SCHEMA = {"what": pl.String, "seconds": pl.Float64}


def order_name(order: Order) -> str:
    """The name of an order in the tables: stage names joined by ">"."""
    return ">".join(order)


@dataclass(frozen=True)
class Run:
    """What one row says of its run: position is 1-based (0 if no forget stage was trained)."""

    run: str
    spec: str
    experiment: str
    world: str
    model: str
    order: str
    position: int
    reference: str
    method: str
    seed: int


@dataclass(frozen=True)
class Tables:
    """Records and examples, each sorted by all its columns, and the configurations of the specs."""

    records: pl.DataFrame
    examples: pl.DataFrame
    # hash -> JSON; those of the `Result` the tables are of
    specs: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def concat(tables: "Iterable[Tables]") -> "Tables":
        """All rows of several tables, sorted again."""
        many = list(tables)
        return Tables(
            _sorted(pl.concat([_frame([], RECORD_SCHEMA), *(t.records for t in many)])),
            _sorted(pl.concat([_frame([], EXAMPLE_SCHEMA), *(t.examples for t in many)])),
            {spec: config for t in many for spec, config in t.specs.items()},
        )

    @staticmethod
    def from_frames(
        records: Iterable[pl.DataFrame] = (), examples: Iterable[pl.DataFrame] = ()
    ) -> "Tables":
        """Tables of what `gathered` made."""
        return Tables(
            _sorted(pl.concat([_frame([], RECORD_SCHEMA), *records])),
            _sorted(pl.concat([_frame([], EXAMPLE_SCHEMA), *examples])),
        )


def _frame(rows: list[dict[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(schema), orient="row")


def _sorted(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort(frame.columns)


def tables(
    run: Run,
    values: Iterable[tuple[int, str, float]],
    examples: Iterable[tuple[int, str, int, float]] = (),
) -> Tables:
    """Tables of one run from (step, metric, value) and (step, metric, example, value)."""
    head = asdict(run)
    return Tables(
        _sorted(
            _frame(
                [{**head, "step": s, "metric": m, "value": float(v)} for s, m, v in values],
                RECORD_SCHEMA,
            )
        ),
        _sorted(
            _frame(
                [
                    {**head, "step": s, "metric": m, "example": i, "value": float(v)}
                    for s, m, i, v in examples
                ],
                EXAMPLE_SCHEMA,
            )
        ),
    )


def gathered(
    runs: Sequence[Run],
    which: Int[np.ndarray, " rows"],
    *,
    step: Int[np.ndarray, " rows"],
    metric: str | Sequence[str],
    value: Float[np.ndarray, " rows"],
    example: Int[np.ndarray, " rows"] | None = None,
) -> pl.DataFrame:
    """Rows in bulk, row i of runs[which[i]]: records, or examples with `example`.

    metric: of all rows, or one for each row. For tables of many runs, for which `tables` would take
    seconds; `Tables.from_frames` sorts them.
    """
    heads = pl.DataFrame([asdict(run) for run in runs], schema=RUN_SCHEMA)[which]
    columns = {"step": step, "value": value} | ({} if example is None else {"example": example})
    schema = RECORD_SCHEMA if example is None else EXAMPLE_SCHEMA
    rows = [pl.Series(name, data) for name, data in columns.items()]
    metrics = pl.lit(metric) if isinstance(metric, str) else pl.Series("metric", metric)
    return heads.with_columns(*rows, metric=metrics).select(
        pl.col(name).cast(kind) for name, kind in schema.items()
    )


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a Parquet file under another name, then rename it: a reader never sees half a file."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    frame.write_parquet(partial, statistics=False)
    partial.replace(path)


@dataclass(frozen=True)
class Result:
    """The tables of an experiment, its configurations by hash, and the seconds its parts took.

    The tables get the configurations, too: claims and figures, which see tables alone, ask them for
    constants.
    """

    tables: Tables
    specs: Mapping[str, str]
    timings: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", replace(self.tables, specs=self.specs))

    @staticmethod
    def concat(results: "Iterable[Result]") -> "Result":
        """Several results as one."""
        many = list(results)
        specs = {spec: config for result in many for spec, config in result.specs.items()}
        timings = tuple(timing for result in many for timing in result.timings)
        return Result(Tables.concat(result.tables for result in many), specs, timings)


def write(result: Result, folder: Path) -> None:
    """Write records.parquet, examples.parquet, specs.parquet and timings.parquet into `folder`."""
    write_frame(result.tables.records, folder / "records.parquet")
    write_frame(result.tables.examples, folder / "examples.parquet")
    write_frame(
        pl.DataFrame(sorted(result.specs.items()), schema=SPEC_SCHEMA, orient="row"),
        folder / "specs.parquet",
    )
    write_frame(
        pl.DataFrame(result.timings, schema=TIMING_SCHEMA, orient="row"), folder / "timings.parquet"
    )


def _read_frame(path: Path, schema: Mapping[str, Any]) -> pl.DataFrame:
    if not path.is_file():
        raise InputError(
            f"records: expected {path}; not found: run the command that makes this folder again"
        )
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{path}: expected a whole Parquet file; it cannot be read: run its command again"
        ) from error
    if dict(frame.schema) != dict(schema):
        raise InputError(
            f"{path}: expected the columns {', '.join(schema)}; got {', '.join(frame.columns)}"
        )
    return frame


def read_specs(folder: Path) -> dict[str, str]:
    """The configurations `write` left in `folder`, by hash."""
    return dict(_read_frame(folder / "specs.parquet", SPEC_SCHEMA).iter_rows())


def read(folder: Path) -> Result:
    """What `write` left in `folder`; InputError if a table is missing or has other columns."""
    tables = Tables(
        _read_frame(folder / "records.parquet", RECORD_SCHEMA),
        _read_frame(folder / "examples.parquet", EXAMPLE_SCHEMA),
    )
    return Result(
        tables,
        read_specs(folder),
        tuple(_read_frame(folder / "timings.parquet", TIMING_SCHEMA).iter_rows()),
    )
