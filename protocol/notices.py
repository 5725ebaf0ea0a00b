"""What a run says beside its results, one line each: a fallback, what is adapted, what was left out.

Lines go to the logger "retrace", which prints them on standard error; a program that uses the packages can direct them
elsewhere. A line is said once a process.
"""

import functools
import logging

LOGGER = logging.getLogger("retrace")


@functools.cache
def notice(line: str) -> None:
    """Say a line, if this process has not said it yet."""
    LOGGER.warning(line)
