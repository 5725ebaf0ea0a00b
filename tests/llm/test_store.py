"""The store: made once, whole or not at all, checked when read."""

import json
import os

import pytest

from llm import store
from protocol.errors import InputError


def test_an_artifact_is_made_once(tmp_path) -> None:
    made = []
    opened = store.open_store(tmp_path / "runs")
    for _ in range(2):
        folder = store.produce(
            opened, "key", lambda f: made.append(f) or (f / "a.txt").write_text("1"), description="an artifact"
        )
    assert len(made) == 1
    assert (folder / "a.txt").read_text() == "1"
    assert store.seconds(folder)[0] == "an artifact"


def test_what_breaks_off_leaves_nothing_and_is_made_again(tmp_path) -> None:
    opened = store.open_store(tmp_path)

    def breaks(folder) -> None:
        (folder / "half").write_text("")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        store.produce(opened, "key", breaks, description="")
    assert not store.path(opened, "key").exists()
    folder = store.produce(opened, "key", lambda f: (f / "whole").write_text(""), description="")
    assert {file.name for file in folder.iterdir()} == {"whole", store.MANIFEST}


def test_a_damaged_file_is_found(tmp_path) -> None:
    opened = store.open_store(tmp_path)
    folder = store.produce(opened, "key", lambda f: (f / "a").write_text("1"), description="")
    (folder / "a").write_text("2")
    with pytest.raises(InputError, match=r"a does not match its checksum; delete the folder .*key and run again"):
        store.produce(opened, "key", lambda f: None, description="")
    assert (folder / "a").read_text() == "2", "nothing is overwritten"


def test_a_store_of_another_format_is_refused_and_left_alone(tmp_path) -> None:
    (tmp_path / "store.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(InputError, match=r"runs folder: expected a store of format 1; .* has format 99; name another"):
        store.open_store(tmp_path)
    assert json.loads((tmp_path / "store.json").read_text()) == {"format": 99}


def test_a_folder_with_other_files_is_refused(tmp_path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="runs folder: expected a store or an empty folder"):
        store.open_store(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="runs folder: expected a folder that can be written"):
        store.open_store(tmp_path / "file")
    if os.getuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(InputError, match="runs folder: expected a folder that can be written"):
            store.open_store(tmp_path / "locked" / "runs")
