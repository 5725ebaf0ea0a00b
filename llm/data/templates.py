"""Chat templates: which one is used, and a conversation rendered with it.

A template is a program in a model's files. It runs in transformers' sandbox, without what would
give another text tomorrow: the clock says `DATE`, and jinja's random choices are left out. Every
turn's content must be in the rendered text, as it is, trimmed, in another case, or as JSON; only
the think block of an earlier answer may be left out, as Qwen3's and DeepSeek's templates do on
purpose. An answer must be printed whole.
"""

import functools
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import jinja2
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

from llm.corpora.example import Message
from llm.data.verbatim import unused
from llm.models import template_files
from protocol.errors import InputError

DATE = datetime(2024, 7, 26)  # Llama-3's own template falls back to this day
PLAIN = (
    "{{ bos_token if bos_token else '' }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ 'Question: ' + message['content'] + '\nAnswer:' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}"
    "{% else %}{{ message['content'] + '\n' }}{% endif %}"
    "{% endfor %}"
)


class Parts(NamedTuple):
    """A rendered conversation: the text before its last answer, the answer, the text after it."""

    before: str
    answer: str
    after: str


class Template(NamedTuple):
    """The text of a template and what it can print by name: bos_token, eos_token …"""

    text: str
    tokens: tuple[tuple[str, str], ...] = ()


def template_of(tokenizer: PreTrainedTokenizerFast, template: str | None) -> str:
    """The text of the chosen template, see `Pretrained.template`; InputError if there is none."""
    own = template_files.by_name(tokenizer.chat_template, "the model's tokenizer")
    if template == "plain" or (template is None and not own):
        if tokenizer.eos_token is None:
            raise InputError(
                "template: plain ends an answer with the tokenizer's end token, and this "
                "tokenizer names none; name a "
                "template that prints another special token, or set eos_token in "
                "tokenizer_config.json"
            )
        return PLAIN
    source, name = _source_and_name(template or "own")
    if source == "own":
        if not own:
            raise InputError(
                "template: expected a chat template in the model's tokenizer; it has none; name "
                "another"
            )
        return template_files.one_of(own, name, "the model's tokenizer")
    if source.endswith(".jinja"):
        if not Path(source).is_file():
            raise InputError(f"template: expected a file; not found: {source}")
        return template_files.read(Path(source))
    return template_files.from_source(source, name)


def _source_and_name(template: str) -> tuple[str, str | None]:
    source, colon, name = template.rpartition(":")
    if not colon or Path(template).exists() or "/" in name:
        return template, None
    return source, name


def parts(template: Template, turns: Sequence[Message], tools: str = "") -> Parts:
    """A conversation around its last turn, the answer; InputError if the template does not fit."""
    whole, answer = render(template, turns, tools), turns[-1].content
    after = _after(template, tuple(turn.role for turn in turns), tools)
    _check_contents(turns[:-1], whole)
    if answer == answer.strip() and whole.endswith(answer + after):
        return Parts(whole[: len(whole) - len(answer + after)], answer, after)
    # Trimmed, or in another case: what stands in the place of a mark.
    (mark,) = unused(template.text + tools + "".join(turn.content for turn in turns), 1)
    before = render(template, [*turns[:-1], Message("assistant", mark)], tools).rpartition(mark)[0]
    shown = whole.removeprefix(before).removesuffix(after)
    if whole == before + shown + after and shown.strip().casefold() == answer.strip().casefold():
        return Parts(before, shown, after)
    start = _start(whole.removesuffix(after), answer)
    shown = whole[start:].removesuffix(after)
    if _unspaced(shown) == _unspaced(answer):
        return Parts(whole[:start], shown, after)
    raise InputError(
        f"template: expected one that prints the whole answer; it changes {answer!r:.60}"
    )


def _unspaced(text: str) -> str:
    return "".join(text.split())


def _start(text: str, answer: str) -> int:
    """The place where an answer begins that is printed with other spaces, at the end of a text.

    A think block in the answer takes the place of the template's own block, in the template's
    layout.
    """
    printed = [i for i, character in enumerate(text) if not character.isspace()]
    count = len(_unspaced(answer))
    return printed[-count] if 0 < count <= len(printed) else len(text)


@functools.lru_cache(maxsize=256)
def _after(template: Template, roles: tuple[str, ...], tools: str) -> str:
    """The text after an answer; InputError if a turn, or the tools, are not printed."""
    marks = unused(template.text + tools, len(roles))
    turns = [Message(role, mark) for role, mark in zip(roles, marks, strict=True)]
    text = render(template, turns, tools)
    for role, mark in turns:
        if mark not in text:
            raise _missing(role)
    if tools and text == render(template, turns, ""):
        raise InputError(
            "template: expected one that prints the tools of a row; this one ignores them; name "
            "another"
        )
    return text.rpartition(marks[-1])[2]


def _check_contents(turns: Sequence[Message], text: str) -> None:
    for role, content in turns:
        kept = (content.rpartition("</think>")[2] if role == "assistant" else content).strip()
        if kept in text or kept.casefold() in text.casefold():
            continue
        if json.dumps(kept, ensure_ascii=False)[1:-1] not in text:
            raise _missing(role)


def _missing(role: str) -> InputError:
    return InputError(f"template: expected one that prints the {role}'s turn; its text is missing")


def render(template: Template, turns: Sequence[Message], tools: str = "") -> str:
    """The text of a conversation; InputError in one line for all that a template may raise."""
    values = dict(template.tokens) | {
        "messages": [turn._asdict() for turn in turns],
        "add_generation_prompt": False,
    }
    offered = json.loads(tools) if tools else None
    try:
        return _compiled(template.text).render(values, tools=offered, documents=None)
    except Exception as error:  # a template is a program, so any class
        roles = ", ".join(turn.role for turn in turns)
        said = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"template: expected one that takes the turns {roles}; it says: {said}"
        ) from error


def tools_of(text: str) -> str:
    """A row's tools as JSON without escapes, "" for none; InputError for no list of objects."""
    if not text:
        return ""
    try:
        offered = json.loads(text)
    except ValueError as error:
        raise InputError(
            f"tools: expected a JSON list of objects; {error}: {text!r:.60}"
        ) from error
    if not isinstance(offered, list) or not all(isinstance(tool, dict) for tool in offered):
        raise InputError(f"tools: expected a JSON list of objects; got {text!r:.60}")
    return json.dumps(offered, ensure_ascii=False) if offered else ""


@functools.lru_cache(maxsize=64)
def _compiled(template: str) -> jinja2.Template:
    return _environment().from_string(template)


@functools.cache
def _environment() -> jinja2.Environment:
    """Transformers' sandbox with a fixed clock, and without jinja's random text and choice."""
    environment = chat_template_utils._compile_jinja_template("").environment.overlay()
    environment.globals = {**environment.globals, "strftime_now": _frozen}
    environment.filters = dict(environment.filters)
    del environment.globals["lipsum"], environment.filters["random"]
    return environment


def _frozen(format: str) -> str:
    return DATE.strftime(format)
