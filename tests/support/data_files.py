"""Data files as tests write them."""

import json
from pathlib import Path
from typing import Any


def written(folder: Path, name: str, text: str) -> Path:
    """A file of UTF-8 text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def lines(rows: list[dict[str, Any]]) -> str:
    """Rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)
