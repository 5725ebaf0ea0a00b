"""Grading of worded sums: the number an answer ends on, normalised to an exact fraction.

Strict: the first number after the last "####", whatever unit or currency sign surrounds it. Flexible: the last number
of the whole answer. Numbers are equal as numbers: 1,234.50 = 1234.5, 3/4 = 0.75, 2 1/2 = 2.5; a comma counts as a
thousands separator only where groups of three digits follow. No number, or a division by zero, gives None.
"""

import re
from fractions import Fraction

MARK = "####"
_UNSIGNED = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_SIGN = r"(?<![\w)])[-−]"  # not the minus of 10-4
NUMBER = re.compile(
    rf"(?P<sign>{_SIGN})?(?:[$€£]\s?(?P<inner>{_SIGN})?)?(?P<whole>{_UNSIGNED})"
    rf"(?:\s(?P<mixed>\d+/\d+)|\s?/\s?(?P<below>{_UNSIGNED}))?"
)


def _unsigned(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def _value(found: re.Match[str]) -> Fraction | None:
    try:
        value = _unsigned(found["whole"]) / _unsigned(found["below"] or "1") + Fraction(found["mixed"] or 0)
    except ZeroDivisionError:
        return None
    return -value if found["sign"] or found["inner"] else value


def strict_number(text: str) -> Fraction | None:
    """The first number after the last "####"; None where there is no mark, or no number on its line."""
    _, mark, after = text.rpartition(MARK)
    line = after.strip().partition("\n")[0] if mark else ""
    found = NUMBER.search(line)
    return _value(found) if found else None


def flexible_number(text: str) -> Fraction | None:
    """The last number of the text, wherever it stands; None where there is none."""
    found = list(NUMBER.finditer(text))
    return _value(found[-1]) if found else None
