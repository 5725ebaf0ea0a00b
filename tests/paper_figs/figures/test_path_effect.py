"""The path effect of one base and of several: the areas stand for the shares of the variance
components.
"""

import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.colors import to_rgba

from paper_figs.figures import path_effect
from protocol import metrics, records

RNG = np.random.default_rng(0)
SCORES = (
    RNG.standard_normal((3, 2, 4)) + 2 * RNG.standard_normal((3, 1, 1)) + np.arange(4)
)  # bases, seeds, paths


def made(experiment: str, scores: np.ndarray, *, model: str = "tiny") -> records.Tables:
    """Forget scores (seeds, paths) reached in equal steps at steps 5 and 10."""
    found = []
    for (seed, path), score in np.ndenumerate(scores):
        name = f"{experiment} {seed} {path}"
        run = records.Run(
            name, "s", experiment, "llm", model, f"o{path}", path + 1, "r", "GA", seed
        )
        found.append(
            records.tables(run, [(step, "label_loglik", -score * step / 10) for step in (0, 5, 10)])
        )
    return records.Tables.concat(found)


@pytest.fixture(scope="module")
def figure():
    several = [made(f"bases/{base}", scores) for base, scores in enumerate(SCORES)]
    drawn = path_effect.draw(records.Tables.concat([made("positions", SCORES[0]), *several]))
    assert drawn is not None
    drawn.draw_without_rendering()
    return drawn


def heights(axes) -> dict[str, float]:
    """Part -> height of its area at the last step; the areas are drawn in the order of PARTS."""
    areas = [area for area in axes.collections if isinstance(area, FillBetweenPolyCollection)]
    found = {}
    for (name, (colour, _, _)), area in zip(path_effect.PARTS.items(), areas, strict=True):
        assert tuple(area.get_facecolor()[0]) == to_rgba(colour)
        corners = area.get_paths()[0].vertices
        last = corners[corners[:, 0] == 10][:, 1]
        found[name] = last.max() - last.min()
    return found


def test_a_row_a_design(figure):
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "tiny\n2 seeds",
        "tiny\n3 bases × 2 seeds",
    ]


@pytest.mark.parametrize(("row", "values"), [(0, SCORES[:1]), (1, SCORES)])
def test_the_areas_are_the_shares(figure, row, values):
    expected = metrics.variance_components(values).shares._asdict()
    told = heights(figure.axes[row])
    assert set(told) == set(expected)
    assert told == pytest.approx({part: np.nan_to_num(share) for part, share in expected.items()})


def test_the_dot_of_several_bases_is_the_share_they_have_in_common(figure):
    for row, values in ((0, SCORES[0]), (1, SCORES.mean(axis=1))):
        (dot, *_) = [line for line in figure.axes[row].get_lines() if line.get_marker() == "o"][
            -1
        ].get_ydata()
        assert dot == pytest.approx(metrics.path_effect(values).share)


def test_one_seed_shows_nothing():
    assert path_effect.draw(made("positions", SCORES[0][:1])) is None
