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


def test_a_line_that_ends_in_a_colon_goes_on_in_the_next() -> None:
    said = (
        "Validation error for field 'hidden_size':\n    TypeError: Field 'hidden_size' expected "
        "int, got str"
    )
    assert first_line(ValueError(said)) == (
        "Validation error for field 'hidden_size': TypeError: Field 'hidden_size' expected int, "
        "got str"
    )
