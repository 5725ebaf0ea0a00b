r"""Grading of worded sums: the number an answer ends on, as an exact fraction; None for none and for n/0.

The answer ends before the first line, other than its own first, that opens another question ("Question:", "Q 2:",
"Problem:", "User:", "### Instruction", "[INST]", a line "user" …), or, behind a "####", in the middle of a line: what a
base model goes on to invent is not graded. Strict: the first number after the last "####" of the answer. Flexible: the
first number in the last \boxed{…}, unless a "####" or no number stands there; else the last number of the answer.

Numbers are equal as numbers: 1,234.50 = 1234.5, 3/4 = \frac{3}{4} = ¾ = 0.75, 2 1/2 = 2.5, in digits of any script.
- Thousands: groups of three after a comma, {,}, \, or a thin, narrow or no-break space; not after an ordinary space.
- Signs: -5, −5, –5, -$5, $-5; with spaces (- 5, - $5) after "####", "=", ":" or a bracket only, since "10 - 4" holds no
  minus four and "- 5" on a line of its own is an item of a list. (5) and "minus 5" are 5.
- Units, currency, %, \$, \% and a closing point are passed over; 1e3 and 1.000,50 are read up to their first oddity.
"""

import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction

MARK = "####"
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
_TURN = r"\[INST\]|<\|im_start\|>user|<start_of_turn>user|<\|start_header_id\|>user|<\|user\|>"
_ALONE = r"(?:user|human)[ \t]*$"
_HEADING = r"#{2,4}[ \t]*(?:Question|Problem|Exercise|Instruction|Input|User|Human)\b"
_LINE = re.compile(rf"^[ \t]*(?:(?:#{{1,4}}[ \t]*)?(?:\*\*)?{_ASKS}|{_TURN}|{_ALONE}|{_HEADING})", re.MULTILINE)
_WITHIN = re.compile(rf"\s{_ASKS}|{_TURN}")
_PART = r"\s*(?:\{\s*(-?[\d.,]+)\s*\}|(\d))"
_FRACTION = re.compile(rf"(?:(\d)\s*)?\\[dt]?frac{_PART}{_PART}")
_BOX = re.compile(r"\\boxed\s*\{")
_VULGAR = re.compile(r"(\d)?([¼-¾⅐-⅞])")
_THIN = re.compile(r"(?<=\d)[\u2009\u202f\u00a0](?=\d{3}(?!\d))")


def answered(text: str) -> str:
    """The text up to where another question begins."""
    first = len(text) - len(text.lstrip())  # where its own first line begins
    own = text.find("\n", first)
    places = [match.start() for match in ([_LINE.search(text, own + 1)] if own >= 0 else []) if match]
    for match in _WITHIN.finditer(text):
        if MARK in text[text.rfind("\n", 0, match.start()) + 1 : match.start()]:
            places.append(match.start())
            break
    return text[: min(places, default=len(text))]


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


def _value(found: re.Match[str]) -> Fraction | None:
    try:
        value = _unsigned(found["whole"]) / _unsigned(found["below"] or "1") + Fraction(found["mixed"] or 0)
    except (ZeroDivisionError, ValueError):  # over 4,300 digits: the babble of a broken model
        return None
    return -value if found["sign"] or found["inner"] else value


def strict_number(text: str) -> Fraction | None:
    """The first number after the last "####"; None where there is no mark, or no number on its line."""
    _, mark, after = answered(text).rpartition(MARK)
    line = after.strip().partition("\n")[0] if mark else ""
    found = NUMBER.search(f"{MARK} {_plain(line)}")
    return _value(found) if found else None


def _boxes(text: str) -> Iterator[str]:
    r"""What stands in each \boxed{…}, its inner braces balanced; to the end of the text where it is not closed."""
    opened = _BOX.search(text)
    while opened:
        depth, stop = 1, opened.end()
        while depth and stop < len(text):
            depth += {"{": 1, "}": -1}.get(text[stop], 0)
            stop += 1
        yield text[opened.end() : stop if depth else stop - 1]
        opened = _BOX.search(text, stop)


def flexible_number(text: str) -> Fraction | None:
    r"""The number of the last \boxed{…} if no "####" follows it, else the last number; None where there is none."""
    text = _plain(answered(text))
    boxed = [NUMBER.search(f"{{{box}") for box in _boxes(text.rpartition(MARK)[2])]
    found = [match for match in boxed if match] or list(NUMBER.finditer(text))
    return _value(found[-1]) if found else None
