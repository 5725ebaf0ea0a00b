"""Records: written and read whole, sorted, equal bytes for equal results."""

import numpy as np
import polars as pl
import pytest

from protocol import records
from protocol.errors import InputError

RUN = records.Run("r", "s", "positions", "llm", "m", "a>U", 2, "a", "GA", 0)


def result() -> records.Result:
    rows = [(1, "label_loglik", -2.0), (0, "label_loglik", -1.0)]
    return records.Result(
        records.tables(RUN, rows, [(0, "math_accuracy", 3, 0.4)]), {"s": "{}"}, (("a stage", 1.5),)
    )


def test_written_and_read_again(tmp_path) -> None:
    records.write(result(), tmp_path)
    back = records.read(tmp_path)
    assert back.tables.records.equals(result().tables.records)
    assert back.tables.examples.equals(result().tables.examples)
    assert (back.specs, back.timings) == ({"s": "{}"}, (("a stage", 1.5),))


def test_rows_are_sorted_whatever_order_they_came_in() -> None:
    assert result().tables.records["step"].to_list() == [0, 1]
    parts = [records.tables(RUN, [(step, "x", 0.0)]) for step in (2, 0, 1)]
    assert records.Tables.concat(parts).records["step"].to_list() == [0, 1, 2]


def test_equal_results_are_equal_bytes(tmp_path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        records.write(result(), tmp_path / name)
    for file in ("records.parquet", "examples.parquet", "specs.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_bulk_rows_equal_single_ones() -> None:
    which = np.array([0, 0])
    bulk = records.gathered(
        [RUN], which, step=np.array([1, 0]), metric="label_loglik", value=np.array([-2.0, -1.0])
    )
    assert bulk.sort(bulk.columns).equals(result().tables.records)


def test_missing_and_foreign_tables_are_named(tmp_path) -> None:
    with pytest.raises(
        InputError, match=r"records: expected .*records.parquet; not found: run the command"
    ):
        records.read(tmp_path)
    records.write(result(), tmp_path)
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "specs.parquet")
    with pytest.raises(
        InputError, match=r"specs.parquet: expected the columns spec, config; got a"
    ):
        records.read(tmp_path)
