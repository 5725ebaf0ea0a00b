"""The command line: retrace reproduce | theory | llm | models | data | store | figures | claims.

A command loads its own module `run_NAME` and no other; JAX and torch are loaded when their side
runs. An experiment writes its tables into a folder of its own under OUT/records; `figures` makes
figures, tables, claims and the report of all tables there. Bad input is one line on standard error
and exit code 2.
"""

import os
import shlex
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

from protocol import notices
from protocol.errors import InputError
from retrace import extras, output
from retrace.terminal import parse, progress_bars, show

__version__ = "0.1.0"

ABOUT = (
    "Unlearning and the order of training stages: a theory side in JAX, a language-model side in "
    "torch. Experiments write tables into OUT/records; figures and claims are made from them."
)
COMMANDS = {
    "reproduce": "Run both sides at the default sizes, then make figures, claims and the report.",
    "theory": "Run all results of the theory, or one of them: see retrace theory --help.",
    "llm": "Run an experiment of the language models: see retrace llm --help.",
    "models": "List the models that have names: sizes, the paper's settings, memory of training.",
    "data": "Check a data file, or make the data of a stage.",
    "store": "List, verify and prune the stage store.",
    "figures": "Make figures, tables, claims and the report from the tables in OUT/records.",
    "claims": (
        "Re-evaluate every claim that OUT/records has data for, and print them as a table. Writes "
        "no files."
    ),
}
PRINTED = ("models", "store", "claims")  # commands whose result is printed as it is, with no time


@dataclass(frozen=True)
class Overview:
    """One command in the list of all commands."""


def _module(name: str) -> Any:
    return import_module(f"retrace.run_{name}")


def _overview() -> Any:
    """All commands with their descriptions, without loading them."""
    commands = [
        Annotated[Overview, tyro.conf.subcommand(name, description=text)]
        for name, text in COMMANDS.items()
    ]
    return Union[(*commands,)]


def _parse(arguments: list[str]) -> Any:
    """The command of the arguments; without the name of a command, the help or an InputError."""
    if not arguments or arguments[0] not in COMMANDS:
        return parse(_overview(), arguments, program="retrace", description=ABOUT)
    name, *rest = arguments
    module = _module(name)
    if name in ("theory", "llm"):  # their options are known once their side is loaded
        return module.command(rest)
    program = f"retrace {name}"
    return parse(module.COMMAND, rest, program=program, description=COMMANDS[name])


def _perform(name: str, command: Any) -> str:
    """Run one command; returns what is left to print."""
    run = _module(name).run
    if name in PRINTED:
        return run(command)
    started = time.monotonic()
    with progress_bars() as report:
        line = run(command, report)
    return f"{line} · {time.monotonic() - started:.0f} s"


def _program() -> list[str]:
    """The words before the arguments: retrace, or a script that adds something and calls `main`."""
    script = Path(sys.argv[0])
    is_script = script.suffix == ".py" and script.name != "__main__.py"
    return ["python", script.name] if is_script else ["retrace"]


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `retrace`, and of scripts that add a model, a stage or an objective.

    See docs/extend.md for such scripts.
    """
    program = _program() if arguments is None else ["retrace"]
    arguments = sys.argv[1:] if arguments is None else arguments
    output.typed = shlex.join([*program, *arguments])
    notices.direct(show)
    try:
        command = _parse(arguments)
        print(_perform(arguments[0], command), flush=True)
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
