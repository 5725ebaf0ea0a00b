"""Answers from an OpenAI-compatible chat endpoint: checked, rate-limited, retried, and kept in a journal.

The journal is a file of JSON lines, one an answer received. A run killed anywhere and started again asks only for what
is not in it yet; changing the model, the wording or the temperature changes the keys, so old answers are not mistaken
for new ones. Failed connections, stalls, refused requests (HTTP 408, 409, 429, 5xx) and bodies that are no chat
completion are retried; the pace counts retries too.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import openai

from protocol.errors import InputError
from protocol.progress import Progress, quiet
from protocol.spec import digest


@dataclass(frozen=True)
class Endpoint:
    """Where answers come from, and how it is asked."""

    url: str
    """Base URL, for instance http://localhost:8000/v1."""
    model: str
    """The model's name at the endpoint."""
    key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key; where it is not set, none is sent."""
    per_minute: int = 60
    """Requests a minute at most, retries included."""
    parallel: int = 4
    """Requests under way at a time."""
    timeout: float = 60.0
    """Seconds after which a request counts as stalled."""
    retries: int = 5
    """How often a failed request is sent again."""
    attempts: int = 3
    """How often another answer is asked for where one does not pass its check."""
    temperature: float = 0.7
    """Sampling temperature."""
    max_tokens: int = 512
    """Longest answer, in tokens."""

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise InputError(f"endpoint.url: expected http://… or https://…; got {self.url!r}")
        for name in ("per_minute", "parallel", "timeout", "attempts", "max_tokens"):
            if not getattr(self, name) > 0:
                raise InputError(f"endpoint.{name}: expected a number > 0; got {getattr(self, name)}")


@dataclass(frozen=True)
class Answers:
    """What came back: accepted text by request, why the others were dropped, and the tokens of all tries."""

    accepted: Mapping[str, str]
    dropped: Mapping[str, str]
    prompt_tokens: int
    completion_tokens: int


class _Pace:
    """Lets `per_minute` requests through a minute, evenly spaced."""

    def __init__(self, per_minute: int) -> None:
        self.interval, self.lock, self.next = 60.0 / per_minute, threading.Lock(), 0.0

    def wait(self, _: object) -> None:
        with self.lock:
            turn = max(self.next, time.monotonic())
            self.next = turn + self.interval
        time.sleep(max(0.0, turn - time.monotonic()))


@dataclass(frozen=True)
class _Try:
    """One answer received, as it stands in the journal."""

    key: str
    text: str
    prompt_tokens: int
    completion_tokens: int


class _Journal:
    """Answers received so far, by key in the order they came; `add` writes before it returns."""

    def __init__(self, path: Path) -> None:
        self.path, self.lock, self.tries = path, threading.Lock(), dict[str, list[_Try]]()
        whole = 0
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
            if not line.endswith(b"\n"):  # the run was killed while it wrote this line
                break
            self._keep(self._entry(line))
            whole += len(line)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.stream = path.open("ab")
        self.stream.truncate(whole)

    def _entry(self, line: bytes) -> _Try:
        try:
            return _Try(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise InputError(f"journal: expected answers of an earlier run; {self.path} holds {line[:60]!r}") from error

    def _keep(self, entry: _Try) -> None:
        self.tries.setdefault(entry.key, []).append(entry)

    def add(self, entry: _Try) -> None:
        with self.lock:
            self.stream.write(json.dumps(vars(entry), ensure_ascii=False).encode() + b"\n")
            self.stream.flush()
            self._keep(entry)


def _client(endpoint: Endpoint) -> openai.OpenAI:
    pace = _Pace(endpoint.per_minute)
    return openai.OpenAI(
        base_url=endpoint.url,
        api_key=os.environ.get(endpoint.key_variable) or "none",
        timeout=endpoint.timeout,
        max_retries=endpoint.retries,
        http_client=openai.DefaultHttpxClient(event_hooks={"request": [pace.wait]}),
        _strict_response_validation=True,
    )


def _ask(client: openai.OpenAI, endpoint: Endpoint, prompt: str, key: str) -> _Try:
    """One answer; a body that is no chat completion is asked for again as a failed request is."""
    for attempt in range(endpoint.retries + 1):
        try:
            reply = client.chat.completions.create(
                model=endpoint.model,
                messages=[{"role": "user", "content": prompt}],
                temperature=endpoint.temperature,
                max_tokens=endpoint.max_tokens,
            )
            text, usage = reply.choices[0].message.content or "", reply.usage
            return _Try(key, text, usage.prompt_tokens if usage else 0, usage.completion_tokens if usage else 0)
        except (openai.APIResponseValidationError, ValueError, AttributeError, IndexError, TypeError) as error:
            rubbish = error
            time.sleep(min(8.0, 0.5 * 2**attempt))
    raise InputError(f"endpoint: expected a chat completion; {endpoint.url} answered otherwise ({rubbish})")


def _settled(endpoint: Endpoint, tries: list[_Try], fault: Callable[[str], str | None]) -> _Try | None:
    """The first answer that passes its check, or the last one where no more are to be asked for."""
    passing = next((entry for entry in tries if fault(entry.text) is None), None)
    return passing or (tries[-1] if len(tries) >= endpoint.attempts else None)


def ask(
    endpoint: Endpoint,
    prompts: Mapping[str, str],
    journal: Path,
    *,
    fault: Callable[[str, str], str | None],
    progress: Progress = quiet,
) -> Answers:
    """An answer to every prompt, by the prompt's id.

    fault: called as (id, answer); None where the answer will do, else what is wrong with it, and another is asked for.
    Raises InputError where the endpoint cannot be used; what was answered stays in `journal`.
    """
    kept, settled = _Journal(journal), dict[str, _Try]()
    progress(endpoint.model, 0, len(prompts))
    try:
        with kept.stream, _client(endpoint) as client, ThreadPoolExecutor(endpoint.parallel) as pool:

            def settle(name: str) -> tuple[str, _Try]:
                key = digest([endpoint.model, endpoint.temperature, endpoint.max_tokens, name, prompts[name]])
                try:
                    while (found := _settled(endpoint, kept.tries.get(key, []), partial(fault, name))) is None:
                        kept.add(_ask(client, endpoint, prompts[name], key))
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)  # before this thread begins another request
                    raise
                return name, found

            for name, found in _finished(pool, [pool.submit(settle, name) for name in prompts]):
                settled[name] = found
                progress(endpoint.model, len(settled), len(prompts))
    except openai.APIError as error:
        said = str(error).splitlines()[0]
        raise InputError(
            f"endpoint: expected answers from {endpoint.url}; {said}; those received are in {journal}: run again"
        ) from error
    faults = {name: fault(name, settled[name].text) for name in prompts}
    tries = [entry for entries in kept.tries.values() for entry in entries]
    return Answers(
        {name: settled[name].text for name in prompts if faults[name] is None},
        {name: reason for name, reason in faults.items() if reason is not None},
        sum(entry.prompt_tokens for entry in tries),
        sum(entry.completion_tokens for entry in tries),
    )


def _finished(pool: ThreadPoolExecutor, futures: Sequence["Future[tuple[str, _Try]]"]) -> Iterator[tuple[str, _Try]]:
    """Results as they come; however this ends, what was not begun is dropped."""
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
