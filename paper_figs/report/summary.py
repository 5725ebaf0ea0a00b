"""The short answer, computed from the claims: what each world says to the main questions, and how
the claims stand.

A question is answered by all verdicts on its claim in a world: "yes" where all hold, "no" where all
fail, "in part" where some hold, "undecided" where none does and not all fail.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from paper_figs.drawing.claim_text import Group, groups
from protocol.claims import Claim, tally
from protocol.claims.claim import VERDICTS

WORLDS = {"linear": "Linear model", "network": "Small networks", "llm": "Language models"}
QUESTIONS = {
    "L1": "Do the paths part under unlearning?",
    "L2": "Is what was learned last forgotten slowest?",
    "L3": "Does the loss of utility depend on the path?",
    "L4": "Does it depend on the order how deep forgetting goes?",
    "E1": "Does unlearning miss the retrained model on most paths?",
}
WORDS = {
    "holds": "hold",
    "fails": "fail",
    "inconclusive": "inconclusive",
    "not testable": "not testable",
}
MIXED = "mixed"


@dataclass(frozen=True)
class Reading:
    """What a world's verdicts on one claim come to; verdict: that of all of them, or "mixed"."""

    word: str
    counts: str  # "3 hold, 1 inconclusive"
    verdict: str


@dataclass(frozen=True)
class Answer:
    """One question with a reading for every world that speaks of it."""

    id: str
    question: str
    readings: dict[str, Reading | None]


def counted(claims: Sequence[Claim]) -> str:
    """ "3 hold, 1 inconclusive": the verdicts there are, with their numbers."""
    counts = tally(list(claims))
    return ", ".join(
        f"{counts[verdict]} {WORDS[verdict]}" for verdict in VERDICTS if counts[verdict]
    )


def common_verdict(claims: Sequence[Claim]) -> str:
    """The verdict all claims share, else "mixed"."""
    verdicts = {claim.verdict for claim in claims}
    return verdicts.pop() if len(verdicts) == 1 else MIXED


def reading(claims: Sequence[Claim]) -> Reading | None:
    """The word for a world's verdicts on one claim; None where there is no verdict."""
    if not claims:
        return None
    common = common_verdict(claims)
    held = any(claim.verdict == "holds" for claim in claims)
    word = {"holds": "yes", "fails": "no"}.get(common, "in part" if held else "undecided")
    return Reading(word, counted(claims), common)


def answers(claims: Sequence[Claim]) -> list[Answer]:
    """The main questions that some claim speaks of."""
    asked = [
        Answer(
            id,
            question,
            {
                world: reading([c for c in claims if (c.id, c.world) == (id, world)])
                for world in WORLDS
            },
        )
        for id, question in QUESTIONS.items()
    ]
    return [answer for answer in asked if any(answer.readings.values())]


def standing(claims: Sequence[Claim], world: str) -> dict[str, list[Group]]:
    """The claims of a world by their common verdict, "mixed" where models or methods differ; only
    what there is.
    """
    found = groups(claim for claim in claims if claim.world == world)
    by_verdict = {
        verdict: [g for g in found if common_verdict(g.claims) == verdict]
        for verdict in (*VERDICTS, MIXED)
    }
    return {verdict: members for verdict, members in by_verdict.items() if members}
