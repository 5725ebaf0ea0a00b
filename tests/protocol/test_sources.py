"""Sources of records: read together, each folder with its command, found again from a claim."""

import pytest

from protocol import records
from protocol.errors import InputError
from protocol.sources import note_origin, read_all, sources_of


def written(out, folder: str, experiment: str, model: str = "m", world: str = "llm") -> None:
    run = records.Run("r", "s", experiment, world, model, "a>U", 2, "a", "GA", 0)
    place = out / "records" / folder
    place.mkdir(parents=True)
    records.write(records.Result(records.tables(run, [(0, "x", 1.0)]), {"s": "{}"}), place)


def test_folders_are_joined_and_know_their_command(tmp_path) -> None:
    written(tmp_path, "llm/positions", "positions")
    written(tmp_path, "llm/schedules", "schedules/cosine")
    note_origin(
        tmp_path / "records/llm/positions", "retrace llm positions --seeds 2", {"torch": "2"}
    )
    result, sources = read_all(tmp_path)
    assert result.tables.records.height == 2
    assert [source.folder for source in sources] == ["llm/positions", "llm/schedules"]
    assert [source.command for source in sources] == [
        "retrace llm positions --seeds 2",
        "retrace llm schedules (options not noted)",
    ]
    assert sources[0].environment == {"torch": "2"}


def test_sources_of_a_claim(tmp_path) -> None:
    written(tmp_path, "llm/positions", "positions", "a")
    written(tmp_path, "llm/more", "positions", "b")
    written(tmp_path, "llm/schedules", "schedules/cosine", "a")
    written(tmp_path, "theory/positions", "positions", "linear", "linear")
    sources = read_all(tmp_path)[1]

    def found(*asked) -> list[str]:
        return [source.folder for source in sources_of(sources, *asked)]

    assert found(("positions",), "llm", "a + c") == ["llm/positions"]
    assert found(("positions",), "llm", "pooled") == [
        "llm/more",
        "llm/positions",
    ]  # no source has a model of that name
    assert found(("schedules",), "llm", "a") == ["llm/schedules"]
    assert found(("positions",), "linear", "linear") == ["theory/positions"]
    assert found(("depth",), "llm", "a") == []


def test_nothing_to_read(tmp_path) -> None:
    with pytest.raises(InputError, match="run `retrace reproduce` first"):
        read_all(tmp_path / "nothing")
    (tmp_path / "records").mkdir()
    with pytest.raises(InputError, match="found none: run `retrace theory`"):
        read_all(tmp_path)
