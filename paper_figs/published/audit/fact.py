"""One row of the audit, and how its numbers are written."""

from dataclasses import dataclass

TOLERANCE = 1e-3  # nats: values read from the drawings closer than this are the same


@dataclass(frozen=True)
class Fact:
    """One thing found while reading the published numbers."""

    id: str  # short name, an anchor in the report
    printed: str  # what the paper prints or says
    found: str  # what its own curves or tables say, with the numbers
    compared: str  # what this project therefore compares with
    # the largest deviation behind `found`, in the quantity's own unit; None if none applies
    residual: float | None
    agrees: bool  # whether the numbers agree with what is printed


def small(value: float) -> str:
    """A deviation in nats: two decimals where it is large, one digit where it is small."""
    return f"{value:.2f}" if value >= 0.01 else f"{value:.1g}"
