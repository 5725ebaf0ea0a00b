"""The store: made once, whole or not at all, checked when read."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from llm.store import artifacts
from protocol.errors import InputError
from protocol.spec import digest

SPEC = {"kind": "test"}
# One of two processes: makes an artifact of its own while the other is at it too, then the shared
# ones.
RACER = """
import sys, time
from pathlib import Path
from llm.store.artifacts import open_store, produce

root, own, other, *shared = sys.argv[1:]

def make(folder):
    with Path(root + ".log").open("a") as log:
        log.write(name + "\\n")
    (folder / "begun").touch()
    Path(root + "." + name).touch()
    patience = time.monotonic() + 30
    while name == own and not Path(root + "." + other).exists():
        assert time.monotonic() < patience, "the other process does not get on while this one makes"
        time.sleep(0.01)
    time.sleep(0.02)
    (folder / "whole").write_text(name)

opened = open_store(Path(root))
print("ready", flush=True)
sys.stdin.readline()
for name in (own, *shared):
    made = produce(opened, {"kind": "test", "name": name}, make, description=name)
    assert (made / "whole").read_text() == name
"""


def test_an_artifact_is_made_once(tmp_path) -> None:
    made = []
    opened = artifacts.open_store(tmp_path / "runs")
    for _ in range(2):
        folder = artifacts.produce(
            opened,
            SPEC,
            lambda f: made.append(f) or (f / "a.txt").write_text("1"),
            description="an artifact",
        )
    assert len(made) == 1
    assert (folder / "a.txt").read_text() == "1"
    assert folder == artifacts.path(opened, digest(SPEC))
    assert artifacts.seconds(folder)[0] == "an artifact"
    manifest = json.loads((folder / artifacts.MANIFEST).read_text())
    assert manifest["spec"] == SPEC
    assert manifest["sha256"] == {"a.txt": hashlib.sha256(b"1").hexdigest()}


def test_what_breaks_off_leaves_nothing_and_is_made_again(tmp_path) -> None:
    opened = artifacts.open_store(tmp_path)

    def breaks(folder) -> None:
        (folder / "half").write_text("")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        artifacts.produce(opened, SPEC, breaks, description="")
    assert not artifacts.path(opened, digest(SPEC)).exists()
    folder = artifacts.produce(opened, SPEC, lambda f: (f / "whole").write_text(""), description="")
    assert {file.name for file in folder.iterdir()} == {"whole", artifacts.MANIFEST}


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a", "2", "a does not match its checksum"),
        ("a", None, "a is missing"),
        (artifacts.MANIFEST, "{half", "manifest.json cannot be read"),
        (artifacts.MANIFEST, None, "manifest.json cannot be read"),
        (
            artifacts.MANIFEST,
            json.dumps({"description": "", "spec": {}, "seconds": 1.0, "sha256": {}}),
            "match the key",
        ),
    ],
)
def test_damage_is_found_when_an_artifact_is_opened(tmp_path, name, content, fault) -> None:
    opened = artifacts.open_store(tmp_path)
    folder = artifacts.produce(opened, SPEC, lambda f: (f / "a").write_text("1"), description="")
    (folder / name).unlink() if content is None else (folder / name).write_text(content)
    key = digest(SPEC)
    with pytest.raises(
        InputError, match=rf"store: .*{fault}; delete the folder .*{key} and run again"
    ):
        artifacts.produce(opened, SPEC, lambda f: None, description="")
    assert content is None or (folder / name).read_text() == content, "nothing is overwritten"


def test_processes_at_once_make_each_artifact_once(tmp_path) -> None:
    """Different artifacts are made side by side (each process waits in its own for the other's),
    the same one once.
    """
    root, shared = tmp_path / "runs", ["a", "b", "c", "d", "e"]
    racers = [("left", "right", *shared), ("right", "left", *shared)]
    commands = [[sys.executable, "-c", RACER, str(root), *racer] for racer in racers]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for command in commands
    ]
    assert [process.stdout.readline() for process in started] == ["ready\n"] * 2
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        process.communicate(timeout=60)
    assert [process.returncode for process in started] == [0, 0]
    assert sorted((tmp_path / "runs.log").read_text().split()) == [*shared, "left", "right"]
    opened = artifacts.existing_store(root)
    for name in (*shared, "left", "right"):
        folder = artifacts.path(opened, digest({"kind": "test", "name": name}))
        assert list(artifacts.faults(folder)) == []


def test_a_store_of_another_format_is_refused_and_left_alone(tmp_path) -> None:
    (tmp_path / "store.json").write_text(json.dumps({"format": 99}))
    for opening in (artifacts.open_store, artifacts.existing_store):
        with pytest.raises(
            InputError, match=r"expected a store of format 2; .* has format 99; name another"
        ):
            opening(tmp_path)
    assert json.loads((tmp_path / "store.json").read_text()) == {"format": 99}


def test_a_folder_with_other_files_is_refused(tmp_path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="runs folder: expected a store or an empty folder"):
        artifacts.open_store(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="runs folder: expected a folder that can be written"):
        artifacts.open_store(tmp_path / "file")
    if os.getuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(InputError, match="runs folder: expected a folder that can be written"):
            artifacts.open_store(tmp_path / "locked" / "runs")


def test_a_store_that_is_only_read_is_not_made(tmp_path) -> None:
    with pytest.raises(InputError, match=r"runs folder: expected a store; not found: .*nowhere"):
        artifacts.existing_store(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []
