"""Which p-values stay below 5% if the number of claims tested at 5% is accounted for.

Two corrections over all claims that carry a p-value: Benjamini and Hochberg bound the share of
false ones among those called (valid for independent or positively dependent tests), Holm bounds the
chance of a single false one (always).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from protocol.claims.claim import Claim

LEVEL = 0.05


class Adjusted(NamedTuple):
    """A claim whose p-value is a number, with the adjusted ones; each is compared with LEVEL."""

    claim: Claim
    p_value: float
    benjamini_hochberg: float
    holm: float


def holm(p_values: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Holm's adjusted p-values, in the given order.

    Of the i-th smallest: max over j ≤ i of min(1, (m − j + 1) p_(j)).
    S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979).
    """
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1.0)
    return adjusted


def adjusted(claims: Sequence[Claim]) -> list[Adjusted]:
    """All claims that carry a p-value, the smallest first, with both adjustments."""
    tested = [claim for claim in claims if claim.p_value is not None and np.isfinite(claim.p_value)]
    if not tested:
        return []
    p_values = np.array([claim.p_value for claim in tested])
    corrected = stats.false_discovery_control(p_values, method="bh"), holm(p_values)
    columns = [values.tolist() for values in (p_values, *corrected)]
    rows = [Adjusted(*row) for row in zip(tested, *columns, strict=True)]
    return sorted(rows, key=lambda row: row.p_value)
