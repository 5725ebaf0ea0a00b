"""One request to an OpenAI-compatible chat endpoint: paced, retried, with accepted parameters.

Failed connections, stalls, refused requests (HTTP 408, 409, 429, 5xx) and bodies that are no chat
completion are retried; the pace counts retries too.

Servers take different parameters. The limit is sent as max_completion_tokens, as max_tokens where
that is refused or not kept; a refused temperature is left out; each with a notice but for a refused
name of the limit. A refusal that speaks of a range (a temperature above the most, a limit above the
context) is one of the value, and is shown. Of "<think>…</think> answer" the answer is kept.
"""

import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import openai

from llm.curation.journal import Try
from protocol.errors import InputError
from protocol.notices import notice

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

REFUSED = (400, 422)  # what servers answer to a parameter they do not take
LIMITS = ("max_completion_tokens", "max_tokens")
RANGE = re.compile(
    r"between|\brange\b|(less|greater|more|higher|lower) than|at "
    r"(most|least)|maxim|minim|exceed|(above|below)_m"
    r"|too (large|small|high|low|long)|(<|>|≤|≥)=?\s*-?\d",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Endpoint:
    """Where answers come from, and how it is asked."""

    url: str
    """Base URL, for instance http://localhost:8000/v1."""
    model: str
    """The model's name at the endpoint."""
    key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key; if it is not set, none is sent."""
    per_minute: int = 60
    """Requests a minute at most, retries included."""
    parallel: int = 4
    """Requests under way at a time."""
    timeout: float = 60.0
    """Seconds after which a request counts as stalled."""
    retries: int = 5
    """How often a failed request is sent again."""
    attempts: int = 3
    """How often another answer is asked for if one does not pass its check."""
    temperature: float = 0.7
    """Sampling temperature."""
    max_tokens: int = 512
    """Longest answer, in tokens; a reasoning model's thoughts count."""

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise InputError(f"endpoint.url: expected http://… or https://…; got {self.url!r}")
        for name in ("per_minute", "parallel", "timeout", "attempts", "max_tokens"):
            if not getattr(self, name) > 0:
                raise InputError(
                    f"endpoint.{name}: expected a number > 0; got {getattr(self, name)}"
                )
        if not 0 <= self.temperature <= 2:
            raise InputError(
                f"endpoint.temperature: expected a number from 0 to 2; got {self.temperature}"
            )


class _Pace:
    """Lets `per_minute` requests through a minute, evenly spaced."""

    def __init__(self, per_minute: int) -> None:
        self.interval, self.lock, self.next = 60.0 / per_minute, threading.Lock(), 0.0

    def wait(self, _: object) -> None:
        with self.lock:
            turn = max(self.next, time.monotonic())
            self.next = turn + self.interval
        time.sleep(max(0.0, turn - time.monotonic()))


class Parameters:
    """The parameters that an endpoint accepts, learned from its refusals; shared by all threads."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint, self.lock = endpoint, threading.Lock()
        self.limit, self.refused, self.ignored = LIMITS[0], set[str](), set[str]()
        self.temperature: float | None = endpoint.temperature

    def current(self) -> dict[str, Any]:
        """What is sent beside model and messages."""
        with self.lock:
            sent: dict[str, Any] = {self.limit: self.endpoint.max_tokens}
            return sent if self.temperature is None else {**sent, "temperature": self.temperature}

    def learn(self, refusal: openai.APIStatusError, sent: Mapping[str, Any]) -> bool:
        """Leave out the parameters that a refusal names; False if none of them can be left out."""
        named = [name for name in sent if name in str(refusal.param or refusal)]
        if refusal.status_code not in REFUSED or RANGE.search(str(refusal)):
            return False
        with self.lock:
            learned = [self._without_temperature()] if "temperature" in named else []
            learned += [self._without_limit(name) for name in named if name in LIMITS]
        return any(learned)

    def _without_temperature(self) -> bool:
        self.temperature = None
        notice(
            f"endpoint: {self.endpoint.model} takes no temperature; its answers are asked for "
            "without one"
        )
        return True

    def _without_limit(self, name: str) -> bool:
        self.refused.add(name)
        others = [other for other in LIMITS if other not in self.refused]
        self.limit = others[0] if others else self.limit
        return bool(others)

    def observe(self, tokens: int, sent: Mapping[str, Any]) -> None:
        """Say once that a name of the limit is ignored, and send the other from then on."""
        name = next(name for name in LIMITS if name in sent)
        with self.lock:
            if tokens <= self.endpoint.max_tokens or name in self.ignored:
                return
            self.ignored.add(name)
            others = [other for other in LIMITS if other not in self.refused | self.ignored]
            self.limit = others[0] if others else self.limit
            way = (
                f"{others[0]} is sent from now on"
                if others
                else "answers may be longer than --endpoint.max-tokens"
            )
            notice(
                f"endpoint: {self.endpoint.model} does not keep {name}: {tokens} tokens where "
                f"{self.endpoint.max_tokens} are the limit; {way}"
            )


def client_of(endpoint: Endpoint) -> openai.OpenAI:
    """A client that keeps the endpoint's pace; to be closed."""
    pace = _Pace(endpoint.per_minute)
    return openai.OpenAI(
        base_url=endpoint.url,
        api_key=os.environ.get(endpoint.key_variable) or "none",
        timeout=endpoint.timeout,
        max_retries=endpoint.retries,
        http_client=openai.DefaultHttpxClient(event_hooks={"request": [pace.wait]}),
        _strict_response_validation=True,
    )


def answer(
    client: openai.OpenAI, endpoint: Endpoint, prompt: str, sent: Mapping[str, Any], key: str
) -> Try:
    """One answer; a body that is no chat completion is asked for again as a failed request is."""
    for attempt in range(endpoint.retries + 1):
        try:
            reply = client.chat.completions.create(
                model=endpoint.model, messages=[{"role": "user", "content": prompt}], **sent
            )
            return _received(key, reply)
        except (
            openai.APIResponseValidationError,
            ValueError,
            AttributeError,
            IndexError,
            TypeError,
        ) as error:
            rubbish = error
            time.sleep(min(8.0, 0.5 * 2**attempt))
    raise InputError(
        f"endpoint: expected a chat completion; {endpoint.url} answered otherwise ({rubbish})"
    )


def _received(key: str, reply: "ChatCompletion") -> Try:
    choice, usage = reply.choices[0], reply.usage
    content, finish = choice.message.content, choice.finish_reason or "stop"
    text = (
        content.rpartition("</think>")[2].strip() if content and "</think>" in content else content
    )
    if not text and finish != "stop":
        text = None  # some servers say null, some ""
    tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
    return Try(key, text, *tokens, finish, choice.message.refusal or "")
