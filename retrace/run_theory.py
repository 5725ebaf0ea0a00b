"""`retrace theory`: every result of the theory, or one of them with its own options.

The options of a result are the settings of its experiment, so they are only known once the theory
(and JAX) is loaded.
"""

from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

from protocol.errors import known
from protocol.progress import Progress
from retrace.output import save, writable
from retrace.terminal import parse


@dataclass(frozen=True)
class Theory:
    """Every result of the theory at its default settings."""

    quick: bool = False
    """Small ensembles."""
    out: Path = Path("out")
    """Folder the tables are written into, under records/theory."""


def _one(name: str, module: Any, quick: bool) -> Any:
    """The subcommand of one result: its settings as options, its small settings as defaults where
    `quick`.
    """
    defaults = module.QUICK if quick else module.Settings()
    options = [
        ("settings", Annotated[module.Settings, tyro.conf.arg(name="")], field(default=defaults)),
        (
            "quick",
            Annotated[bool, tyro.conf.arg(help="Start from small settings.")],
            field(default=False),
        ),
        (
            "out",
            Annotated[
                Path,
                tyro.conf.arg(help="Folder the tables are written into, under records/theory."),
            ],
            field(default=Path("out")),
        ),
    ]
    command = make_dataclass(
        name, options, namespace={"__doc__": module.Settings.__doc__}, frozen=True
    )
    return Annotated[command, tyro.conf.subcommand(name)]


def command(arguments: list[str]) -> Any:
    """What `retrace theory ARGUMENTS` asks for: Theory, or one result's settings with `quick` and
    `out`.
    """
    from theory.experiments import RESULTS

    named = bool(arguments) and not arguments[0].startswith("-")
    if named:
        known("result", arguments[0], ["all", *RESULTS])
    elif not {"-h", "--help"} & set(arguments):
        arguments = ["all", *arguments]
    ones = [_one(name, module, "--quick" in arguments) for name, module in RESULTS.items()]
    every = Union[(Annotated[Theory, tyro.conf.subcommand("all")], *ones)]
    return parse(
        every,
        arguments,
        program="retrace theory",
        description="All results (the default), or one of them.",
    )


def run(command: Any, report: Progress) -> str:
    """Run one result, or all of them; each is written as soon as it is there. Returns the closing
    line.
    """
    from theory.experiments import RESULTS

    out = writable(command.out)
    if isinstance(command, Theory):
        chosen = {
            name: module.QUICK if command.quick else module.Settings()
            for name, module in RESULTS.items()
        }
    else:
        chosen = {type(command).__name__: command.settings}
    for name, settings in chosen.items():
        save(RESULTS[name].run(settings, report), out, f"theory/{name}")
    return f"records: {out / 'records'}"
