"""GSM8K's own marks: calculator annotations <<16-3-4=9>> inside the text, and a last line "####
ANSWER".
"""

import re
from fractions import Fraction
from typing import NamedTuple

from llm.data.grading import MARK, strict_number

ANNOTATION = re.compile(r"<<([^<>]*)>>")


class Calculation(NamedTuple):
    """One annotation: its left side as written, and the value after its equals sign."""

    expression: str
    value: Fraction | None


def is_marked(answer: str) -> bool:
    """Whether an answer has GSM8K's final line."""
    return MARK in answer


def without_marks(answer: str) -> str:
    """The answer as prose: calculator annotations removed, the final line kept."""
    return ANNOTATION.sub("", answer)


def calculations(text: str) -> list[Calculation]:
    """The annotations of a text in order; `value` is None where it is not a number."""
    pairs = [inside.rpartition("=") for inside in ANNOTATION.findall(text)]
    return [
        Calculation(expression, strict_number(f"{MARK} {value}")) for expression, _, value in pairs
    ]
