"""`retrace theory`: every result of the theory, or one result with its own options.

The options of a result are the settings of its experiment, so they are known once the theory (and
JAX) is loaded.
"""

from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

from protocol.errors import known
from protocol.progress import Progress
from retrace.output import save, writable
from retrace.terminal import parse, refuse_renamed

RENAMED = {"secant": "rates", "triangle": "removal"}  # results of earlier versions


@dataclass(frozen=True)
class Theory:
    """Every result of the theory at its default settings."""

    quick: bool = False
    """Run small ensembles."""
    out: Path = Path("out")
    """Folder the tables are written into, under records/theory."""


def _one(name: str, module: Any, quick: bool) -> Any:
    """The subcommand of one result: its settings as options, its small settings with `quick`."""
    defaults = module.QUICK if quick else module.Settings()
    unnamed = tyro.conf.arg(name="")
    small = tyro.conf.arg(help="Start from small settings.")
    folder = tyro.conf.arg(help="Folder the tables are written into, under records/theory.")
    options = [
        ("settings", Annotated[module.Settings, unnamed], field(default=defaults)),
        ("quick", Annotated[bool, small], field(default=False)),
        ("out", Annotated[Path, folder], field(default=Path("out"))),
    ]
    command = make_dataclass(
        name, options, namespace={"__doc__": module.Settings.__doc__}, frozen=True
    )
    return Annotated[command, tyro.conf.subcommand(name)]


def command(arguments: list[str]) -> Any:
    """The command of `retrace theory ARGUMENTS`: all results, or one result with its settings."""
    from theory.experiments import RESULTS

    named = bool(arguments) and not arguments[0].startswith("-")
    if named:
        refuse_renamed(arguments[:1], RENAMED)
        known("result", arguments[0], ["all", *RESULTS])
    elif not {"-h", "--help"} & set(arguments):
        arguments = ["all", *arguments]
    if named and arguments[0] != "all" and hasattr(RESULTS[arguments[0]].Settings, "instances"):
        refuse_renamed(arguments, {"--seeds": "--instances"})
    quick = "--quick" in arguments
    results = [_one(name, module, quick) for name, module in RESULTS.items()]
    every = Union[(Annotated[Theory, tyro.conf.subcommand("all")], *results)]
    about = "Run all results (the default), or one of them."
    return parse(every, arguments, program="retrace theory", description=about)


def run(command: Any, report: Progress) -> str:
    """Run one result, or all; each is written as soon as it is done. Returns the closing line."""
    from theory.experiments import RESULTS

    out = writable(command.out)
    if isinstance(command, Theory):
        modules, quick = RESULTS.items(), command.quick
        settings_by_name = {
            name: module.QUICK if quick else module.Settings() for name, module in modules
        }
    else:
        settings_by_name = {type(command).__name__: command.settings}
    for name, settings in settings_by_name.items():
        save(RESULTS[name].run(settings, report), out, f"theory/{name}")
    return f"records: {out / 'records'}"
