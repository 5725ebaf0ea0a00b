"""What a store holds, what is damaged in it, and removing: never what another process works on,
never half.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from llm.store import artifacts, inventory
from protocol.errors import InputError
from protocol.spec import digest

TODAY = "today's numerics"
# Makes one artifact, and waits in the middle of it for a line.
WORKER = """
import sys
from pathlib import Path
from llm.store.artifacts import open_store, produce

def make(folder):
    (folder / "first").write_text("1")
    print("making", flush=True)
    sys.stdin.readline()
    (folder / "second").write_text("2")

produce(open_store(Path(sys.argv[1])), {"kind": "worker"}, make, description="of a worker")
"""
# Makes thirty artifacts; every making is a line of the log.
PRODUCER = """
import sys
from pathlib import Path
from llm.store.artifacts import open_store, produce

root = Path(sys.argv[1])

def make(folder):
    with Path(f"{root}.log").open("a") as log:
        log.write(f"{number}\\n")
    (folder / "file").write_text(str(number))

for number in range(30):
    spec = {"kind": "stage", "number": number, "numerics": "today's numerics"}
    produce(open_store(root), spec, make, description="")
"""
WORKED_ON = digest({"kind": "worker"})


def spec(kind: str, name: str, *, numerics: str = TODAY, **more: object) -> dict[str, object]:
    return {"kind": kind, "name": name, "numerics": numerics, **more}


BASE = spec("base", "base")
YESTERDAY = spec("stage", "2", parent=digest(BASE), numerics="yesterday's")


def add(opened: artifacts.Store, made_of: dict[str, object], description: str) -> Path:
    def make(folder: Path) -> None:
        (folder / "weights").write_bytes(b"1" * 1000)
        (folder / "config").write_text("{}")

    return artifacts.produce(opened, made_of, make, description=description)


@pytest.fixture
def filled(tmp_path: Path) -> artifacts.Store:
    """A base with a stage under two seeds, and a stage made under other numerics."""
    opened = artifacts.open_store(tmp_path / "runs")
    base = add(opened, BASE, "tiny: base")
    for seed in (10, 2):
        add(opened, spec("stage", f"{seed}", parent=base.name), f"tiny: seed {seed}")
    add(opened, YESTERDAY, "tiny: seed 2 of yesterday")
    return opened


def contents(opened: artifacts.Store) -> dict[str, bytes | None]:
    """Everything in a store, hidden files too."""
    return {
        str(entry.relative_to(opened.root)): entry.read_bytes() if entry.is_file() else None
        for entry in opened.root.rglob("*")
    }


def keys(opened: artifacts.Store) -> dict[str, str]:
    return {each.manifest.description: each.key for each in inventory.artifacts(opened)}


@contextmanager
def worker(opened: artifacts.Store) -> Iterator[subprocess.Popen[str]]:
    """Another process in the middle of making an artifact."""
    command = [sys.executable, "-c", WORKER, str(opened.root)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "making\n"
        yield process


def test_artifacts_are_told_by_their_manifests_in_natural_order(filled) -> None:
    found = inventory.artifacts(filled)
    described = [(each.manifest.description, each.kind) for each in found]
    seeds = [
        ("tiny: seed 2", "stage"),
        ("tiny: seed 2 of yesterday", "stage"),
        ("tiny: seed 10", "stage"),
    ]
    assert described == [("tiny: base", "base"), *seeds]
    for each in found:
        assert each.size == 1002 + (each.folder / artifacts.MANIFEST).stat().st_size
        assert each.made == each.folder.stat().st_mtime
        assert each.parent == (None if each.kind == "base" else found[0].key)
    assert inventory.artifacts(artifacts.open_store(filled.root.parent / "empty")) == []


def test_a_beginning_that_one_key_has_is_enough(filled) -> None:
    found = inventory.artifacts(filled)
    for each in found:
        length = next(
            n for n in range(17) if sum(other.key[:n] == each.key[:n] for other in found) == 1
        )
        assert (
            inventory.find(found, each.key[:length])
            == inventory.find(found, each.key.upper())
            == each
        )
        if length > 0:
            with pytest.raises(
                InputError,
                match=r"key: expected the beginning of one key; '\w*' begins \d: .*" + each.key,
            ):
                inventory.find(found, each.key[: length - 1])
    with pytest.raises(
        InputError, match="key: expected the beginning of an artifact's key; none of 4 begins 'xyz'"
    ):
        inventory.find(found, "xyz")


@pytest.mark.parametrize(
    ("file", "content", "fault", "remedy"),
    [
        ("weights", "2", "weights does not match its checksum", "delete its folder and run again"),
        ("weights", None, "weights is missing", "delete its folder and run again"),
        ("notes", "mine", "notes does not belong to it", "move the file away"),
        (
            artifacts.MANIFEST,
            "{half",
            "manifest.json cannot be read",
            "delete its folder and run again",
        ),
        (
            artifacts.MANIFEST,
            None,
            "manifest.json cannot be read",
            "delete its folder and run again",
        ),
    ],
)
def test_damage_is_named_and_left_as_it_is(filled, file, content, fault, remedy) -> None:
    assert inventory.verify(inventory.artifacts(filled)) == []
    folder = artifacts.path(filled, digest(BASE))
    (folder / file).unlink() if content is None else (folder / file).write_text(content)
    before = contents(filled)
    reports: list[tuple[str, int, int]] = []
    (damage,) = inventory.verify(inventory.artifacts(filled), lambda *told: reports.append(told))
    assert (damage.artifact.key, damage.fault, damage.remedy) == (
        folder.name,
        f"{folder}/{fault}",
        remedy,
    )
    assert reports[-1] == ("artifacts", 4, 4)
    assert contents(filled) == before
    assert len(inventory.artifacts(filled)) == 4, "a damaged artifact is listed too"


def test_every_damage_is_named(filled) -> None:
    for key in keys(filled).values():
        (artifacts.path(filled, key) / "weights").write_bytes(b"2" * 1000)
    (artifacts.path(filled, digest(BASE)) / "config").unlink()
    faults = [
        damage.fault.split("/")[-1] for damage in inventory.verify(inventory.artifacts(filled))
    ]
    assert sorted(faults) == ["config is missing", *["weights does not match its checksum"] * 4]


def test_what_a_killed_process_left_behind_goes(filled) -> None:
    with worker(filled) as process:
        process.kill()
    partial = artifacts.path(filled, f".{WORKED_ON}.partial")
    assert (partial / "first").exists()
    scratch = artifacts.scratch(filled, WORKED_ON)
    scratch.mkdir()
    (scratch / "checkpoint").write_bytes(b"1" * 50)
    listed, before = inventory.artifacts(filled), contents(filled)
    dry = inventory.prune(filled, numerics=TODAY, dry_run=True)
    assert contents(filled) == before, "a dry run changes nothing"
    yesterday = artifacts.path(filled, digest(YESTERDAY))
    assert inventory.prune(filled, numerics=TODAY) == dry
    assert {removal.folder: removal.size for removal in dry.removals} == {
        partial: 1,
        scratch: 50,
        yesterday: next(each.size for each in listed if each.folder == yesterday),
    }
    assert (dry.locks, dry.locked) == (5, ())
    assert inventory.artifacts(filled) == [each for each in listed if each.folder != yesterday]
    assert not [name for name in contents(filled) if name.startswith("artifacts/.")]
    assert inventory.prune(filled, numerics=TODAY) == inventory.Pruned((), 0, ())


def test_damaged_artifacts_go_only_when_asked_for(filled) -> None:
    """And only those that no run can read: a file that does not belong there is no reason."""
    at = {name: artifacts.path(filled, key) for name, key in keys(filled).items()}
    (at["tiny: seed 2"] / "weights").write_text("2")
    (at["tiny: seed 10"] / artifacts.MANIFEST).unlink()
    (at["tiny: base"] / "notes").write_text("mine")
    kept = inventory.prune(filled, numerics=TODAY)
    assert [removal.folder for removal in kept.removals] == [at["tiny: seed 2 of yesterday"]]
    gone = inventory.prune(filled, numerics=TODAY, damaged=True)
    assert {removal.folder for removal in gone.removals} == {
        at["tiny: seed 2"],
        at["tiny: seed 10"],
    }
    reasons = {removal.folder: removal.reason for removal in gone.removals}
    fault = f"{at['tiny: seed 2']}/weights does not match its checksum"
    assert reasons[at["tiny: seed 2"]] == f"tiny: seed 2, {fault}"
    assert list(keys(filled)) == ["tiny: base"]


def test_what_a_process_works_on_is_left_alone(filled) -> None:
    with worker(filled) as process:
        for dry_run in (True, False):
            pruned = inventory.prune(filled, numerics=TODAY, damaged=True, dry_run=dry_run)
            assert pruned.locked == (WORKED_ON,)
            assert [removal.folder.name for removal in pruned.removals] == [digest(YESTERDAY)]
        assert process.communicate("go on\n", timeout=30)
    assert process.returncode == 0
    folder = artifacts.path(filled, WORKED_ON)
    assert list(artifacts.faults(folder)) == []
    assert {file.name for file in folder.iterdir()} == {"first", "second", artifacts.MANIFEST}


def test_pruning_all_the_time_beside_two_producers_loses_and_doubles_nothing(tmp_path) -> None:
    """Lock files vanish under processes that wait for them; still each artifact is made once and
    stays.
    """
    opened = artifacts.open_store(tmp_path / "runs")
    command = [sys.executable, "-c", PRODUCER, str(opened.root)]
    producers = [subprocess.Popen(command) for _ in range(2)]
    removals: list[inventory.Removal] = []
    while any(process.poll() is None for process in producers):
        removals += inventory.prune(opened, numerics=TODAY).removals
    assert [process.returncode for process in producers] == [0, 0]
    assert removals == []
    log = (tmp_path / "runs.log").read_text().split()
    assert sorted(log, key=int) == [str(number) for number in range(30)]
    assert len(inventory.artifacts(opened)) == 30
    assert inventory.verify(inventory.artifacts(opened)) == []


def test_a_lock_file_goes_while_its_lock_is_held(filled, monkeypatch) -> None:
    """Removed after that, it could be the file that another process has just locked."""
    unlink, seen = Path.unlink, []

    def watched(file: Path, *, missing_ok: bool = False) -> None:
        with pytest.raises(Timeout):
            FileLock(file, blocking=False).acquire()
        seen.append(file.name)
        unlink(file, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    inventory.prune(filled, numerics=TODAY)
    assert len(seen) == 4


def test_a_removal_broken_off_leaves_no_half_artifact_and_is_ended_later(
    filled, monkeypatch
) -> None:
    doomed = artifacts.path(filled, digest(YESTERDAY))

    def killed(folder: Path) -> None:
        assert folder.name == f".{doomed.name}.pruned"
        (folder / "config").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(inventory.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            inventory.prune(filled, numerics=TODAY)
    assert not doomed.exists()
    assert doomed.name not in keys(filled).values()
    (removal,) = inventory.prune(filled, numerics=TODAY).removals
    assert (removal.folder.name, removal.reason) == (f".{doomed.name}.pruned", "half removed")
    assert not removal.folder.exists()
    assert add(filled, YESTERDAY, "again") == doomed


def test_a_store_that_cannot_be_written_is_named(filled, monkeypatch) -> None:
    def refused(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(inventory.shutil, "rmtree", refused)
    with pytest.raises(
        InputError, match=r"expected a folder that can be written; .*: Permission denied"
    ):
        inventory.prune(filled, numerics=TODAY)
