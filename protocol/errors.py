"""The one exception for bad input: its message is one line that says which argument, what was
expected, what came.
"""

import difflib


class InputError(ValueError):
    """Raised at a public boundary; the command line prints it as one line and exits with code 2."""


def known(argument: str, given: str, allowed: "tuple[str, ...] | list[str]") -> str:
    """Return `given` if it is one of `allowed`, else raise InputError: the argument, the choices,
    and the nearest.
    """
    if given not in allowed:
        near = [
            f": did you mean {name!r}?" for name in difflib.get_close_matches(given, allowed, n=1)
        ]
        raise InputError(
            f"{argument}: expected one of {', '.join(allowed)}; got {given!r}{''.join(near)}"
        )
    return given


def first_line(error: BaseException) -> str:
    """What an error of a library says, as far as its first line that says something; its class if
    it says nothing.

    A line that ends in a colon goes on in the next: "Validation error for field 'hidden_size':",
    and what is wrong.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].endswith(":"):
        return f"{lines[0]} {lines[1]}"
    return lines[0] if lines else type(error).__name__
