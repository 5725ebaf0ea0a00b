"""The command line: retrace reproduce | theory | llm | figures.

Each world is imported inside its own subcommand only. An experiment writes its tables into a folder of its own under
OUT/records; `figures` joins what is there into figures, tables, claims and the report. Bad input is one line on
standard error and exit code 2.
"""

import sys
import time
from typing import Annotated, Any

import tyro

from protocol.claims import read_claims, tally
from protocol.errors import InputError
from retrace import figures, llm, reproduce, theory
from retrace.terminal import parse, progress_bars

Command = (
    Annotated[reproduce.Reproduce, tyro.conf.subcommand("reproduce")]
    | Annotated[
        theory.Theory,
        tyro.conf.subcommand("theory", description="The theory, all of it or one result: see retrace theory --help."),
    ]
    | Annotated[llm.Llm, tyro.conf.subcommand("llm")]
    | Annotated[figures.Figures, tyro.conf.subcommand("figures")]
)


def _perform(command: Any) -> str:
    """Run one command; returns the last line to print."""
    started = time.monotonic()
    with progress_bars() as report:
        if isinstance(command, reproduce.Reproduce | figures.Figures):
            world = reproduce if isinstance(command, reproduce.Reproduce) else figures
            path = world.run(command, report)
            counts = tally(read_claims(command.out / "claims.json"))
            verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
            return (
                f"report: {path} · claims: {verdicts}, of {sum(counts.values())} · {time.monotonic() - started:.0f} s"
            )
        if isinstance(command, llm.Llm):
            llm.run(command, report)
        else:
            theory.run(command, report)
    return f"records: {command.out / 'records'} · {time.monotonic() - started:.0f} s"


def _parse(arguments: list[str]) -> Any:
    if arguments[:1] == ["theory"]:
        return theory.command(arguments[1:])
    return parse(Command, arguments, program="retrace", description=__doc__)


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
