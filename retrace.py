"""The command line: retrace reproduce | theory | llm | figures.

Each world is imported inside its own subcommand only. An experiment writes its tables into a folder of its own under
OUT/records; `figures` joins what is there into figures, tables, claims and the report. Bad input is one line on standard error and exit code 2.
"""

import contextlib
import io
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from protocol import records
from protocol.claims import read_claims, tally
from protocol.errors import InputError
from protocol.spec import Experiment

DEFAULT_SEEDS = {"tiny-llama": 3, "tiny-qwen2": 2}  # the embedded models, and how many shuffle seeds each is given
console = Console(stderr=True)


@dataclass(frozen=True)
class Reproduce:
    """Run both worlds on the embedded default, then draw figures, tables, claims and the report."""

    quick: bool = False
    """One architecture, one seed, half the pretraining, few probe questions, no noise floor, a small ensemble."""
    out: Path = Path("out")
    """Folder for records, figures, tables, claims and the report."""
    runs: Path = Path("runs")
    """Folder of the stage store; finished stages and runs in it are not computed again."""
    seeds: int | None = None
    """Shuffle seeds of each model; by default 3 for tiny-llama and 2 for tiny-qwen2, 1 with --quick."""
    workers: int | None = None
    """Single-threaded processes for the language models; by default one a core. Results do not depend on it."""


@dataclass(frozen=True)
class Theory:
    """The linear model: the theorem over an ensemble, and the forget stage at four positions."""

    quick: bool = False
    """A small ensemble and few instances."""
    out: Path = Path("out")
    """Folder the tables are written into, under records/theory."""


@dataclass(frozen=True)
class Llm:
    """The language models: train every path, unlearn by every method, measure every step."""

    models: tuple[str, ...] = tuple(DEFAULT_SEEDS)
    """Embedded models: tiny-llama, tiny-qwen2."""
    stages: tuple[str, ...] = ("inst", "tofu", "math", "safety")
    """Stages in the order the retained ones are trained; the forget stage is among them."""
    forget: str = "safety"
    """The stage to be unlearned; it is put at every position."""
    methods: tuple[str, ...] = ("GA", "NPO", "SimNPO", "SimNPO-beta1")
    """Unlearning methods: GA, NPO, SimNPO (β = 0.2), SimNPO-beta1."""
    seeds: int | None = None
    """Shuffle seeds of each model; by default 3 for tiny-llama and 2 for tiny-qwen2, 1 with --quick."""
    quick: bool = False
    """Half the pretraining, few probe questions and one seed."""
    out: Path = Path("out")
    """Folder the tables are written into, under records/llm."""
    runs: Path = Path("runs")
    """Folder of the stage store."""
    workers: int | None = None
    """Single-threaded processes; by default one a core."""


@dataclass(frozen=True)
class Figures:
    """Figures, tables, claims and the report from the tables in OUT/records."""

    out: Path = Path("out")
    """Folder that holds the records, and is written into."""


Command = (
    Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
    | Annotated[Theory, tyro.conf.subcommand("theory")]
    | Annotated[Llm, tyro.conf.subcommand("llm")]
    | Annotated[Figures, tyro.conf.subcommand("figures")]
)
Report = Callable[[str, int, int], None]


@contextlib.contextmanager
def progress_bars() -> Iterator[Report]:
    """Progress with time left; yields report(label, done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
               TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def report(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=total)
            bars.update(tasks[label], completed=done, total=total)

        yield report


def writable(out: Path) -> Path:
    """The output folder, made if need be; InputError before anything is computed where it cannot be written."""
    try:
        (out / "records").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InputError(f"out: expected a folder that can be written; {out}: {error.strerror}") from error
    return out


def machine() -> dict[str, str]:
    """What the report says of the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0.0
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.1f} GiB",
        "python": platform.python_version(),
    }


def _save(result: records.Result, out: Path, part: str) -> None:
    folder = out / "records" / part
    folder.mkdir(parents=True, exist_ok=True)
    records.write(result, folder)


def run_theory(command: Theory, report: Report) -> None:
    """`retrace theory`."""
    import theory

    out = writable(command.out)
    for name, result in theory.run(quick=command.quick, progress=report).items():
        _save(result, out, f"theory/{name}")


def _experiments(command: Llm) -> list[Experiment]:
    from llm import positions

    return [
        positions.positions_experiment(
            model,
            stages=command.stages,
            forget=command.forget,
            methods=command.methods,
            seeds=command.seeds if command.seeds is not None else 1 if command.quick else DEFAULT_SEEDS.get(model, 1),
            quick=command.quick,
        )
        for model in command.models
    ]


def run_llm(command: Llm, report: Report) -> None:
    """`retrace llm`."""
    from llm import positions

    experiments, out = _experiments(command), writable(command.out)
    _save(positions.run(experiments, command.runs, workers=command.workers, progress=report), out, "llm")


def run_figures(command: Figures, report: Report) -> Path:
    """`retrace figures`; returns the report's path."""
    import paper_figs

    if not (command.out / "records").is_dir():
        raise InputError(f"out: expected a folder with records in it; got {command.out}: run `retrace reproduce` first")
    out = writable(command.out)
    found = sorted(path.parent for path in (out / "records").rglob("records.parquet"))
    if not found:
        raise InputError(
            f"out: expected tables in {out / 'records'}; found none: run `retrace theory` or `retrace llm`"
        )
    return paper_figs.build(records.Result.concat(records.read(folder) for folder in found), out, machine(), report)


def run_reproduce(command: Reproduce, report: Report) -> Path:
    """`retrace reproduce`: both worlds side by side, as the language models have processes of their own; then figures.

    What the language models would refuse is refused before the theory starts.
    """
    from llm.store import open_store

    models = tuple(DEFAULT_SEEDS)[:1] if command.quick else tuple(DEFAULT_SEEDS)
    llm = Llm(
        models=models, seeds=command.seeds, quick=command.quick, out=command.out, runs=command.runs,
        workers=command.workers,
    )  # fmt: skip
    _experiments(llm)
    writable(command.out)
    open_store(command.runs)
    with ThreadPoolExecutor(1) as pool:
        theory = pool.submit(run_theory, Theory(quick=command.quick, out=command.out), report)
        run_llm(llm, report)
        theory.result()
    return run_figures(Figures(out=command.out), report)


def _perform(command: Reproduce | Theory | Llm | Figures) -> str:
    """Run one command; returns the last line to print."""
    started = time.monotonic()
    with progress_bars() as report:
        if isinstance(command, Theory):
            run_theory(command, report)
        elif isinstance(command, Llm):
            run_llm(command, report)
        else:
            path = run_reproduce(command, report) if isinstance(command, Reproduce) else run_figures(command, report)
            counts = tally(read_claims(command.out / "claims.json"))
            verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
            return (
                f"report: {path} · claims: {verdicts}, of {sum(counts.values())} · {time.monotonic() - started:.0f} s"
            )
    return f"records: {command.out / 'records'} · {time.monotonic() - started:.0f} s"


def _parse(arguments: list[str]) -> Reproduce | Theory | Llm | Figures:
    """The command named by the arguments; a mistake in them becomes one line and exit code 2."""
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(Command, args=arguments, prog="retrace", description=__doc__)
    except SystemExit as ended:
        if ended.code == 2:
            text = re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", errors.getvalue())
            text = re.split("Argument helptext:|For full helptext", text)[0]
            raise InputError(f"{' '.join(text.split()).rstrip('.')}; see retrace --help") from ended
        raise


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `retrace`."""
    try:
        print(_perform(_parse(sys.argv[1:] if arguments is None else arguments)))
    except InputError as error:
        print(f"retrace: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("retrace: stopped; what is finished is kept, run the same command to go on", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
