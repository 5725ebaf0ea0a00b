"""Falls from a common level, on straight lines."""

import numpy as np
import pytest

from protocol import metrics
from protocol.errors import InputError

STEPS = np.arange(21)
LAST, FIRST = -0.5 * STEPS, -2.0 - 1.0 * STEPS  # p = last starts at 0, the other at −2


def test_both_fall_from_the_lower_start() -> None:
    """Level −2, reached by p = last at step 4; in 10 steps it falls by 5, the other by 10."""
    assert metrics.equal_level_differences(np.stack([FIRST, LAST]), 10) == {1: pytest.approx(-5.0)}


def test_levels_between_two_steps_are_interpolated() -> None:
    curve = np.array([0.0, -1.0, -3.0, -3.0])
    assert metrics.fall_from(curve, -2.0, 1) == pytest.approx(
        1.0
    )  # reached at 1.5; at 2.5 the curve is at −3


def test_what_never_meets_or_starts_below_has_no_difference() -> None:
    flat = np.full(21, -0.1)
    assert metrics.equal_level_differences(np.stack([FIRST, flat]), 5) == {}
    assert (
        metrics.equal_level_differences(np.stack([FIRST, LAST]), 17) == {}
    )  # 4 + 17 steps are not there
    assert metrics.fall_from(FIRST, -1.0, 2) is None
    with pytest.raises(InputError, match="ahead: expected at least 1 step; got 0"):
        metrics.fall_from(LAST, -1.0, 0)
