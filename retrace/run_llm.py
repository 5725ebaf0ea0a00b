"""`retrace llm`: the experiments of the language models.

Their names and options are only known once torch is loaded, so they are asked for when the command
is used.
"""

from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Union

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from protocol.errors import known
from protocol.progress import Progress
from retrace.output import save, writable
from retrace.terminal import parse


@dataclass(frozen=True)
class Llm:
    """The language models (see retrace llm --help)."""


@dataclass(frozen=True)
class Place:
    """Where results go, and what computes them."""

    out: Path = Path("out")
    """Folder the tables are written into, under records/llm."""
    runs: Path = Path("runs")
    """Folder of the stage store."""
    workers: int | None = None
    """Single-threaded processes; by default one a core, on a GPU one."""
    checkpoint_every: int = 100
    """Updates between two checkpoints of a stage in training."""


MODEL = """Embedded models or the paper's by name (see retrace models), directories, or hub ids OWNER/NAME."""


def _one(name: str, build: Any) -> Any:
    """The subcommand of one experiment: models, options and where results go."""
    from llm.config.options import DEFAULT_MODELS, Options

    fields = [
        (
            "model",
            Annotated[tuple[str, ...], tyro.conf.arg(help=MODEL, aliases=("--models",))],
            field(default=DEFAULT_MODELS),
        ),
        ("options", Annotated[Options, tyro.conf.arg(name="")], field(default=Options())),
        ("place", Annotated[Place, tyro.conf.arg(name="")], field(default=Place())),
    ]
    command = make_dataclass(
        name, fields, bases=(Llm,), namespace={"__doc__": build.__doc__}, frozen=True
    )
    return Annotated[command, tyro.conf.subcommand(name)]


def _files(typed: list[str]) -> dict[str, tuple[str, ...]]:
    """Files by stage out of STAGE FILE STAGE FILE …, in which a stage stands once for each of its
    files.
    """
    if len(typed) % 2:
        raise ValueError(f"expected STAGE FILE for each file; got {' '.join(typed)}")
    files: dict[str, tuple[str, ...]] = {}
    for stage, file in zip(typed[::2], typed[1::2], strict=True):
        files[stage] = (*files.get(stage, ()), file)
    return files


def _registry() -> ConstructorRegistry:
    """What tyro cannot parse by itself: several files of one stage."""
    from llm.config.choices import ByStage

    registry = ConstructorRegistry()

    @registry.primitive_rule
    def by_stage(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        if info.type != ByStage:
            return None
        return PrimitiveConstructorSpec(
            nargs="*",
            metavar="[STAGE FILE [STAGE FILE ...]]",
            instance_from_str=_files,
            is_instance=lambda value: isinstance(value, dict),
            str_from_instance=lambda value: [word for pair in value.items() for word in pair],
        )

    return registry


def command(arguments: list[str]) -> Any:
    """What `retrace llm ARGUMENTS` asks for: an experiment (positions, where none is named) with
    its options.
    """
    from llm.config.experiments import EXPERIMENTS

    if arguments and not arguments[0].startswith("-"):
        known("experiment", arguments[0], list(EXPERIMENTS))
    elif not {"-h", "--help"} & set(arguments):
        arguments = ["positions", *arguments]
    ones = [_one(name, build) for name, build in EXPERIMENTS.items()]
    with _registry():
        return parse(
            Union[(*ones,)],
            arguments,
            program="retrace llm",
            description="Experiments of the language models.",
        )


def experiments(name: str, models: tuple[str, ...], options: Any) -> list[Any]:
    """What an experiment comes to: one for every model and setting."""
    from llm.config.experiments import EXPERIMENTS

    return [experiment for model in models for experiment in EXPERIMENTS[name](model, options)]


def perform(
    name: str, models: tuple[str, ...], options: Any, place: Place, report: Progress
) -> str:
    """Run one experiment and write its tables; returns the closing line."""
    from llm.lab import run

    chosen, out = experiments(name, models, options), writable(place.out)
    result = run.run(
        chosen,
        place.runs,
        workers=place.workers,
        checkpoint_every=place.checkpoint_every,
        progress=report,
    )
    save(result, out, f"llm/{name}")
    return f"records: {out / 'records'}"


def run(command: Any, report: Progress) -> str:
    """`retrace llm EXPERIMENT`; returns the closing line."""
    return perform(type(command).__name__, command.model, command.options, command.place, report)
