"""`retrace data`: look a data file through; make the safety and the math stage as the paper did."""

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
    """Rows, fields, lengths, duplicates and overlap of a data file, and what is wrong where."""

    file: File
    """JSON, JSON lines, CSV, TSV, text or Parquet, also with .gz; on the hub:
    hf://datasets/OWNER/NAME[@REVISION]/PATH.
    """
    test: str | None = None
    """A test file whose prompts must not stand in FILE."""
    purpose: Literal["learn", "safety", "math"] | None = None
    """What the rows are for: to be learned as they are, `retrace data safety` or `retrace data
    math`; by default safety for prompts without answers, else learn."""


@dataclass(frozen=True)
class Asked:
    """An OpenAI-compatible endpoint to take answers from; without --endpoint.url, they come from
    templates.
    """

    url: str | None = None
    """Base URL, for instance http://localhost:8000/v1."""
    model: str = ""
    """The model's name there."""
    key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key."""
    per_minute: int = 60
    """Requests a minute at most."""
    parallel: int = 4
    """Requests under way at a time."""
    timeout: float = 60.0
    """Seconds after which a request counts as stalled and is sent again."""
    attempts: int = 3
    """How often another answer is asked for where one does not pass its check."""
    temperature: float = 0.7
    """Sampling temperature; left out, with a notice, where the model takes none."""
    max_tokens: int = 512
    """Longest answer, in tokens; a reasoning model's thoughts count."""


@dataclass(frozen=True)
class Safety:
    """The safety set: unsafe requests, refusals that start with the agreed sentence, a 70/30 split."""

    file: File
    """Unsafe requests: SORRY-Bench, XSTest, or any file with a field prompt or turns."""
    out: Path = Path("data/safety")
    """Folder for train.jsonl, test.jsonl and curation.json."""
    styles_removed: tuple[str, ...] | None = None
    """Prompt styles left out; by default ascii, atbash, caesar, morse, misspellings, translate-fr,
    translate-mr.
    """
    share: float = 0.7
    """Share of the questions that is for training."""
    seed: int = 42
    """Seed of the split and of the templates' reasons."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, saying how many."""
    endpoint: Annotated[Asked, tyro.conf.arg(name="endpoint")] = Asked()


@dataclass(frozen=True)
class Math:
    """GSM8K answers rewritten in steps, kept where the final number is right."""

    file: File
    """GSM8K: fields question and answer, with a last line "#### n"."""
    out: Path = Path("data/math")
    """Folder for rows.jsonl and curation.json."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, saying how many."""
    endpoint: Annotated[Asked, tyro.conf.arg(name="endpoint")] = Asked()


Data = (
    Annotated[Check, tyro.conf.subcommand("check")]
    | Annotated[Safety, tyro.conf.subcommand("safety")]
    | Annotated[Math, tyro.conf.subcommand("math")]
)


def _endpoint(asked: Asked) -> "Endpoint | None":
    from llm.curation.endpoint import Endpoint

    if asked.url is None:
        return None
    if not asked.model:
        raise InputError("endpoint.model: expected the model's name at the endpoint; got none")
    return Endpoint(**{**vars(asked), "url": asked.url})


def _folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"out: expected a folder that can be written; {out}: {error.strerror}"
        ) from error
    return out


def _write(rows: "tuple[Example, ...]", path: Path) -> None:
    lines = (
        json.dumps({"prompt": row.prompt, "response": row.answer}, ensure_ascii=False)
        for row in rows
    )
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _check(command: Check) -> str:
    from llm.data.check import check

    found = check(command.file, test=command.test, purpose=command.purpose)
    print(*found.lines(), sep="\n")
    if found.problems:
        raise InputError(
            f"{command.file}: {len(found.problems)} problems in {found.rows} rows, listed above"
        )
    return "no problems"


def _safety(command: Safety, report: Progress) -> str:
    from llm.curation import safety
    from llm.data.purposes import STYLES

    styles = STYLES if command.styles_removed is None else command.styles_removed
    endpoint, out = _endpoint(command.endpoint), _folder(command.out)
    made = safety.curate(
        command.file,
        styles_removed=styles,
        share=command.share,
        seed=command.seed,
        skip_bad_rows=command.skip_bad_rows,
        endpoint=endpoint,
        journal=out / JOURNAL,
        progress=report,
    )
    _write(made.train, out / "train.jsonl")
    _write(made.test, out / "test.jsonl")
    return _summary(
        out,
        command,
        {
            "train": len(made.train),
            "test": len(made.test),
            "styles removed": made.styles_removed,
            "safe prompts removed": made.safe_removed,
        },
        made.dropped,
        made.tokens,
    )


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
    """Write curation.json: what was asked for, what came out, what was dropped and why."""
    from protocol.spec import digest

    counts = {**counts, "dropped": len(dropped)}
    names = sorted(path for path in out.glob("*.jsonl") if path.name != JOURNAL)
    files = {path.name: digest(path.read_text(encoding="utf-8")) for path in names}
    asked = json.loads(json.dumps(dataclasses.asdict(command), default=str))
    whole = {
        "command": asked,
        "counts": counts,
        "tokens": tokens,
        "files": files,
        "dropped": dropped,
    }
    (out / "curation.json").write_text(
        json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    said = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{out}: {said} · tokens: {tokens[0]} asked, {tokens[1]} answered"


def run(command: Check | Safety | Math, report: Progress) -> str:
    """`retrace data check | safety | math`; returns the closing line."""
    if isinstance(command, Check):
        return _check(command)
    return _safety(command, report) if isinstance(command, Safety) else _math(command, report)
