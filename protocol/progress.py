"""How a long computation reports to its caller how far it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # label, done, total


def quiet(label: str, done: int, total: int) -> None:
    """A progress report that goes nowhere."""
