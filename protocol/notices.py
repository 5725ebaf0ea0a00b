"""Notices: one line each about a fallback, about what is adapted, and about what was left out.

Lines go to the logger "retrace", so a program that uses the packages can direct them elsewhere;
without that they are printed on standard error. A line is said once.
"""

import logging
import sys
from collections.abc import Callable, Iterable

LOGGER = logging.getLogger("retrace")


class _Handler(logging.Handler):
    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self.show = show

    def emit(self, record: logging.LogRecord) -> None:
        self.show(f"retrace: {record.getMessage()}")


def direct(
    show: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> None:
    """Let `show` take every line, by default to standard error, in place of an earlier `show`."""
    for handler in [*LOGGER.handlers]:
        if isinstance(handler, _Handler):
            LOGGER.removeHandler(handler)
    LOGGER.addHandler(_Handler(show))


_said: set[str] = set()


def notice(line: str) -> None:
    """Say a line, unless it was said already.

    A line may have been said here, or in the process that started this one (`take_for_said`).
    """
    if line not in _said:
        _said.add(line)
        LOGGER.warning(line)


def said() -> frozenset[str]:
    """All lines that were said."""
    return frozenset(_said)


def take_for_said(lines: Iterable[str]) -> None:
    """Do not say these lines again: a worker is given its parent's."""
    _said.update(lines)


def reset() -> None:
    """Begin as if no line was said yet."""
    _said.clear()
