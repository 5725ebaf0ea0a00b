"""The one exception for bad input: its message is one line that says which argument, what was expected, what came."""


class InputError(ValueError):
    """Raised at a public boundary; the command line prints it as one line and exits with code 2."""


def known(argument: str, given: str, allowed: "tuple[str, ...] | list[str]") -> str:
    """Return `given` if it is one of `allowed`, else raise InputError naming the argument and the choices."""
    if given not in allowed:
        raise InputError(f"{argument}: expected one of {', '.join(allowed)}; got {given!r}")
    return given
