"""What of a library's error is told in one line."""

import pytest

from protocol.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError("\n\n  one \r\ntwo"), "one"),
        (OSError(), "OSError"),
        (RuntimeError(" \n "), "RuntimeError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_the_first_line_that_says_something_or_the_class(error: BaseException, line: str) -> None:
    assert first_line(error) == line
