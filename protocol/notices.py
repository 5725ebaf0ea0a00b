"""What a run says beside its results, one line each: a fallback, what is adapted, what was left out.

Lines go to the logger "retrace", so a program that uses the packages can direct them elsewhere; without that they are
printed on standard error. A line is said once a process.
"""

import functools
import logging
import sys
from collections.abc import Callable

LOGGER = logging.getLogger("retrace")


class _Handler(logging.Handler):
    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self.show = show

    def emit(self, record: logging.LogRecord) -> None:
        self.show(f"retrace: {record.getMessage()}")


def direct(show: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)) -> None:
    """Let `show` take every line, by default to standard error; it takes the place of what was directed before."""
    for handler in [*LOGGER.handlers]:
        if isinstance(handler, _Handler):
            LOGGER.removeHandler(handler)
    LOGGER.addHandler(_Handler(show))


@functools.cache
def notice(line: str) -> None:
    """Say a line, if this process has not said it yet."""
    LOGGER.warning(line)
