"""The command line: retrace reproduce | theory | llm | models | data | store | figures | claims.

Each side is imported inside its own subcommands only. An experiment writes its tables into a folder
of its own under OUT/records, and `figures` makes figures, tables, claims and the report from all of
these folders. Bad input is one line on standard error and exit code 2.
"""

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import tyro

from protocol import notices
from protocol.errors import InputError
from protocol.progress import Progress
from retrace import (
    extras,
    output,
    run_claims,
    run_data,
    run_figures,
    run_llm,
    run_models,
    run_reproduce,
    run_store,
    run_theory,
)
from retrace.terminal import parse, progress_bars, show

__version__ = "0.1.0"

Command = (
    Annotated[run_reproduce.Reproduce, tyro.conf.subcommand("reproduce")]
    | Annotated[
        run_theory.Theory,
        tyro.conf.subcommand(
            "theory", description="The theory, all of it or one result: see retrace theory --help."
        ),
    ]
    | Annotated[
        run_llm.Llm,
        tyro.conf.subcommand(
            "llm", description="Experiments of the language models: see retrace llm --help."
        ),
    ]
    | Annotated[run_models.Models, tyro.conf.subcommand("models")]
    | Annotated[
        run_data.Data,
        tyro.conf.subcommand("data", description="Data files: check one, or make a stage's."),
    ]
    | Annotated[
        run_store.Store,
        tyro.conf.subcommand(
            "store", description="The stage store: what it holds, whether it is whole, tidying it."
        ),
    ]
    | Annotated[run_figures.Figures, tyro.conf.subcommand("figures")]
    | Annotated[run_claims.Claims, tyro.conf.subcommand("claims")]
)


RUNS: dict[type, Callable[[Any, Progress], str]] = {
    run_reproduce.Reproduce: run_reproduce.run,
    run_figures.Figures: run_figures.run,
    **dict.fromkeys((run_data.Check, run_data.Safety, run_data.Math), run_data.run),
}
# What is asked, not computed: the answer is printed as it is, with no time after it.
ANSWERS: dict[type, Callable[[Any], str]] = {
    run_models.Models: run_models.run,
    run_claims.Claims: run_claims.run,
    **dict.fromkeys(
        (run_store.List, run_store.Show, run_store.Verify, run_store.Prune), run_store.run
    ),
}


def _run_of(command: Any) -> Callable[[Any, Progress], str]:
    if isinstance(command, run_llm.Llm):
        return run_llm.run
    return RUNS.get(type(command), run_theory.run)


def _perform(command: Any) -> str:
    """Run one command; returns what is left to print."""
    if type(command) in ANSWERS:
        return ANSWERS[type(command)](command)
    started = time.monotonic()
    with progress_bars() as report:
        line = _run_of(command)(command, report)
    return f"{line} · {time.monotonic() - started:.0f} s"


def _parse(arguments: list[str]) -> Any:
    if arguments[:1] == ["theory"]:
        return run_theory.command(arguments[1:])
    if arguments[:1] == ["llm"]:
        return run_llm.command(arguments[1:])
    return parse(Command, arguments, program="retrace", description=__doc__)


def _program() -> list[str]:
    """What was typed before the arguments: retrace, or a script that adds something of its own and
    calls `main`.
    """
    script = Path(sys.argv[0])
    return (
        ["python", script.name]
        if script.suffix == ".py" and script.name != "__main__.py"
        else ["retrace"]
    )


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `retrace`, and of scripts that add a model, a stage or an objective
    (docs/extend.md).
    """
    program = _program() if arguments is None else ["retrace"]
    arguments = sys.argv[1:] if arguments is None else arguments
    output.typed = shlex.join([*program, *arguments])
    notices.direct(show)
    try:
        print(_perform(_parse(arguments)), flush=True)
    except InputError as error:
        print(f"retrace: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        print(extras.needed(f"retrace {arguments[0]}", error), file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader has seen enough (`retrace claims | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        print(
            f"retrace: {error.filename or 'files'}: {error.strerror or error}; nothing is lost",
            file=sys.stderr,
        )
        sys.exit(2)
    except FloatingPointError as error:
        print(f"retrace: {error}; what is finished is kept", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(
            "retrace: stopped; what is finished is kept, run the same command to go on",
            file=sys.stderr,
        )
        sys.exit(130)
