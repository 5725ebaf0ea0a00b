"""The published numbers, audited: each oddity of the tables and figures of arXiv 2510.16629, recomputed from CSV."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """One thing found while reading the published numbers."""

    id: str  # short name, an anchor in the report
    printed: str  # what the paper prints or says
    found: str  # what its own curves or tables say, with the numbers
    compared: str  # what this project therefore compares with
    residual: float | None  # the largest deviation behind `found`, in the quantity's own unit; None where none applies
    agrees: bool  # whether the numbers agree with what is printed
