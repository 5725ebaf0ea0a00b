"""Conversations as tokens, with any chat template, and a mask over the answer and its end token.

The whole conversation is tokenized at once and cut where the answer's characters begin, so prompt
and answer are what the model would read and write: a template's own text before the answer (a think
block, say) belongs to the prompt, a space that the tokenizer joins to the answer's first word
belongs to the answer. The end token is the first special token after the answer; special is what
the tokenizer's file flags so, and what the tokenizer names so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from transformers import PreTrainedTokenizerFast

from llm.corpora.example import Example, Message
from llm.data import templates, verbatim
from llm.data.templates import PLAIN, Template, template_of
from protocol.errors import InputError

__all__ = [
    "PLAIN",
    "Format",
    "Row",
    "encode",
    "encode_all",
    "encode_answer",
    "encode_prompt",
    "fit",
    "template_of",
]


class Row(NamedTuple):
    """One encoded example: token ids of the prompt, and of the answer with its end token.

    The chat format belongs to the prompt.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


class Tokens(NamedTuple):
    """A text as tokens: their ids, and for each the characters [start, stop) it stands for."""

    ids: Sequence[int]
    spans: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Format:
    """A tokenizer and its chat template.

    system: a message before every conversation that has no system message of its own.
    """

    tokenizer: PreTrainedTokenizerFast
    template: str
    system: str | None = None

    def turns(self, example: Example) -> list[Message]:
        """All turns of a row, the answer last."""
        turns = [*example.history]
        if self.system is not None and all(turn.role != "system" for turn in turns):
            turns.insert(0, Message("system", self.system))
        if example.prompt:
            turns.append(Message("user", example.prompt))
        return [*turns, Message("assistant", example.answer)]

    @cached_property
    def named(self) -> Template:
        """The template with the special tokens it can print."""
        return Template(self.template, tuple(self.tokenizer.special_tokens_map.items()))

    @cached_property
    def frames(self) -> tuple[str, ...]:
        """The text around an answer, without and with a system message of the row, for keys.

        For a template that takes no system message, its refusal is the last element.
        """
        plain = templates.parts(self.named, self.turns(Example("Q", "A")))
        try:
            own = templates.parts(
                self.named, self.turns(Example("Q", "A", (Message("system", "S"),)))
            )
        except InputError as refusal:
            return plain.before, plain.after, str(refusal)
        return plain.before, plain.after, own.before, own.after

    @cached_property
    def special(self) -> frozenset[int]:
        """Ids of all special tokens."""
        return frozenset(verbatim.special_tokens(self.tokenizer))

    @cached_property
    def spelled(self) -> re.Pattern[str]:
        """The string of a special token."""
        return verbatim.any_of([*verbatim.special_tokens(self.tokenizer).values()])

    @cached_property
    def end(self) -> int:
        """The token that ends an answer."""
        return encode(self, Example("Q", "A")).answer[-1]

    @cached_property
    def ends(self) -> frozenset[int]:
        """The tokens that end sampling: the end token of an answer, and the tokenizer's own."""
        named = self.tokenizer.eos_token_id
        return frozenset({self.end} if named is None else {self.end, named})


def _tokens(form: Format, text: str) -> Tokens:
    encoded = form.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return Tokens(encoded["input_ids"], encoded["offset_mapping"])


def _spelling(form: Format, contents: Sequence[str]) -> verbatim.Spelling | None:
    """How text is spelled that contains special tokens; None for all other text."""
    if not any(form.spelled.search(content) for content in contents):
        return None
    return verbatim.spelling(form.tokenizer, "".join([form.template, *contents]))


def _conversation(form: Format, example: Example) -> tuple[Row, tuple[int, ...]]:
    """The row of a conversation, and its answer's tokens without what ends it."""
    turns, tools = form.turns(example), templates.tools_of(example.tools)
    spelling = _spelling(form, [*(turn.content for turn in turns), tools])
    if spelling is None:
        before, answer, after = templates.parts(form.named, turns, tools)
        tokens = _tokens(form, before + answer + after)
    else:
        hidden = [spelling.hide_turn(turn) for turn in turns]
        rendered = templates.parts(form.named, hidden, spelling.hide(tools))
        before, answer, after = (spelling.reveal(part) for part in rendered)
        tokens = Tokens(*spelling.encode(before + answer + after))
    return _cut(form, tokens, len(before), len(before) + len(answer), after)


def _cut(
    form: Format, tokens: Tokens, begin: int, stop: int, after: str
) -> tuple[Row, tuple[int, ...]]:
    """The row of a conversation whose answer has the characters [begin, stop).

    A special token may take spaces around it (Phi-3's do). A special token that starts before the
    answer belongs to the prompt, and one that reaches beyond the answer ends it.
    """
    ids, spans = tokens
    special = [token in form.special for token in ids]
    places = range(len(ids))
    first = next(
        (i for i in places if spans[i][1] > begin and not (special[i] and spans[i][0] < begin)),
        len(ids),
    )
    end = next((i for i in places[first:] if special[i] and spans[i][1] > stop), None)
    if end is None:
        raise InputError(
            f"template: expected a special token of this tokenizer after the answer; got {after!r}"
        )
    behind = next((i for i in range(first, end) if spans[i][0] >= stop), end)
    return Row(tuple(ids[:first]), tuple(ids[first : end + 1])), tuple(ids[first:behind])


def _raw(form: Format, text: str) -> Row:
    """A text that is learned as a whole, after the start token (or else the end token)."""
    start, end = form.tokenizer.bos_token_id, form.tokenizer.eos_token_id
    if end is None:
        raise InputError(
            "tokenizer: expected an end token, which ends raw text (rows without a prompt); it "
            "names none"
        )
    spelling = _spelling(form, [text])
    ids = _tokens(form, text).ids if spelling is None else spelling.encode(text)[0]
    return Row((end if start is None else start,), (*ids, end))


def encode(form: Format, example: Example) -> Row:
    """Prompt and answer as token ids; without a prompt and turns before it the answer is raw text.

    Special tokens in the row are text, never control tokens. InputError if the template leaves out
    a part of the row.
    """
    if example.prompt or example.history:
        return _conversation(form, example)[0]
    if example.tools:
        raise InputError("tools: expected a row with a prompt; raw text takes no tools")
    return _raw(form, example.answer)


def encode_all(form: Format, examples: Sequence[Example]) -> list[Row]:
    """`encode` over examples."""
    return [encode(form, example) for example in examples]


def fit(rows: Sequence[Row], context: int) -> tuple[list[Row], int, int]:
    """Rows of at most `context` tokens, the number of rows cut, and the number left out.

    Answers are cut at their end and lose the end token. Rows whose prompt leaves no room for an
    answer are left out.
    """
    room = [row for row in rows if len(row.prompt) < context]
    fitting = [Row(row.prompt, row.answer[: context - len(row.prompt)]) for row in room]
    cut = sum(len(short.answer) < len(row.answer) for short, row in zip(fitting, room, strict=True))
    return fitting, cut, len(rows) - len(room)


def encode_prompt(form: Format, prompt: str) -> tuple[int, ...]:
    """Token ids of a prompt up to where its answer begins."""
    return encode(form, Example(prompt, "A")).prompt


def encode_answer(form: Format, text: str) -> tuple[int, ...]:
    """Token ids of a text as it stands in an answer, without the end token."""
    return _conversation(form, Example("Q", text))[1]
