"""The shapes of question-and-answer data, found by their fields, and turned into `Example` rows.

shape        fields                                            known from
gsm8k        question, answer with "#### n"                    GSM8K; its annotations are removed
question     question; answer, output, response or completion  TOFU (answer), OpenOrca (response)
instruction  instruction; the same four                        Instruct-SkillMix, Alpaca, Dolly
response     prompt; the same four                             TRL: each may be a list of turns
query        query; the same four                              MetaMath
input        input; the same four
messages     messages, conversations or conversation: turns    chat data, ShareGPT (`turns`)
preference   chosen [prompt, question or instruction]          DPO sets; the chosen answer is
             [rejected]                                        learned
prompt       prompt [label, type, focus]                       XSTest; no answers
turns        turns [prompt_style]                              SORRY-Bench; no answers, one text
text         text                                              raw text: all of it is the answer

The first shape of this table that fits at least half of a file's rows is the file's. Fields in
brackets may be absent. Every shape but the last takes system, history and tools (see
`llm.data.fields`); to a prompt that is no list of turns, and to the last turn of one that is,
input, context, passage and document are added, each after an empty line.

Of a chat the last assistant turn is the answer, the user's turn before it the prompt, and all turns
before that, a system message among them, are the prompt's history.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from llm.corpora.example import Message
from llm.data import fields, turns
from llm.data.fields import EVERYWHERE, PASSAGES
from llm.data.grading import is_marked, strict_number, without_marks
from llm.data.records import MisfitError, Record, one_line, shown
from protocol.errors import InputError

Values = Mapping[str, Any]
PROMPTS = {
    "question": "question",
    "instruction": "instruction",
    "prompt": "response",
    "query": "query",
    "input": "input",
}
ANSWERS = ("answer", "output", "response", "completion")
CHATS = ("messages", "conversations", "conversation")
PREFERRED = ("prompt", "question", "instruction")  # names of a preference's prompt
REJECTED = (*PASSAGES, "rejected")


class Shape(NamedTuple):
    """How records with these fields become conversations.

    said: the turns of a record, its answer last · optional: fields read beside those that must be
    there · kind: "answered", "asked" where records hold prompts only, "raw" where an answer is all
    there is.
    """

    name: str
    fields: tuple[str, ...]
    said: Callable[[Values], list[Message]]
    optional: tuple[str, ...] = PASSAGES
    kind: str = "answered"

    @property
    def used(self) -> frozenset[str]:
        """All fields this shape reads."""
        return frozenset((*self.fields, *self.optional, *EVERYWHERE))


def _asked(values: Values, field: str) -> list[Message]:
    """The turns of a prompt with its passages; a text is the user's."""
    passages = fields.passages(values, but=field)
    if not isinstance(values.get(field), list | dict):
        given = field != "input" and fields.text(values, "input", optional=True)
        prompt = fields.text(values, field, optional=bool(given))  # Alpaca's input may say all
        return [Message("user", "\n\n".join(part for part in (prompt, *passages) if part))]
    said = turns.turns(values[field], field)
    if passages and said:
        said[-1] = Message(said[-1].role, "\n\n".join((said[-1].content, *passages)))
    return said


def _answered(values: Values, field: str) -> list[Message]:
    """The turns of an answer; a text is the assistant's."""
    if isinstance(values.get(field), list | dict):
        return turns.turns(values[field], field)
    return [Message("assistant", fields.text(values, field))]


def _pair(prompt: str, answer: str) -> Callable[[Values], list[Message]]:
    return lambda values: turns.joined(_asked(values, prompt), _answered(values, answer), answer)


def _gsm8k(values: Values) -> list[Message]:
    answer = without_marks(fields.text(values, "answer"))
    if strict_number(answer) is None:
        raise MisfitError("answer", f'expected a last line "#### NUMBER"; got {answer[-40:]!r}')
    return [*_asked(values, "question"), Message("assistant", answer)]


def _turns(values: Values) -> list[Message]:
    texts = values.get("turns")
    if (
        not isinstance(texts, list)
        or len(texts) != 1
        or not isinstance(texts[0], str)
        or not texts[0].strip()
    ):
        raise MisfitError("turns", f"expected a list of one text; got {shown(texts)}")
    asked = [texts[0].strip(), *fields.passages(values)]
    return [Message("user", "\n\n".join(asked))]


def _raw(values: Values) -> list[Message]:
    fields.text(values, "text")
    return [Message("assistant", values["text"])]


def _chat(field: str) -> Callable[[Values], list[Message]]:
    return lambda values: turns.turns(values.get(field), field)


QUESTION = Shape("question", ("question", "answer"), _pair("question", "answer"))
SHAPES = (
    Shape("gsm8k", ("question", "answer"), _gsm8k),
    *(
        Shape(name, (asked, answer), _pair(asked, answer))
        for asked, name in PROMPTS.items()
        for answer in ANSWERS
    ),
    *(Shape("messages", (field,), _chat(field), ()) for field in CHATS),
    *(
        Shape("preference", (asked, "chosen"), _pair(asked, "chosen"), REJECTED)
        for asked in PREFERRED
    ),
    Shape("preference", ("chosen",), _chat("chosen"), ("rejected",)),
    Shape("prompt", ("prompt",), lambda values: _asked(values, "prompt"), kind="asked"),
    Shape("turns", ("turns",), _turns, kind="asked"),
    Shape("text", ("text",), _raw, (), kind="raw"),
)
KNOWN = (
    f"{', '.join(PROMPTS)} with {', '.join(ANSWERS)} | {' | '.join(CHATS)} | chosen | prompt | "
    "turns | text"
)


def shape_of(records: Sequence[Record]) -> Shape:
    """The shape of a file: the first whose fields are all in at least half of the records.

    Without such a shape, the shape whose fields are in the most records. gsm8k against question: by
    the mark in most answers, so that one answer without it is a problem and no other shape. Raises
    InputError if no shape fits any record.
    """
    counts = Counter(frozenset(record.values) for record in records)
    fits = {
        shape: sum(n for names, n in counts.items() if names.issuperset(shape.fields))
        for shape in SHAPES
    }
    marked = sum(is_marked(str(record.values.get("answer", ""))) for record in records)
    if 2 * marked <= len(records):
        del fits[SHAPES[0]]
    most = max(fits.values())
    if not most:
        names = ", ".join(records[0].values)
        raise InputError(
            f"data: expected the fields of one of: {KNOWN}; got {one_line(names) or 'none'}"
        )
    return next(
        shape for shape, fitting in fits.items() if 2 * fitting >= len(records) or fitting == most
    )
