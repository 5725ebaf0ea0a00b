"""Conversations in the wild, turned into messages of four roles.

role       the speaker is written
user       user, human, prompter
assistant  assistant, gpt, chatgpt, model, bot, chatbot, bing, bard, ai, function_call, tool_call
system     system, developer
tool       tool, function, observation, function_response, tool_response, ipython

A turn is an object with role or from, and content or value; a conversation is a list of turns, one
object of columns ({"role": […], "content": […]}), or the JSON of either as text. Content is text,
or a list of parts of type text, which are joined as chat templates join them, with nothing in
between. A call in a turn of its own (function_call, tool_call) is text and stays as it is written;
calls in a turn's `tool_calls` are refused, since every model writes its own way of calling. A
system turn without text is none.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llm.corpora.example import Message
from llm.data.fields import BESIDE, says_something
from llm.data.records import MisfitError, shown

SPEAKERS = {
    "user": ("user", "human", "prompter"),
    "assistant": (
        "assistant", "gpt", "chatgpt", "model", "bot", "chatbot", "bing", "bard", "ai",
        "function_call", "tool_call",
    ),
    "system": ("system", "developer"),
    "tool": ("tool", "function", "observation", "function_response", "tool_response", "ipython"),
}  # fmt: skip
ROLES = {name: role for role, names in SPEAKERS.items() for name in names}
WHO, SAID = ("role", "from"), ("content", "value")
CALLS = ("tool_calls", "function_call")
PARTS = ("text", "input_text", "output_text")  # types of parts that are text
READ = frozenset((*WHO, *SAID, *CALLS))


def turns(value: Any, field: str) -> list[Message]:
    """The messages of a conversation in `field`; MisfitError names a turn that is no message."""
    listed = listed_turns(value)
    if listed is None:
        raise MisfitError(
            field,
            "expected a list of turns with role and content, or from and value; got "
            f"{shown(value)}",
        )
    said = [_message(turn, f"{field}[{number}]") for number, turn in enumerate(listed)]
    return [message for message in said if message.content or message.role != "system"]


def listed_turns(value: Any) -> list[Mapping[str, Any]] | None:
    """A conversation as a list of turns, from columns or from JSON, too; None for anything else."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    columns = list(value.values()) if isinstance(value, dict) else []
    if columns and all(isinstance(column, list) for column in columns):
        if len({len(column) for column in columns}) > 1:
            return None
        value = [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        return None
    return value


def _message(turn: Mapping[str, Any], place: str) -> Message:
    who, said = _present(turn, WHO), _present(turn, SAID)
    speaker = turn.get(who)
    role = ROLES.get(speaker.strip().casefold()) if isinstance(speaker, str) else None
    if role is None:
        raise MisfitError(
            f"{place}.{who}", f"expected one of {', '.join(ROLES)}; got {shown(speaker)}"
        )
    for call in CALLS:
        if turn.get(call):
            message = "expected turns of text; got a call: write it into the content as text"
            raise MisfitError(f"{place}.{call}", message)
    content = _content(turn.get(said), f"{place}.{said}")
    if not content and role != "system":
        raise MisfitError(f"{place}.{said}", "expected text; got an empty one")
    if said == SAID[0] and turn.get(SAID[1]):
        raise MisfitError(f"{place}.{SAID[1]}", f"expected {' or '.join(SAID)}; got both")
    return Message(role, content)


def _present(turn: Mapping[str, Any], names: tuple[str, str]) -> str:
    """The first of two names under which something stands."""
    first, second = names
    return second if turn.get(first) is None and turn.get(second) is not None else first


def _content(value: Any, place: str) -> str:
    if isinstance(value, list):
        parts = [_part(part, f"{place}[{number}]") for number, part in enumerate(value)]
        return "".join(parts).strip()
    if not isinstance(value, str):
        raise MisfitError(place, f"expected text; got {shown(value)}")
    return value.strip()


def _part(part: Any, place: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, dict) else shown(part)
    if kind not in PARTS:
        raise MisfitError(place, f"expected a part of type text; got {kind}")
    if not isinstance(part.get("text"), str):
        raise MisfitError(f"{place}.text", f"expected text; got {shown(part.get('text'))}")
    return part["text"]


def past(value: Any, field: str) -> list[Message]:
    """The turns of a history: pairs of question and answer, or a conversation."""
    if not value:
        return []
    pairs = (
        [pair for pair in value if isinstance(pair, list | tuple)]
        if isinstance(value, list)
        else []
    )
    if not pairs:
        return turns(value, field)
    said = list[Message]()
    for number, pair in enumerate(value):
        if (
            not isinstance(pair, list | tuple)
            or len(pair) != 2
            or not all(isinstance(text, str) for text in pair)
        ):
            raise MisfitError(
                f"{field}[{number}]", f"expected a question and its answer; got {shown(pair)}"
            )
        for role, text in zip(("user", "assistant"), pair, strict=True):
            if not text.strip():
                raise MisfitError(f"{field}[{number}]", "expected text; got an empty one")
            said.append(Message(role, text.strip()))
    return said


def joined(asked: Sequence[Message], answered: Sequence[Message], field: str) -> list[Message]:
    """Prompt and answer as one conversation; the answer may begin with the turns of the prompt."""
    if not any(turn.role in ("user", "system") for turn in answered):
        return [*asked, *answered]
    (first, before), (own, body) = without_system(asked), without_system(answered)
    if body[: len(before)] != before or (first and own and first != own):
        roles = ", ".join(turn.role for turn in answered)
        raise MisfitError(
            field,
            f"expected the answer alone, or the whole conversation with the prompt; got {roles}",
        )
    return [*(own or first), *body]


def without_system(said: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """The system message a conversation begins with, if it does, and its other turns."""
    begins = 1 if said and said[0].role == "system" else 0
    return list(said[:begins]), list(said[begins:])


def unread(value: Any) -> Iterator[str]:
    """Names inside a conversation's turns that say something and that no one reads."""
    for turn in listed_turns(value) or ():
        if not turn.keys() <= READ:
            for name, value in turn.items():
                if name not in READ and name not in BESIDE and says_something(value):
                    yield name
