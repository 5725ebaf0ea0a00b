"""Answers of a chat endpoint to many prompts: each is checked, requested again, and kept.

A run killed anywhere and started again asks only for what is not in the journal yet; changing the
model, the wording, the limit or the temperature changes the keys, so old answers are not mistaken
for new ones. What comes without any text (cut while the model was thinking, filtered, refused) is
settled by one try; a text that is cut never passes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import openai

from llm.curation.endpoint import Endpoint, Parameters, answer, client_of
from llm.curation.journal import Journal, Try
from protocol.errors import InputError, first_line
from protocol.progress import Progress, quiet
from protocol.spec import digest

Fault = Callable[[str, str], str | None]


@dataclass(frozen=True)
class Answers:
    """Accepted texts by request, the reasons why others were dropped, and all tries' tokens."""

    accepted: Mapping[str, str]
    dropped: Mapping[str, str]
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class _Run:
    """What the threads of one `ask` share."""

    endpoint: Endpoint
    prompts: Mapping[str, str]
    kept: Journal
    parameters: Parameters
    fault: Fault

    def wrong(self, name: str, entry: Try) -> str | None:
        """The fault of an answer: cut, withheld, without text, or by its check; None for none."""
        if entry.finish == "length":
            return f"cut at {self.endpoint.max_tokens} tokens: raise --endpoint.max-tokens"
        if entry.refusal:
            return f"refused by {self.endpoint.model}: {entry.refusal[:60]!r}"
        if entry.finish == "content_filter":
            return f"withheld by the content filter of {self.endpoint.model}"
        if entry.text is None:
            return f"no text from {self.endpoint.model}, finish_reason {entry.finish!r}"
        return self.fault(name, entry.text)

    def settled(self, name: str, tries: Sequence[Try]) -> Try | None:
        """The first answer that passes its check, or the last if no more may be requested."""
        passing = next((entry for entry in tries if self.wrong(name, entry) is None), None)
        given_up = len(tries) >= self.endpoint.attempts or any(
            entry.text is None for entry in tries
        )
        return passing or (tries[-1] if given_up else None)

    def one(self, client: openai.OpenAI, name: str) -> Try:
        """The answer that settles one prompt, out of the journal or from new requests."""
        while True:
            sent = self.parameters.current()
            # The key again each time: a temperature that was refused meanwhile makes it another
            # question.
            temperature, limit = sent.get("temperature"), self.endpoint.max_tokens
            key = digest([self.endpoint.model, temperature, limit, name, self.prompts[name]])
            entry = self.settled(name, self.kept.tries.get(key, []))
            if entry is not None:
                return entry
            try:
                received = answer(client, self.endpoint, self.prompts[name], sent, key)
            except openai.APIStatusError as error:
                if not self.parameters.learn(error, sent):
                    raise
            else:
                self.kept.add(received)
                self.parameters.observe(received.completion_tokens, sent)

    def all(self, progress: Progress) -> dict[str, Try]:
        """The answer that settles each prompt; after an error no thread begins another request."""
        answers = dict[str, Try]()
        with client_of(self.endpoint) as client, ThreadPoolExecutor(self.endpoint.parallel) as pool:

            def settle(name: str) -> tuple[str, Try]:
                try:
                    return name, self.one(client, name)
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise

            for name, entry in _finished(
                pool, [pool.submit(settle, name) for name in self.prompts]
            ):
                answers[name] = entry
                progress(self.endpoint.model, len(answers), len(self.prompts))
        return answers


def _finished(
    pool: ThreadPoolExecutor, futures: Sequence["Future[tuple[str, Try]]"]
) -> Iterator[tuple[str, Try]]:
    """Results as they come; however this ends, what was not begun is dropped."""
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def ask(
    endpoint: Endpoint,
    prompts: Mapping[str, str],
    journal: Path,
    *,
    fault: Fault,
    progress: Progress = quiet,
) -> Answers:
    """An answer to every prompt, by the prompt's id.

    fault: called as (id, answer); None if the answer will do, else what is wrong with it, and
    another is asked for. Raises InputError if the endpoint cannot be used; what was answered
    stays in `journal`.
    """
    run = _Run(endpoint, prompts, Journal(journal), Parameters(endpoint), fault)
    progress(endpoint.model, 0, len(prompts))
    try:
        with run.kept.stream:
            return _summary(run, run.all(progress))
    except openai.APIError as error:
        raise InputError(
            f"endpoint: expected answers from {endpoint.url}; {first_line(error)}; those received "
            f"are in {journal}: run again"
        ) from error


def _summary(run: _Run, settled: Mapping[str, Try]) -> Answers:
    faults = {name: run.wrong(name, settled[name]) for name in run.prompts}
    tries = [entry for entries in run.kept.tries.values() for entry in entries]
    return Answers(
        {name: settled[name].text or "" for name in run.prompts if faults[name] is None},
        {name: reason for name, reason in faults.items() if reason is not None},
        sum(entry.prompt_tokens for entry in tries),
        sum(entry.completion_tokens for entry in tries),
    )
