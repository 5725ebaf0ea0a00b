"""`retrace llm`: the experiments of the language models.

The options are those of `llm.config.options.Options`. Each of its groups, such as `learning`, is
a dataclass of the settings, and every field of the dataclass is an option: --learning.lr. The
experiments and options are known once torch is loaded, so they are read when the command is used.
"""

import ast
import inspect
import itertools
import textwrap
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict, Union, get_type_hints

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from protocol.errors import known
from protocol.progress import Progress
from retrace.output import save, writable
from retrace.terminal import parse, refuse_renamed

# Options of earlier versions, and the options that replace them.
RENAMED = {
    "--lr": "--learning.lr",
    "--unlearning-lr": "--unlearning.lr",
    "--batch": "--learning.batch and --unlearning.batch",
    "--micro-batch": "--learning.micro-batch and --unlearning.micro-batch",
    "--adaptation": "--adaptation.kind",
    "--rank": "--adaptation.rank",
    "--alpha": "--adaptation.alpha",
    "--dropout": "--adaptation.dropout",
    "--lora-targets": "--adaptation.targets",
    "--anew": "--adaptation.new-adapter-each-stage",
    "--new-adapter-each-stage": "--adaptation.new-adapter-each-stage",
    "--probes": "--probes.NAME NUMBER for each number, such as --probes.every 5",
    "--math-prompt": "--probes.prompt",
    "--label": "--probes.label",
}
GROUP_HELP = {
    "learning": "How the stages are trained; by default as the preset says, stage by stage.",
    "unlearning": "How the forget stage is unlearned; by default as the preset says.",
    "pretraining": "How an embedded model is pretrained; by default as the preset says.",
    "adaptation": "What is trained; by default what the preset says.",
    "probes": "What is measured; by default what the preset says.",
}
PRESETS_VALUE = "(default: as the preset says)"
MODEL = (
    "Embedded models or the paper's models by name (see retrace models), directories, or hub ids "
    "OWNER/NAME."
)


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
    """Number of single-threaded processes; by default one a core, on a GPU one."""
    checkpoint_every: int = 100
    """Updates between two checkpoints of a stage in training."""


def _documented(settings: type) -> dict[str, str]:
    """The docstrings of a dataclass's fields, by the field's name."""
    (source,) = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    texts: dict[str, str] = {}
    for above, below in itertools.pairwise(getattr(source, "body", [])):
        match above, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(str(text))):
                texts[name] = " ".join(text.split())
    return texts


def _flags(settings: type, left_out: tuple[str, ...]) -> Any:
    """The fields of a dataclass as options, each of which may be left out; parsed into a dict."""
    from llm.config.settings import given_type

    texts, flags = _documented(settings), {}
    for name, hint in get_type_hints(settings).items():
        if name not in left_out:
            flags[name] = Annotated[given_type(hint), tyro.conf.arg(help=texts[name])]
    return TypedDict(settings.__name__, flags, total=False)  # type: ignore[operator]


def _options() -> type:
    """`Options` whose groups and settings have the types and the docstrings of the settings."""
    from llm.config.options import GROUPS, READ_FROM_FILES, SCALARS, Options
    from llm.config.settings import Settings

    hints, texts = get_type_hints(Options), _documented(Settings)
    fields: list[Any] = []
    for name in hints:
        if name in GROUPS:
            flags = _flags(GROUPS[name], READ_FROM_FILES)
            about = tyro.conf.arg(help=GROUP_HELP[name])
            fields.append((name, Annotated[flags, about], field(default_factory=dict)))
        elif name in SCALARS:
            about = tyro.conf.arg(help=texts[name], help_behavior_hint=PRESETS_VALUE)
            fields.append((name, Annotated[hints[name], about], field(default=None)))
    return make_dataclass("Options", fields, bases=(Options,), frozen=True)


def _one(name: str, build: Any, options: Any) -> Any:
    """The subcommand of one experiment: models, options and where results go."""
    from llm.config.options import DEFAULT_MODELS

    model = tyro.conf.arg(help=MODEL, aliases=("--models",))
    unnamed = tyro.conf.arg(name="")
    fields = [
        ("model", Annotated[tuple[str, ...], model], field(default=DEFAULT_MODELS)),
        ("options", Annotated[options, unnamed], field(default=options())),
        ("place", Annotated[Place, unnamed], field(default=Place())),
    ]
    command = make_dataclass(
        name, fields, bases=(Llm,), namespace={"__doc__": build.__doc__}, frozen=True
    )
    return Annotated[command, tyro.conf.subcommand(name)]


def _files(typed: list[str]) -> dict[str, tuple[str, ...]]:
    """Files by stage out of STAGE FILE STAGE FILE …; a stage is repeated for each of its files."""
    if len(typed) % 2:
        raise ValueError(f"expected STAGE FILE for each file; got {' '.join(typed)}")
    files: dict[str, tuple[str, ...]] = {}
    for stage, file in zip(typed[::2], typed[1::2], strict=True):
        files[stage] = (*files.get(stage, ()), file)
    return files


def _registry() -> ConstructorRegistry:
    """What tyro cannot parse by itself: several files of one stage."""
    from llm.config.run_options import ByStage

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
    """The command of `retrace llm ARGUMENTS`: an experiment, by default positions, with options."""
    from llm.config.experiments import EXPERIMENTS

    if arguments and not arguments[0].startswith("-"):
        known("experiment", arguments[0], list(EXPERIMENTS))
    elif not {"-h", "--help"} & set(arguments):
        arguments = ["positions", *arguments]
    refuse_renamed(arguments, RENAMED)
    options = _options()
    commands = [_one(name, build, options) for name, build in EXPERIMENTS.items()]
    with _registry():
        return parse(
            Union[(*commands,)],
            arguments,
            program="retrace llm",
            description="Experiments of the language models.",
        )


def experiments(name: str, models: tuple[str, ...], options: Any) -> list[Any]:
    """The experiments of a name: one for every model and setting."""
    from llm.config.experiments import EXPERIMENTS

    return [experiment for model in models for experiment in EXPERIMENTS[name](model, options)]


def perform(
    name: str, models: tuple[str, ...], options: Any, place: Place, report: Progress
) -> str:
    """Run one experiment and write its tables; returns the closing line."""
    from llm.lab import run

    wanted, out = experiments(name, models, options), writable(place.out)
    result = run.run(
        wanted,
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
