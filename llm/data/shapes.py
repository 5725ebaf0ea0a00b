"""The shapes of question-and-answer data in the wild, found by their fields, and turned into `Example` rows.

shape           fields                                   known from
gsm8k           question, answer with "#### n"           GSM8K; calculator annotations are removed
question        question, answer                         TOFU
instruction     instruction, output [input]              Instruct-SkillMix, Alpaca
response        prompt, response or completion           most preference and fine-tuning sets
messages        messages: role, content                  chat data; conversations: from, value (ShareGPT)
prompt          prompt [label, type, focus]              XSTest; no answers
turns           turns [prompt_style]                     SORRY-Bench; no answers, the last turn is asked

Of a chat the last assistant turn is the answer, and all turns before it, a system message among them, are its prompt's
history. Fields in brackets may be absent.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llm.corpora.example import Example, Message
from llm.data import files, gsm8k
from llm.data.files import Problem, Record
from llm.grading import strict_number
from protocol.errors import InputError


class MisfitError(Exception):
    """A record that does not fit its shape: field and message."""


class Shape(NamedTuple):
    """How records with these fields become examples; `answered` is false where they hold prompts only."""

    name: str
    fields: tuple[str, ...]
    example: Callable[[Mapping[str, Any]], Example]
    answered: bool = True


def _text(values: Mapping[str, Any], field: str, *, optional: bool = False) -> str:
    value = values.get(field)
    if optional and value is None:
        return ""
    if not isinstance(value, str):
        raise MisfitError(field, f"expected text; got {'nothing' if value is None else repr(value)[:60]}")
    if not value.strip() and not optional:
        raise MisfitError(field, "expected text; got an empty one")
    return value.strip()


def _gsm8k(values: Mapping[str, Any]) -> Example:
    answer = gsm8k.without_marks(_text(values, "answer"))
    if strict_number(answer) is None:
        raise MisfitError("answer", f'expected a last line "#### NUMBER"; got {answer[-40:]!r}')
    return Example(_text(values, "question"), answer)


def _pair(prompt: str, answer: str) -> Callable[[Mapping[str, Any]], Example]:
    return lambda values: Example(_text(values, prompt), _text(values, answer))


def _instruction(values: Mapping[str, Any]) -> Example:
    asked = (_text(values, "instruction"), _text(values, "input", optional=True))
    return Example("\n\n".join(part for part in asked if part), _text(values, "output"))


ROLES = {"human": "user", "gpt": "assistant"}  # ShareGPT's names


def _messages(field: str, role: str, content: str) -> Callable[[Mapping[str, Any]], Example]:
    def example(values: Mapping[str, Any]) -> Example:
        turns = values.get(field)
        if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
            raise MisfitError(field, f"expected a list of turns with {role} and {content}; got {turns!r:.60}")
        said = [Message(ROLES.get(who := _text(turn, role), who), _text(turn, content)) for turn in turns]
        while said and said[-1].role != "assistant":
            said.pop()
        if len(said) < 2 or said[-2].role != "user":
            raise MisfitError(
                field, f"expected an assistant's turn after a user's; got {[turn[role] for turn in turns]}"
            )
        return Example(said[-2].content, said[-1].content, tuple(said[:-2]))

    return example


def _turns(values: Mapping[str, Any]) -> Example:
    turns = values.get("turns")
    if not isinstance(turns, list) or not turns or not isinstance(turns[-1], str) or not turns[-1].strip():
        raise MisfitError("turns", f"expected a list of at least one text; got {turns!r:.60}")
    return Example(turns[-1].strip(), "")


SHAPES = (
    Shape("gsm8k", ("question", "answer"), _gsm8k),
    Shape("question", ("question", "answer"), _pair("question", "answer")),
    Shape("instruction", ("instruction", "output"), _instruction),
    Shape("response", ("prompt", "response"), _pair("prompt", "response")),
    Shape("response", ("prompt", "completion"), _pair("prompt", "completion")),
    Shape("messages", ("messages",), _messages("messages", "role", "content")),
    Shape("messages", ("conversations",), _messages("conversations", "from", "value")),
    Shape("prompt", ("prompt",), lambda values: Example(_text(values, "prompt"), ""), answered=False),
    Shape("turns", ("turns",), _turns, answered=False),
)


def shape_of(records: Sequence[Record]) -> Shape:
    """The shape of a file: the first one all of whose fields stand in the first record.

    gsm8k against question: by the mark in most answers, so that one answer without it is a problem and no other shape.
    Raises InputError where no shape fits.
    """
    fields = records[0].values
    marked = sum(gsm8k.is_marked(str(record.values.get("answer"))) for record in records)
    for shape in SHAPES:
        if all(field in fields for field in shape.fields) and (shape.name != "gsm8k" or 2 * marked > len(records)):
            return shape
    known = " | ".join(dict.fromkeys(", ".join(shape.fields) for shape in SHAPES))
    raise InputError(f"data: expected the fields of one of: {known}; got {', '.join(fields)}")


def examples(records: Sequence[Record]) -> tuple[Shape, list[Example], list[Problem]]:
    """The shape of the records, what fits it, and what does not."""
    shape = shape_of(records)
    fitting: list[Example] = []
    problems: list[Problem] = []
    for record in records:
        try:
            fitting.append(shape.example(record.values))
        except MisfitError as misfit:
            problems.append(Problem(record.place, *misfit.args))
    return shape, fitting, problems


def read_examples(source: str | Path) -> tuple[Example, ...]:
    """The questions and answers of a file (see `llm.data.files.local` for names on the hub).

    Raises InputError naming file, place and field of the first row that cannot be used, or for prompts without answers.
    """
    shape, rows, problems = examples(files.read(source))
    files.refuse(source, problems)
    if not shape.answered:
        only = ", ".join(shape.fields)
        raise InputError(f"data: expected questions with answers; {source} holds prompts only ({only})")
    return tuple(rows)
