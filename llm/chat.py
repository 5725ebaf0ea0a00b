"""Conversations as tokens: any chat template, and a mask that covers exactly the answer with its end token.

The whole conversation is tokenized at once and cut where the answer's characters begin, so prompt and answer are what
the model would read and write: a template's own text before the answer (a think block, say) belongs to the prompt, a
space that the tokenizer joins to the answer's first word belongs to the answer. The end token is the first special
token after the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import jinja2
from transformers import PreTrainedTokenizerFast

from llm.corpora.example import Example, Message
from llm.models.loading import load_tokenizer, snapshot
from protocol.errors import InputError

MARK = "RETRACE-ANSWER"  # stands for the answer while a template is rendered
PLAIN = (
    "{{ bos_token if bos_token else '' }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ 'Question: ' + message['content'] + '\nAnswer:' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}"
    "{% else %}{{ message['content'] + '\n' }}{% endif %}"
    "{% endfor %}"
)


class Row(NamedTuple):
    """One encoded example: token ids of the prompt (format included) and of the answer with its end token."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass(frozen=True)
class Format:
    """A tokenizer and the chat template that is used with it; `system` stands before every conversation."""

    tokenizer: PreTrainedTokenizerFast
    template: str
    system: str | None = None

    def frame(self, prompt: str, history: Sequence[Message] = ()) -> tuple[str, str]:
        """The text before and after an answer to the prompt; InputError where the template cannot be used."""
        system = () if self.system is None else (Message("system", self.system),)
        turns = (*system, *history, Message("user", prompt), Message("assistant", MARK))
        try:
            text = self.tokenizer.apply_chat_template(
                [turn._asdict() for turn in turns], chat_template=self.template, tokenize=False
            )
        except jinja2.TemplateError as error:
            roles = ", ".join(turn.role for turn in turns)
            raise InputError(f"template: expected one that takes the turns {roles}; it says: {error}") from error
        before, mark, after = text.rpartition(MARK)
        if not mark:
            raise InputError("template: expected one that prints the assistant's turn; its text is missing")
        return before, after

    def split(self, before: str, answer: str, after: str) -> tuple[Row, tuple[int, ...]]:
        """The encoded row of a text in three parts, and its answer's tokens without the end token."""
        encoded = self.tokenizer(before + answer + after, add_special_tokens=False, return_offsets_mapping=True)
        ids, spans = encoded["input_ids"], encoded["offset_mapping"]
        begin, stop = len(before), len(before) + len(answer)
        first = next(i for i, (_, end) in enumerate(spans) if end > begin)
        behind = next((i for i, (start, _) in enumerate(spans) if start >= stop and i >= first), len(ids))
        end = next((i for i in range(behind, len(ids)) if ids[i] in self.special), None)
        if end is None:
            raise InputError(f"template: expected a special token of this tokenizer after the answer; got {after!r}")
        return Row(tuple(ids[:first]), tuple(ids[first : end + 1])), tuple(ids[first:behind])

    @cached_property
    def special(self) -> frozenset[int]:
        """Ids of all special tokens."""
        return frozenset(self.tokenizer.all_special_ids)

    @cached_property
    def end(self) -> int:
        """The token that ends an answer; sampling stops there."""
        return encode(self, Example("Q", "A")).answer[-1]


def template_of(tokenizer: PreTrainedTokenizerFast, chosen: str | None) -> str:
    """The text of the chosen template, see `Pretrained.template`; InputError where there is none."""
    if chosen in (None, "own") and tokenizer.chat_template:
        return tokenizer.chat_template
    if chosen in (None, "plain"):
        return PLAIN
    if chosen == "own":
        raise InputError("template: expected a chat template in the model's tokenizer; it has none; name another")
    if chosen.endswith(".jinja"):
        if not Path(chosen).is_file():
            raise InputError(f"template: expected a file; not found: {chosen}")
        return Path(chosen).read_text(encoding="utf-8")
    found = load_tokenizer(snapshot(chosen)).chat_template
    if not found:
        raise InputError(f"template: expected a chat template in the tokenizer of {chosen}; it has none")
    return found


def encode(form: Format, example: Example) -> Row:
    """Prompt and answer as token ids; without a prompt the whole text counts as answer after the start token."""
    if not example.prompt:
        start, end = form.tokenizer.bos_token_id, form.tokenizer.eos_token_id
        text = form.tokenizer.encode(example.answer, add_special_tokens=False)
        return Row((end if start is None else start,), (*text, end))
    before, after = form.frame(example.prompt, example.history)
    return form.split(before, example.answer, after)[0]


def encode_all(form: Format, examples: Sequence[Example]) -> list[Row]:
    """`encode` over examples."""
    return [encode(form, example) for example in examples]


def fit(rows: Sequence[Row], context: int) -> tuple[list[Row], int, int]:
    """Rows of at most `context` tokens: answers cut at their end (losing the end token), rows whose prompt leaves no
    room left out. Returns the rows, how many were cut, and how many were left out."""
    room = [row for row in rows if len(row.prompt) < context]
    fitting = [Row(row.prompt, row.answer[: context - len(row.prompt)]) for row in room]
    cut = sum(len(short.answer) < len(row.answer) for short, row in zip(fitting, room, strict=True))
    return fitting, cut, len(rows) - len(room)


def encode_prompt(form: Format, prompt: str) -> tuple[int, ...]:
    """Token ids of a prompt up to where its answer begins."""
    return encode(form, Example(prompt, "A")).prompt


def encode_answer(form: Format, text: str) -> tuple[int, ...]:
    """Token ids of a text as it stands in an answer, without the end token."""
    before, after = form.frame("Q")
    return form.split(before, text, after)[1]
