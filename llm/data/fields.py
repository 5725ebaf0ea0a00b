"""The names of fields: parts of a prompt, fields without content, and fields that are not read.

A field of a record is used by its shape, or is one of BESIDE, or holds no text (a number, a date);
any other that says something is named by `unread`, so that nothing which changes a prompt is
dropped without a word.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llm.corpora.example import Example
from llm.data.records import MisfitError, shown, texts

SYSTEM = ("system", "system_prompt", "system_message")  # the system message, before everything
HISTORY = (
    "history"  # pairs of question and answer, or turns, before the prompt (Alpaca, LLaMA-Factory)
)
TOOLS = ("tools", "functions")  # what the conversation may call, a list
PASSAGES = (
    "input",
    "context",
    "passage",
    "document",
)  # follow the prompt after an empty line, in this order
EVERYWHERE = (*SYSTEM, HISTORY, *TOOLS)
BESIDE = frozenset(
    (
        "",
        "id",
        "ids",
        "idx",
        "index",
        "row_id",
        "uid",
        "uuid",
        "hash",
        "question_id",
        "prompt_id",
        "conversation_id",
        "conversation_hash",
        "message_id",
        "tool_call_id",
        "source",
        "sources",
        "dataset",
        "origin",
        "split",
        "subset",
        "url",
        "link",
        "license",
        "created_at",
        "date",
        "time",
        "timestamp",
        "category",
        "categories",
        "subcategory",
        "type",
        "label",
        "labels",
        "focus",
        "note",
        "notes",
        "prompt_style",
        "style",
        "tag",
        "tags",
        "domain",
        "language",
        "lang",
        "difficulty",
        "level",
        "metadata",
        "meta",
        "score",
        "scores",
        "rating",
        "model",
    )
)


def text(values: Mapping[str, Any], field: str, *, optional: bool = False) -> str:
    """The text of a field, stripped; MisfitError if it is none, or blank and not optional."""
    value = values.get(field)
    if optional and value is None:
        return ""
    if not isinstance(value, str):
        raise MisfitError(field, f"expected text; got {shown(value)}")
    if not value.strip() and not optional:
        raise MisfitError(field, "expected text; got an empty one")
    return value.strip()


def passages(values: Mapping[str, Any], *, but: str = "") -> list[str]:
    """The texts that follow a prompt; `but` is the field that is itself the prompt."""
    joined = [
        text(values, field, optional=True) for field in PASSAGES if field != but and field in values
    ]
    return [passage for passage in joined if passage]


def system(values: Mapping[str, Any]) -> str:
    """The system message of a record's own column, "" for none; MisfitError for two that differ."""
    given = {field: text(values, field, optional=True) for field in SYSTEM if field in values}
    said = {field: message for field, message in given.items() if message}
    if len(set(said.values())) > 1:
        raise MisfitError(
            list(said)[-1], f"expected one system message; got others in {' and '.join(said)}"
        )
    return next(iter(said.values()), "")


def tools(values: Mapping[str, Any]) -> str:
    """The tools of a record as the JSON text of a list, "" for none."""
    given = [field for field in TOOLS if values.get(field)]
    if not given:
        return ""
    if len(given) > 1:
        raise MisfitError(given[1], f"expected tools in one field; got {' and '.join(given)}")
    listed = _tools(given[0], values[given[0]])
    try:
        return json.dumps(listed, ensure_ascii=False) if listed else ""
    except (TypeError, ValueError, RecursionError) as error:
        raise MisfitError(
            given[0], f"expected tools that can be written as JSON; {error}"
        ) from error


def _tools(field: str, value: Any) -> list[Any]:
    if isinstance(value, str):
        if not value.strip():
            return []
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise MisfitError(
                field, f"expected a list of tools, or its JSON; got {shown(value)}"
            ) from None
    listed = [value] if isinstance(value, dict) and value else value
    if not listed:
        return []
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise MisfitError(field, f"expected a list of tools, or its JSON; got {shown(value)}")
    return listed


def _is_number(word: str) -> bool:
    """Whether a text is a number or a truth value, as the cells of a CSV file write them."""
    try:
        float(word)
    except ValueError:
        return word.casefold() in ("true", "false", "null", "none")
    return True


def says_something(value: Any) -> bool:
    """Whether a value holds text that is no number."""
    return any(not _is_number(word) for word in texts(value))


def unread(
    rows: Sequence[tuple[Mapping[str, Any], Example]], used: frozenset[str]
) -> Iterator[str]:
    """Names of fields that hold text in at least one record, none of it in the record's example."""
    names = dict.fromkeys(name for values, _ in rows for name in values)
    for name in names:
        is_known = name in used or name.casefold() in BESIDE
        if not is_known and any(_is_lost(values.get(name), example) for values, example in rows):
            yield name


def _is_lost(value: Any, example: Example) -> bool:
    if not says_something(value):
        return False
    said = {example.prompt, example.answer, *(turn.content for turn in example.history)}
    return not said.issuperset(texts(value))
