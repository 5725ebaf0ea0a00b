"""`retrace data`: check a data file; make the safety and the math stage as the paper did."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from protocol.errors import InputError
from protocol.progress import Progress

if TYPE_CHECKING:
    from llm.corpora import Example
    from llm.curation.endpoint import Endpoint


JOURNAL = "journal.jsonl"
File = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]


@dataclass(frozen=True)
class Check:
    """Report the rows, fields, lengths, duplicates and overlap of a data file, and every fault."""

    file: File
    """JSON, JSON lines, CSV, TSV, text or Parquet, also with .gz; on the hub
    hf://datasets/OWNER/NAME[@REVISION]/PATH."""
    test: str | None = None
    """A test file; its prompts must not be in FILE."""
    purpose: Literal["learn", "safety", "math"] | None = None
    """Use of the rows: learn (learned as they are), safety (`retrace data safety`) or math
    (`retrace data math`); by default safety for prompts without answers, else learn."""


@dataclass(frozen=True)
class EndpointOptions:
    """An OpenAI-compatible endpoint that writes answers; without --endpoint.url, templates do."""

    url: str | None = None
    """Base URL, for instance http://localhost:8000/v1."""
    model: str = ""
    """The model's name at the endpoint."""
    key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key."""
    per_minute: int = 60
    """Most requests a minute."""
    parallel: int = 4
    """Most requests at the same time."""
    timeout: float = 60.0
    """Seconds after which a request counts as stalled and is sent again."""
    attempts: int = 3
    """Most answers that are requested for a prompt until an answer passes its check."""
    temperature: float = 0.7
    """Sampling temperature; left out, with a notice, if the model takes none."""
    max_tokens: int = 512
    """Longest answer, in tokens, the thoughts of a reasoning model included."""


@dataclass(frozen=True)
class Safety:
    """Make the safety stage: refusals of unsafe requests, split 70/30 into training and test."""

    file: File
    """Unsafe requests of SORRY-Bench, of XSTest, or of any file with a field prompt or turns."""
    out: Path = Path("data/safety")
    """Folder for train.jsonl, test.jsonl and curation.json."""
    styles_removed: tuple[str, ...] | None = None
    """Prompt styles that are left out; by default ascii, atbash, caesar, morse, misspellings,
    translate-fr and translate-mr."""
    share: float = 0.7
    """Share of the questions in the training set."""
    seed: int = 42
    """Seed of the split and of the templates' reasons."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and say how many."""
    endpoint: Annotated[EndpointOptions, tyro.conf.arg(name="endpoint")] = EndpointOptions()


@dataclass(frozen=True)
class Math:
    """Make the math stage: GSM8K answers rewritten in steps, kept if the final number is right."""

    file: File
    """GSM8K rows: fields question and answer, the answer with a last line "#### n"."""
    out: Path = Path("data/math")
    """Folder for rows.jsonl and curation.json."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and say how many."""
    endpoint: Annotated[EndpointOptions, tyro.conf.arg(name="endpoint")] = EndpointOptions()


COMMAND = (
    Annotated[Check, tyro.conf.subcommand("check")]
    | Annotated[Safety, tyro.conf.subcommand("safety")]
    | Annotated[Math, tyro.conf.subcommand("math")]
)


def _endpoint(options: EndpointOptions) -> "Endpoint | None":
    from llm.curation.endpoint import Endpoint

    if options.url is None:
        return None
    if not options.model:
        raise InputError("endpoint.model: expected the model's name at the endpoint; got none")
    return Endpoint(**{**vars(options), "url": options.url})


def _folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"out: expected a folder that can be written; {out}: {error.strerror}"
        ) from error
    return out


def _write(rows: "tuple[Example, ...]", path: Path) -> None:
    pairs = [{"prompt": row.prompt, "response": row.answer} for row in rows]
    lines = [json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs]
    path.write_text("".join(lines), encoding="utf-8")


def _check(command: Check) -> str:
    from llm.data.check import check

    report = check(command.file, test=command.test, purpose=command.purpose)
    print(*report.lines(), sep="\n")
    if report.problems:
        problems, rows = len(report.problems), report.rows
        raise InputError(f"{command.file}: {problems} problems in {rows} rows, listed above")
    return "no problems"


def _safety(command: Safety, report: Progress) -> str:
    from llm.curation import safety

    endpoint, out = _endpoint(command.endpoint), _folder(command.out)
    styles = command.styles_removed
    made = safety.curate(
        command.file,
        styles_removed=safety.STYLES if styles is None else styles,
        share=command.share,
        seed=command.seed,
        skip_bad_rows=command.skip_bad_rows,
        endpoint=endpoint,
        journal=out / JOURNAL,
        progress=report,
    )
    _write(made.train, out / "train.jsonl")
    _write(made.test, out / "test.jsonl")
    counts = {
        "train": len(made.train),
        "test": len(made.test),
        "styles removed": made.styles_removed,
        "safe prompts removed": made.safe_removed,
    }
    return _summary(out, command, counts, made.dropped, made.tokens)


def _math(command: Math, report: Progress) -> str:
    from llm.curation import math

    endpoint, out = _endpoint(command.endpoint), _folder(command.out)
    made = math.rewrite(
        command.file,
        skip_bad_rows=command.skip_bad_rows,
        endpoint=endpoint,
        journal=out / JOURNAL,
        progress=report,
    )
    _write(made.rows, out / "rows.jsonl")
    return _summary(out, command, {"rows": len(made.rows)}, made.dropped, made.tokens)


def _summary(
    out: Path,
    command: Safety | Math,
    counts: dict[str, int],
    dropped: Mapping[str, str],
    tokens: tuple[int, int],
) -> str:
    """Write curation.json: the options, the counts, the files, and why rows were dropped."""
    from protocol.spec import digest

    counts = {**counts, "dropped": len(dropped)}
    paths = sorted(path for path in out.glob("*.jsonl") if path.name != JOURNAL)
    summary = {
        "command": json.loads(json.dumps(dataclasses.asdict(command), default=str)),
        "counts": counts,
        "tokens": tokens,
        "files": {path.name: digest(path.read_text(encoding="utf-8")) for path in paths},
        "dropped": dropped,
    }
    text = json.dumps(summary, indent=2, ensure_ascii=False)
    (out / "curation.json").write_text(text + "\n", encoding="utf-8")
    listed = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{out}: {listed} · tokens: {tokens[0]} of prompts, {tokens[1]} of answers"


def run(command: Check | Safety | Math, report: Progress) -> str:
    """`retrace data check | safety | math`; returns the closing line."""
    if isinstance(command, Check):
        return _check(command)
    return _safety(command, report) if isinstance(command, Safety) else _math(command, report)
