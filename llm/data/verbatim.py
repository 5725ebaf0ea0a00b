"""Text that spells special tokens, encoded as text.

A prompt that contains "</s>" or "<|eot_id|>" must not end a turn. A copy of the tokenizer with the
same ids spells its special tokens by private-use characters. In the rendered text the template's
special tokens are respelled so, those in the contents are not; the copy tokenizes the whole at
once, so that all else is joined as always. Which is which is known because the contents are
rendered with another private-use character in the place of each special token.
"""

import functools
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from llm.corpora.example import Message

PRIVATE = range(0xF0000, 0xFFFFE)  # Unicode's plane 15, for private use


def unused(text: str, count: int) -> list[str]:
    """The first `count` private-use characters that do not occur in a text."""
    taken = set(text)
    free = (chr(code) for code in PRIVATE if chr(code) not in taken)
    return list(itertools.islice(free, count))


def special_tokens(tokenizer: PreTrainedTokenizerFast) -> dict[int, str]:
    """Special tokens by id: those that the tokenizer's file flags, and those that it names."""
    flagged = {
        i: token.content for i, token in tokenizer.added_tokens_decoder.items() if token.special
    }
    named = {
        tokenizer.convert_tokens_to_ids(token): token for token in tokenizer.all_special_tokens
    }
    return {i: token for i, token in (flagged | named).items() if i is not None}


def any_of(strings: Sequence[str]) -> re.Pattern[str]:
    """Any of the strings, the longest first as tokenizers do; none of no strings."""
    longest_first = sorted(strings, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


@dataclass(frozen=True)
class Spelling:
    """Characters in the place of special tokens.

    controls: for the tokens that a template prints · stand_ins: for the tokens in the contents.
    """

    tokenizer: PreTrainedTokenizerFast
    controls: tuple[tuple[str, str], ...]
    stand_ins: tuple[tuple[str, str], ...]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """A special token's string."""
        return any_of([string for string, _ in self.controls])

    def hide(self, content: str) -> str:
        """A content with stand-ins in the place of special tokens."""
        names = dict(self.stand_ins)
        return self.pattern.sub(lambda match: names[match[0]], content)

    def hide_turn(self, turn: Message) -> Message:
        """`hide` the content of a turn."""
        return turn._replace(content=self.hide(turn.content))

    def reveal(self, rendered: str) -> str:
        """Rendered text for the copied tokenizer: the template's special tokens respelled."""
        names = dict(self.controls)
        respelled = self.pattern.sub(lambda match: names[match[0]], rendered)
        return respelled.translate({ord(character): string for string, character in self.stand_ins})

    def encode(self, revealed: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids and character spans of revealed text."""
        encoding = _copy(self.tokenizer, self.controls).encode(revealed, add_special_tokens=False)
        return encoding.ids, encoding.offsets


def spelling(tokenizer: PreTrainedTokenizerFast, text: str) -> Spelling:
    """Characters that do not occur in a text, the template's included."""
    strings = sorted(set(special_tokens(tokenizer).values()))
    free = unused(text, 2 * len(strings))
    controls = tuple(zip(strings, free[: len(strings)], strict=True))
    return Spelling(tokenizer, controls, tuple(zip(strings, free[len(strings) :], strict=True)))


@functools.lru_cache(
    maxsize=4
)  # seconds for a vocabulary of 128,000, and nearly always the same characters
def _copy(tokenizer: PreTrainedTokenizerFast, controls: tuple[tuple[str, str], ...]) -> Tokenizer:
    names = dict(controls)
    copied = json.loads(tokenizer.backend_tokenizer.to_str())
    for token in copied["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    _respell(copied["model"], names)
    return Tokenizer.from_str(json.dumps(copied | {"truncation": None, "padding": None}))


def _respell(model: dict[str, Any], names: dict[str, str]) -> None:
    """Respell the special tokens that are in the model's own vocabulary, too.

    Otherwise the tokenizer could make one of them out of plain text.
    """
    if isinstance(model["vocab"], dict):
        model["vocab"] = {names.get(piece, piece): i for piece, i in model["vocab"].items()}
    else:  # Unigram: pieces with their scores, in the order of their ids
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in model["vocab"]]
    if model.get("unk_token"):
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    if "merges" in model:
        pairs = [pair if isinstance(pair, list) else pair.split(" ") for pair in model["merges"]]
        model["merges"] = [pair for pair in pairs if not names.keys() & {*pair, "".join(pair)}]
