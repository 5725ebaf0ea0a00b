"""p-values adjusted for their number: against numbers worked out by hand, and what is left out."""

import numpy as np
import pytest

from protocol.claims import Claim
from protocol.claims.multiplicity import adjusted, holm


def claim(p_value: float | None) -> Claim:
    return Claim("L1", "", "", "llm", "m", "GA", "F", 1.0, None, "", "holds", "", p_value)


def test_holm_by_hand() -> None:
    """Sorted .01, .02, .03, .5: 4 × .01 = .04, 3 × .02 = .06, 2 × .03 = .06 (no less than the one
    before), .5.
    """
    np.testing.assert_allclose(holm(np.array([0.03, 0.01, 0.5, 0.02])), [0.06, 0.04, 0.5, 0.06])


def test_holm_never_exceeds_one_nor_falls_behind_a_smaller_p_value() -> None:
    """Sorted .4, .45, .9: 3 × .4 is above 1, and what follows stays there."""
    np.testing.assert_allclose(holm(np.array([0.9, 0.4, 0.45])), [1.0, 1.0, 1.0])
    np.testing.assert_allclose(holm(np.array([0.01, 0.011])), [0.02, 0.02])


def test_both_adjustments_by_hand() -> None:
    """Benjamini and Hochberg on .01, .02, .03, .5: m p_(i)/i = .04, .04, .04, .5."""
    rows = adjusted([claim(0.03), claim(0.01), claim(0.5), claim(0.02)])
    assert [row.p_value for row in rows] == [0.01, 0.02, 0.03, 0.5]
    assert [row.benjamini_hochberg for row in rows] == pytest.approx([0.04, 0.04, 0.04, 0.5])
    assert [row.holm for row in rows] == pytest.approx([0.04, 0.06, 0.06, 0.5])


def test_claims_without_a_p_value_do_not_count() -> None:
    (row,) = adjusted([claim(None), claim(0.04), claim(float("nan"))])
    assert (row.p_value, row.benjamini_hochberg, row.holm) == (0.04, 0.04, 0.04)
    assert adjusted([claim(None)]) == []
