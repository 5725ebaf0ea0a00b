"""Variance between paths, seeds and bases: against effects that were put in, and the coverage of
the path share.
"""

import numpy as np
import pytest

from protocol import metrics
from protocol.errors import InputError


def test_additive_effects_are_found_exactly() -> None:
    """Paths 0, 2; bases 0, 4; shuffles 0, 1 in each base; nothing else.

    σ²_p = 2 and σ²_s = ½ are the variances of those pairs, σ²_e = σ²_pb = 0; the bases' means vary
    by 8, of which σ²_s/S = ¼ comes from their shuffles.
    """
    path, base, shuffle = np.array([0.0, 2.0]), np.array([0.0, 4.0]), np.array([0.0, 1.0])
    found = metrics.variance_components(base[:, None, None] + shuffle[None, :, None] + path)
    assert found == pytest.approx((2.0, 7.75, 0.5, 0.0, 0.0), abs=1e-12)
    assert found.shares.path == pytest.approx(2.0 / 10.25)


def test_components_are_right_on_average() -> None:
    rng = np.random.default_rng(0)
    bases, shuffles, paths, truth = 3, 3, 4, np.array([2.0, 1.5, 0.7, 0.9, 0.4])
    draws = []
    for _ in range(4000):
        p, b, s, pb, e = (
            np.sqrt(variance) * rng.standard_normal(shape)
            for variance, shape in zip(
                truth,
                [
                    (1, 1, paths),
                    (bases, 1, 1),
                    (bases, shuffles, 1),
                    (bases, 1, paths),
                    (bases, shuffles, paths),
                ],
                strict=True,
            )
        )
        draws.append(metrics.variance_components(p + b + s + pb + e))
    found, error = np.mean(draws, axis=0), np.std(draws, axis=0) / np.sqrt(len(draws))
    assert np.all(np.abs(found - truth) < 4 * error)


def test_one_base_leaves_out_what_it_cannot_tell() -> None:
    values = np.random.default_rng(1).standard_normal((1, 5, 4))
    found = metrics.variance_components(values)
    assert np.isnan([found.base, found.path_base]).all()
    shares = found.shares
    assert np.isnan([shares.base, shares.path_base]).all()
    assert np.nansum(shares) == pytest.approx(1.0)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_the_interval_of_the_path_share_covers_95_percent(share: float) -> None:
    """5 seeds, 4 paths, σ²_e = 1, a seed effect of its own that must not matter."""
    rng, hits, repeats = np.random.default_rng(2), 0, 1500
    for _ in range(repeats):
        path = np.sqrt(share / (1 - share)) * rng.standard_normal(4)
        values = path + 3 * rng.standard_normal((5, 1)) + rng.standard_normal((5, 4))
        found = metrics.path_effect(values)
        hits += found.low <= share <= found.high
    # at share 0 the bound max(·, 0) makes the lower tail exact, and only the upper one can miss
    assert hits / repeats == pytest.approx(0.975 if share == 0 else 0.95, abs=0.02)


def test_the_path_share_by_hand() -> None:
    """Paths 0, 2 under two seeds with rests ±½: path means 0, 2, MS_p = 2·2 = 4, MS_e = 4·¼ = 1, F
    = 4.

    σ²_p/σ²_e = (4 − 1)/2, share 1.5/2.5.
    """
    values = np.array([[0.5, 1.5], [-0.5, 2.5]])
    assert metrics.path_effect(values).share == pytest.approx(0.6)
    assert metrics.path_effect(values + np.array([[0.0], [7.0]])).share == pytest.approx(0.6)


def test_no_rest_is_all_path_and_no_variance_is_nothing() -> None:
    assert metrics.path_effect(np.array([[0.0, 1.0], [0.0, 1.0]])) == (1.0, 1.0, 1.0)
    assert np.isnan(metrics.path_effect(np.zeros((3, 2)))).all()
    with pytest.raises(InputError, match=r"2 shuffles and 2 paths; got \(1, 1, 4\)"):
        metrics.path_effect(np.zeros((1, 4)))
