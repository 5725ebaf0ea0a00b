"""From a claim to its figure and records, where several figures show claims of its id."""

import pytest

from paper_figs.report import evidence
from protocol.claims import Claim
from protocol.sources import Source

SOURCES = tuple(
    Source(
        f"llm/{name}", f"retrace llm {name} --seeds 2", {}, frozenset({(f"{name}/x", "llm", "m")})
    )
    for name in ("learning-rates", "schedules")
)


@pytest.mark.parametrize(
    ("family", "figure"), [("learning-rates", "figure6"), ("schedules", "figure8")]
)
def test_a_claim_is_shown_where_its_own_records_are_drawn(family: str, figure: str) -> None:
    claim = Claim(
        "L5", "", "", "llm", "m", "GA", "", 1.0, None, "", "holds", "", experiments=(family,)
    )
    found = evidence.of(claim, SOURCES)
    assert (found.figure, found.records) == (figure, (f"records/llm/{family}",))
    assert found.commands == (f"retrace llm {family} --seeds 2",)


def test_without_sources_the_figure_is_still_named() -> None:
    claim = Claim(
        "L5", "", "", "llm", "m", "GA", "", 1.0, None, "", "holds", "", experiments=("schedules",)
    )
    assert evidence.of(claim, ()) == evidence.Evidence("figure6", (), ())
