"""One row of a stage: a user's prompt and the assistant's answer, as plain text."""

import random
from collections.abc import Callable
from typing import NamedTuple


class Message(NamedTuple):
    """One turn of a chat; role is system, user, assistant or tool."""

    role: str
    content: str


class Example(NamedTuple):
    """A question, its answer, and the turns before it; the chat format is added when it is encoded.

    history: the turns before the prompt, a system message of the row first · tools: a JSON list of
    the tools that the conversation offers, "" for none · Without a prompt the answer is raw text,
    learned as a whole.
    """

    prompt: str
    answer: str
    history: tuple[Message, ...] = ()
    tools: str = ""


class Corpus(NamedTuple):
    """Training rows and held-out rows of a stage; no prompt is in both."""

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]


def split(examples: "list[Example]", train: int, held_out: int) -> Corpus:
    """The first `train` and the next `held_out` of examples whose prompts are all distinct."""
    return Corpus(tuple(examples[:train]), tuple(examples[train : train + held_out]))


def draw_distinct(
    make: Callable[[random.Random], Example], rng: random.Random, count: int
) -> "list[Example]":
    """Up to `count` examples of distinct prompts; fewer if 50 draws a row did not find more."""
    rows: dict[str, Example] = {}
    for _ in range(50 * count):
        row = make(rng)
        rows.setdefault(row.prompt, row)
        if len(rows) == count:
            break
    return list(rows.values())
