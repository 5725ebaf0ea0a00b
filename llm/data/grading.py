r"""Grading of worded sums: the number an answer ends on, as an exact fraction; None for no number.

n/0 is no number. What a base model goes on to invent is not graded: the answer ends where another
question opens.
- Anywhere: at a marker of a chat template ("<|im_start|>user", "[INST]" …; on lines of their own
  "### Instruction", "### User" … and "user", which is left of such a marker without its special
  tokens).
- From the first "####" on: at a line that begins with "Question:", "Q 2:", "Problem:", "User:" …,
  or at such words behind the number of a line with "####".
- In a text without "####": at a line that begins with "Question:" or "Human:", or that has "Q:"
  before a question mark.
Lines before the first "####" hold parts of a solution ("Q1: 20" of four quarters, "Problem 2:",
"User: 5 people"), and nothing on a text's own first line but a marker opens another question,
because models repeat the question.

Strict: the first number after the last "####" of the answer. Flexible: the first number in the last
\boxed{…}, unless a "####" or no number stands there; else the last number of the answer.

Numbers are equal as numbers: 1,234.50 = 1234.5, 3/4 = \frac{3}{4} = ¾ = 0.75, 2 1/2 = 2.5, in
digits of any script.
- Thousands: groups of three after a comma, {,}, \, or a thin, narrow or no-break space; not after
  an ordinary space.
- Signs: -5, −5, –5, -$5, $-5; with spaces (- 5, - $5) after "####", "=", ":" or a bracket only,
  since "10 - 4" holds no minus four and "- 5" on a line of its own is an item of a list. (5) and
  "minus 5" are 5.
- Units, currency, %, \$, \% and a closing point are passed over; 1e3 and 1.000,50 are read up to
  their first oddity.

GSM8K marks its answers: calculator annotations <<16-3-4=9>> in the text, and a last line "#### n".
"""

import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

MARK = "####"
ANNOTATION = re.compile(r"<<([^<>]*)>>")  # GSM8K's calculator: <<16-3-4=9>>
_MINUS = "-−–‐‑﹣－"
_MONEY = "$€£¥₹₩₽¢"
_UNSIGNED = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_CLOSE = rf"(?<![\w)])[{_MINUS}]"  # not the minus of 10-4
_APART = rf"(?:(?<=[=:({{\[#])|(?<=[=:({{\[#]\s))[{_MINUS}]\s+"
_SIGN = rf"(?:{_APART}|{_CLOSE})"
NUMBER = re.compile(
    rf"(?P<sign>{_SIGN})?(?:[{_MONEY}]\s?(?P<inner>{_CLOSE}\s?)?)?(?P<whole>{_UNSIGNED})"
    rf"(?:\s(?P<mixed>\d+/\d+)|\s?/\s?(?P<below>{_UNSIGNED}))?"
)
_ASKS = (
    r"(?i:(?:next |new |another )?(?:question|problem|exercise|instruction|user|human|q)"
    r"(?:[ \t]*:|[ \t]*\#?\d+[ \t]*[:.)]))"
)
_MARKER = re.compile(
    r"\[INST\]|<\|im_start\|>user|<start_of_turn>user|<\|start_header_id\|>user|<\|user\|>|<\|User\|>|<｜User｜>"
    r"|<\|START_OF_TURN_TOKEN\|><\|USER_TOKEN\|>|<\|start_of_role\|>user|<\|start\|>user"
    r"|^[ \t]*(?:\#{2,4}[ \t]*(?:Instruction|Input|User|Human)\b|(?:user|human)[ \t]*$)",
    re.MULTILINE,
)
_HEADING = r"#{2,4}[ \t]*(?:Question|Problem|Exercise)\b"
_LINE = re.compile(rf"^[ \t]*(?:(?:#{{1,4}}[ \t]*)?(?:\*\*)?{_ASKS}|{_HEADING})", re.MULTILINE)
_PLAIN_LINE = re.compile(r"^[ \t]*(?:\*\*)?(?:(?:Question|Human):|Q:[^\n?]*\?)", re.MULTILINE)
_WITHIN = re.compile(rf"\s{_ASKS}")
_PART = r"\s*(?:\{\s*(-?[\d.,]+)\s*\}|(\d))"
_FRACTION = re.compile(rf"(?:(\d)\s*)?\\[dt]?frac{_PART}{_PART}")
_DIGIT = re.compile(r"\d")
_BOX = re.compile(r"\\boxed\s*\{")
_VULGAR = re.compile(r"(\d)?([¼-¾⅐-⅞])")
_THIN = re.compile(r"(?<=\d)[\u2009\u202f\u00a0](?=\d{3}(?!\d))")


def answered(text: str) -> str:
    """The text up to where another question opens."""
    first = len(text) - len(text.lstrip())
    second = text.find("\n", first) + 1 or len(text)  # where its second line begins
    mark = text.find(MARK)
    openings = [_MARKER.search(text, first + 1)]
    if mark < 0:
        openings.append(_PLAIN_LINE.search(text, second))
    else:
        line = text.rfind("\n", 0, mark) + 1
        # The mark may be that of a heading: "#### Question".
        begun = mark if text[line:mark].strip() else line
        openings += [_LINE.search(text, max(second, begun)), _behind_number(text, mark)]
    return text[: min((match.start() for match in openings if match), default=len(text))]


def _behind_number(text: str, mark: int) -> re.Match[str] | None:
    """Where a question opens behind a number, on a line with a mark; None if nowhere.

    "#### the answer to the question: 5" opens no question.
    """
    while mark >= 0:
        newline = text.find("\n", mark)
        end = newline if newline >= 0 else len(text)
        digit = _DIGIT.search(text, mark, end)
        opened = _WITHIN.search(text, digit.end(), end) if digit else None
        if opened:
            return opened
        mark = text.find(MARK, end)
    return None


def _mixed(digit: str | None, fraction: str) -> str:
    """A fraction, apart from the whole number before it."""
    return f"{digit} {fraction}" if digit else fraction


def _plain(text: str) -> str:
    """The text without LaTeX around its numbers, fractions as a/b."""
    text = re.sub(r"\\([$%#])", r"\1", text)
    text = re.sub(r"(?<=\d)(?:\{,\}|,?\\[,!;:])(?=\d{3})", ",", text)
    text = _FRACTION.sub(lambda m: _mixed(m[1], f"{m[2] or m[3]}/{m[4] or m[5]}"), text)
    text = _VULGAR.sub(lambda m: _mixed(m[1], unicodedata.normalize("NFKC", m[2])), text)
    return _THIN.sub(",", text).replace("⁄", "/")


def _unsigned(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def _value(match: re.Match[str]) -> Fraction | None:
    try:
        value = _unsigned(match["whole"]) / _unsigned(match["below"] or "1")
        value += Fraction(match["mixed"] or 0)
    except (ZeroDivisionError, ValueError):  # over 4,300 digits: the babble of a broken model
        return None
    return -value if match["sign"] or match["inner"] else value


def strict_number(text: str) -> Fraction | None:
    """The first number after the last "####"; None without a mark or a number on its line."""
    _, mark, after = answered(text).rpartition(MARK)
    line = after.strip().partition("\n")[0] if mark else ""
    match = NUMBER.search(f"{MARK} {_plain(line)}")
    return _value(match) if match else None


def _boxes(text: str) -> Iterator[str]:
    r"""The text in each \boxed{…}, its inner braces balanced; an open one runs to the end."""
    opened = _BOX.search(text)
    while opened:
        depth, stop = 1, opened.end()
        while depth and stop < len(text):
            depth += {"{": 1, "}": -1}.get(text[stop], 0)
            stop += 1
        yield text[opened.end() : stop if depth else stop - 1]
        opened = _BOX.search(text, stop)


def flexible_number(text: str) -> Fraction | None:
    r"""The number of the last \boxed{…} if no "####" follows it, else the last number, or None."""
    text = _plain(answered(text))
    boxed = [NUMBER.search(f"{{{box}") for box in _boxes(text.rpartition(MARK)[2])]
    matches = [match for match in boxed if match] or list(NUMBER.finditer(text))
    return _value(matches[-1]) if matches else None


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
    """The annotations of a text in order; `value` is None if it is not a number."""
    pairs = [inside.rpartition("=") for inside in ANNOTATION.findall(text)]
    return [
        Calculation(expression, strict_number(f"{MARK} {value}")) for expression, _, value in pairs
    ]
