"""Answers of an endpoint in a file of JSON lines, one line an answer, by the key of the request."""

import json
import threading
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import InputError


@dataclass(frozen=True)
class Try:
    """One answer: its text (None if it had none), why it ended, and the endpoint's own refusal."""

    key: str
    text: str | None
    prompt_tokens: int
    completion_tokens: int
    finish: str = "stop"
    refusal: str = ""


class Journal:
    """Answers received so far, by key in the order they came; `add` writes before it returns."""

    def __init__(self, path: Path) -> None:
        self.path, self.lock, self.tries = path, threading.Lock(), dict[str, list[Try]]()
        whole = 0
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
            if not line.endswith(b"\n"):  # the run was killed while it wrote this line
                break
            self._keep(self._entry(line))
            whole += len(line)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.stream = path.open("ab")
        self.stream.truncate(whole)

    def _entry(self, line: bytes) -> Try:
        try:
            return Try(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise InputError(
                f"journal: expected answers of an earlier run; {self.path} holds {line[:60]!r}"
            ) from error

    def _keep(self, entry: Try) -> None:
        self.tries.setdefault(entry.key, []).append(entry)

    def add(self, entry: Try) -> None:
        """Write an answer and keep it."""
        with self.lock:
            self.stream.write(json.dumps(vars(entry), ensure_ascii=False).encode() + b"\n")
            self.stream.flush()
            self._keep(entry)
