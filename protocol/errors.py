"""The one exception for bad input.

Its message is one line: which argument, what was expected, what came, what to do.
"""

import difflib


class InputError(ValueError):
    """Raised at a public boundary; the command line prints it as one line and exits with code 2."""


def known(argument: str, given: str, allowed: "tuple[str, ...] | list[str]") -> str:
    """Return `given` if it is one of `allowed`.

    Raises InputError with the argument, the choices, and the nearest choice.
    """
    if given not in allowed:
        near = difflib.get_close_matches(given, allowed, n=1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        raise InputError(f"{argument}: expected one of {', '.join(allowed)}; got {given!r}{hint}")
    return given


def first_line(error: BaseException) -> str:
    """The first line with text in the message of a library's error; its class if there is none.

    A line that ends in a colon continues in the next line: "Validation error for field
    'hidden_size':", and what is wrong.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].endswith(":"):
        return f"{lines[0]} {lines[1]}"
    return lines[0] if lines else type(error).__name__
