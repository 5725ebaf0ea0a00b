"""Claims in words: the headline, groups, the Markdown list, the short answer and the published ones
beside ours.
"""

from paper_figs.drawing import claim_text
from paper_figs.report import published_vs_ours, summary
from protocol.claims import Claim


def claim(
    id: str, verdict: str, statistic: str = "share", world: str = "llm", method: str = "GA"
) -> Claim:
    return Claim(
        id,
        f"{id} is so.",
        "Table 1",
        world,
        "m",
        method,
        statistic,
        -0.5,
        (-1.0, float("inf")),
        "> 0 | 1",
        verdict,
        "",
    )


def test_the_headline_fits_its_counts() -> None:
    claims = [
        claim("A", "holds"),
        claim("A", "fails"),
        claim("B", "holds"),
        claim("B", "not testable"),
    ]
    said = "Of 4 claims judged, 2 hold, 1 fails, 0 are inconclusive, 1 is not testable."
    assert claim_text.headline(claims) == said


def test_groups_state_what_their_claims_share() -> None:
    first, second = claim_text.groups(
        [claim("A", "holds"), claim("B", "fails"), claim("A", "fails", "rank")]
    )
    assert (first.id, first.statistic, first.counts["fails"]) == ("A", None, 1)
    assert (second.id, second.statistic) == ("B", "share")


def test_the_markdown_list_has_a_line_per_claim() -> None:
    text = claim_text.markdown([claim("A", "holds"), claim("A", "inconclusive")])
    assert text.count("A is so.") == 1
    assert r"| −0.5 | [−1, ∞] | > 0 \| 1 | ✓ holds |" in text
    assert text.splitlines()[-1].endswith("| ? inconclusive |")


def word(*verdicts: str) -> tuple[str, str, str]:
    found = summary.reading([claim("L1", verdict) for verdict in verdicts])
    assert found is not None
    return found.word, found.counts, found.verdict


def test_a_worlds_verdicts_come_to_a_word() -> None:
    assert word("holds", "holds") == ("yes", "2 hold", "holds")
    assert word("fails") == ("no", "1 fail", "fails")
    assert word("holds", "fails") == ("in part", "1 hold, 1 fail", "mixed")
    assert word("holds", "inconclusive") == ("in part", "1 hold, 1 inconclusive", "mixed")
    assert word("fails", "not testable") == ("undecided", "1 fail, 1 not testable", "mixed")
    assert word("inconclusive") == ("undecided", "1 inconclusive", "inconclusive")
    assert word("not testable") == ("undecided", "1 not testable", "not testable")
    assert summary.reading([]) is None


def test_only_questions_some_claim_speaks_of_are_answered() -> None:
    claims = [
        claim("L2", "fails", world="linear"),
        claim("L2", "holds"),
        claim("T1", "holds", world="linear"),
    ]
    (answer,) = summary.answers(claims)
    words = {world: found and found.word for world, found in answer.readings.items()}
    assert (answer.id, words) == ("L2", {"linear": "no", "network": None, "llm": "yes"})


def test_claims_stand_under_their_common_verdict() -> None:
    claims = [
        claim("A", "fails"),
        claim("B", "holds"),
        claim("B", "holds"),
        claim("C", "holds"),
        claim("C", "inconclusive"),
        claim("D", "not testable"),
        claim("E", "holds", world="linear"),
    ]
    standing = summary.standing(claims, "llm")
    ids = {verdict: [group.id for group in members] for verdict, members in standing.items()}
    assert list(ids.items()) == [
        ("holds", ["B"]),
        ("fails", ["A"]),
        ("not testable", ["D"]),
        ("mixed", ["C"]),
    ]


def test_published_claims_meet_ours_of_the_same_claim_and_method() -> None:
    published = [
        claim("L1", "holds", world="published"),
        claim("L2", "fails", world="published", method="NPO"),
    ]
    ours = [
        claim("L1", "fails"),
        claim("L1", "holds", world="linear"),
        claim("L2", "holds"),
        claim("L3", "holds"),
    ]
    first, second = published_vs_ours.pairs(published, ours)
    assert (first.id, first.method, first.published, first.ours) == (
        "L1",
        "GA",
        (published[0],),
        (ours[0],),
    )
    assert (second.id, second.method, second.published, second.ours) == (
        "L2",
        "NPO",
        (published[1],),
        (),
    )
