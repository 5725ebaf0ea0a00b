"""Chat templates in a tokenizer's folder, read from its files alone: no model and no tokenizer.

A tokenizer has one template or several named ones, in `chat_template.jinja` and
`additional_chat_templates/`, in `tokenizer_config.json`, or in `chat_template.json`; the first
place that has any counts. A lone template is "default".
"""

import json
from pathlib import Path
from typing import Any

from protocol.errors import InputError

FILES = (
    "tokenizer_config.json",
    "chat_template.json",
    "*.jinja",
    "additional_chat_templates/*.jinja",
)


def read(path: Path) -> str:
    """The text of a file; InputError if it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"template: expected a file in UTF-8; {path}: {error}") from error


def by_name(value: Any, where: str) -> dict[str, str]:
    """Templates by name, out of a text, texts by name, or a list of both; {} for none."""
    if not value:
        return {}
    if isinstance(value, str):
        return {"default": value}
    if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        value = {entry.get("name"): entry.get("template") for entry in value}
    if isinstance(value, dict) and all(
        isinstance(part, str) for pair in value.items() for part in pair
    ):
        return value
    raise InputError(
        f"template: expected a text, or texts by name, as chat_template of {where}; got "
        f"{value!r:.80}"
    )


def _in_json(path: Path) -> dict[str, str]:
    try:
        content = json.loads(read(path))
    except ValueError as error:
        raise InputError(f"template: expected a file of JSON; {path}: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"template: expected a JSON object; {path} holds another value")
    return by_name(content.get("chat_template"), str(path))


def in_folder(folder: Path) -> dict[str, str]:
    """The chat templates of a tokenizer's folder by name; {} if no file has one."""
    named = {
        path.stem: read(path)
        for path in sorted((folder / "additional_chat_templates").glob("*.jinja"))
    }
    if (folder / "chat_template.jinja").is_file():
        named["default"] = read(folder / "chat_template.jinja")
    if named:
        return named
    files = [folder / name for name in ("tokenizer_config.json", "chat_template.json")]
    by_file = [_in_json(path) for path in files if path.is_file()]
    return next((templates for templates in by_file if templates), {})


def one_of(templates: dict[str, str], name: str | None, where: str) -> str:
    """The template of a name, by default "default" or the only one; InputError lists the names."""
    if name is None and len(templates) == 1:
        return next(iter(templates.values()))
    if (name or "default") in templates:
        return templates[name or "default"]
    names = ", ".join(templates)
    if name is None:
        raise InputError(
            f"template: expected a name, as in own:NAME or SOURCE:NAME; {where} has {names}, no "
            "default"
        )
    raise InputError(f"template: expected one of {names} in {where}; got {name!r}")


def from_source(source: str, name: str | None) -> str:
    """The template of a directory or a hub id; of a hub id only `FILES` are fetched.

    Raises InputError if the tokenizer has no template, or none of that name.
    """
    folder = Path(source)
    if not folder.is_dir():
        from llm.models import hub  # a template that is on this machine needs no hub

        folder = hub.fetch("template", source, None, FILES)
    templates = in_folder(folder)
    if not templates:
        raise InputError(
            f"template: expected a chat template in the tokenizer of {source}; it has none"
        )
    return one_of(templates, name, source)
