"""Answers from an OpenAI-compatible chat endpoint: checked, rate-limited, retried, and kept in a journal.

A run killed anywhere and started again asks only for what is not in the journal yet; changing the model, the wording or
the temperature changes the keys, so old answers are not mistaken for new ones. Failed connections, stalls, refused
requests (HTTP 408, 409, 429, 5xx) and bodies that are no chat completion are retried; the pace counts retries too.

Reasoning models: the limit is sent as max_completion_tokens, as max_tokens where that is refused; a refused temperature
is left out, with a notice and keys of its own; of "<think>…</think> answer" the answer is kept. What comes without any
text (cut while the model was thinking, filtered, refused) is settled by one try; a text that is cut never passes.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai

from llm.curation.journal import Journal, Try
from protocol.errors import InputError
from protocol.notices import notice
from protocol.progress import Progress, quiet
from protocol.spec import digest

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

REFUSED = (400, 422)  # what servers answer to a parameter they do not take


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
    """Longest answer, in tokens; a reasoning model's thoughts count."""

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise InputError(f"endpoint.url: expected http://… or https://…; got {self.url!r}")
        for name in ("per_minute", "parallel", "timeout", "attempts", "max_tokens"):
            if not getattr(self, name) > 0:
                raise InputError(f"endpoint.{name}: expected a number > 0; got {getattr(self, name)}")
        if not 0 <= self.temperature <= 2:
            raise InputError(f"endpoint.temperature: expected a number from 0 to 2; got {self.temperature}")


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


class _Parameters:
    """The parameters this endpoint takes, learned from what it refuses; shared by all threads of a run."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint, self.lock = endpoint, threading.Lock()
        self.limit = "max_completion_tokens"
        self.temperature: float | None = endpoint.temperature

    def current(self) -> dict[str, Any]:
        """What is sent beside model and messages."""
        with self.lock:
            sent: dict[str, Any] = {self.limit: self.endpoint.max_tokens}
            return sent if self.temperature is None else {**sent, "temperature": self.temperature}

    def learn(self, refusal: openai.APIStatusError, sent: Mapping[str, Any]) -> bool:
        """Do without the parameters that a refusal names; False where it names none that can be done without."""
        named = [name for name in sent if name in str(refusal.param or refusal)]
        with self.lock:
            if "max_completion_tokens" in named:
                self.limit = "max_tokens"
            if "temperature" in named:
                self.temperature = None
                notice(f"endpoint: {self.endpoint.model} takes no temperature; its answers are asked for without one")
        return bool({"max_completion_tokens", "temperature"} & set(named))


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


def _ask(client: openai.OpenAI, endpoint: Endpoint, prompt: str, sent: Mapping[str, Any], key: str) -> Try:
    """One answer; a body that is no chat completion is asked for again as a failed request is."""
    for attempt in range(endpoint.retries + 1):
        try:
            reply = client.chat.completions.create(
                model=endpoint.model, messages=[{"role": "user", "content": prompt}], **sent
            )
            return _received(key, reply)
        except (openai.APIResponseValidationError, ValueError, AttributeError, IndexError, TypeError) as error:
            rubbish = error
            time.sleep(min(8.0, 0.5 * 2**attempt))
    raise InputError(f"endpoint: expected a chat completion; {endpoint.url} answered otherwise ({rubbish})")


def _received(key: str, reply: "ChatCompletion") -> Try:
    choice, usage = reply.choices[0], reply.usage
    content, finish = choice.message.content, choice.finish_reason or "stop"
    text = content.rpartition("</think>")[2].strip() if content and "</think>" in content else content
    if not text and finish != "stop":
        text = None  # some servers say null, some ""
    tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
    return Try(key, text, *tokens, finish, choice.message.refusal or "")


def _wrong(endpoint: Endpoint, entry: Try, fault: Callable[[str], str | None]) -> str | None:
    """What is wrong with an answer: cut, withheld or without text, else what its check says; None for nothing."""
    if entry.finish == "length":
        return f"cut at {endpoint.max_tokens} tokens: raise --endpoint.max-tokens"
    if entry.refusal:
        return f"refused by {endpoint.model}: {entry.refusal[:60]!r}"
    if entry.finish == "content_filter":
        return f"withheld by the content filter of {endpoint.model}"
    if entry.text is None:
        return f"no text from {endpoint.model}, finish_reason {entry.finish!r}"
    return fault(entry.text)


def _settled(endpoint: Endpoint, tries: list[Try], wrong: Callable[[Try], str | None]) -> Try | None:
    """The first answer that passes its check, or the last one where no more are to be asked for."""
    passing = next((entry for entry in tries if wrong(entry) is None), None)
    given_up = len(tries) >= endpoint.attempts or any(entry.text is None for entry in tries)
    return passing or (tries[-1] if given_up else None)


def _one(
    client: openai.OpenAI,
    endpoint: Endpoint,
    parameters: _Parameters,
    kept: Journal,
    name: str,
    prompt: str,
    wrong: Callable[[Try], str | None],
) -> Try:
    """The answer that settles one prompt, out of the journal or asked for until there is one."""
    while True:
        sent = parameters.current()
        # The key again each time: a temperature that was refused meanwhile makes it another question.
        key = digest([endpoint.model, sent.get("temperature"), endpoint.max_tokens, name, prompt])
        found = _settled(endpoint, kept.tries.get(key, []), wrong)
        if found is not None:
            return found
        try:
            kept.add(_ask(client, endpoint, prompt, sent, key))
        except openai.APIStatusError as error:
            if error.status_code not in REFUSED or not parameters.learn(error, sent):
                raise


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
    kept, settled, parameters = Journal(journal), dict[str, Try](), _Parameters(endpoint)
    progress(endpoint.model, 0, len(prompts))

    def wrong(name: str, entry: Try) -> str | None:
        return _wrong(endpoint, entry, lambda text: fault(name, text))

    try:
        with kept.stream, _client(endpoint) as client, ThreadPoolExecutor(endpoint.parallel) as pool:

            def settle(name: str) -> tuple[str, Try]:
                try:
                    return name, _one(client, endpoint, parameters, kept, name, prompts[name], partial(wrong, name))
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)  # before this thread begins another request
                    raise

            for name, found in _finished(pool, [pool.submit(settle, name) for name in prompts]):
                settled[name] = found
                progress(endpoint.model, len(settled), len(prompts))
    except openai.APIError as error:
        said = str(error).splitlines()[0]
        raise InputError(
            f"endpoint: expected answers from {endpoint.url}; {said}; those received are in {journal}: run again"
        ) from error
    faults = {name: wrong(name, settled[name]) for name in prompts}
    tries = [entry for entries in kept.tries.values() for entry in entries]
    return Answers(
        {name: settled[name].text or "" for name in prompts if faults[name] is None},
        {name: reason for name, reason in faults.items() if reason is not None},
        sum(entry.prompt_tokens for entry in tries),
        sum(entry.completion_tokens for entry in tries),
    )


def _finished(pool: ThreadPoolExecutor, futures: Sequence["Future[tuple[str, Try]]"]) -> Iterator[tuple[str, Try]]:
    """Results as they come; however this ends, what was not begun is dropped."""
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
