"""The summary, computed from the claims: answers to the main questions, and verdicts by claim.

All verdicts on a question's claim for one kind of model give its answer: "yes" if all hold, "no" if
all fail, "in part" if some hold, else "undecided".
"""

from collections.abc import Sequence
from dataclasses import dataclass

from paper_figs.drawing.claim_text import Group, groups
from protocol.claims import Claim, tally
from protocol.claims.claim import VERDICTS

KINDS = {"linear": "Linear model", "network": "Small networks", "llm": "Language models"}
QUESTIONS = {
    "L1": "Do the paths diverge under unlearning?",
    "L2": "Is the stage learned last forgotten slowest?",
    "L3": "Does the loss of utility depend on the path?",
    "L4": "Does the depth of forgetting depend on the order?",
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
    """The answer of one kind of model; verdict: that of all its claims, or "mixed"."""

    word: str
    counts: str  # "3 hold, 1 inconclusive"
    verdict: str


@dataclass(frozen=True)
class Answer:
    """One question with its reading for every kind of model, None without claims."""

    id: str
    question: str
    readings: dict[str, Reading | None]


def counted(claims: Sequence[Claim]) -> str:
    """ "3 hold, 1 inconclusive": the verdicts that occur, with their numbers."""
    counts = tally(list(claims))
    return ", ".join(
        f"{counts[verdict]} {WORDS[verdict]}" for verdict in VERDICTS if counts[verdict]
    )


def common_verdict(claims: Sequence[Claim]) -> str:
    """The verdict that all claims share, else "mixed"."""
    verdicts = {claim.verdict for claim in claims}
    return verdicts.pop() if len(verdicts) == 1 else MIXED


def reading(claims: Sequence[Claim]) -> Reading | None:
    """The answer from the verdicts on one claim; None if there is no verdict."""
    if not claims:
        return None
    common = common_verdict(claims)
    held = any(claim.verdict == "holds" for claim in claims)
    word = {"holds": "yes", "fails": "no"}.get(common, "in part" if held else "undecided")
    return Reading(word, counted(claims), common)


def _answer(id: str, claims: Sequence[Claim]) -> Answer:
    of_question = [claim for claim in claims if claim.id == id]
    readings = {
        world: reading([claim for claim in of_question if claim.world == world]) for world in KINDS
    }
    return Answer(id, QUESTIONS[id], readings)


def answers(claims: Sequence[Claim]) -> list[Answer]:
    """The main questions for which there is a claim, with their answers."""
    every = [_answer(id, claims) for id in QUESTIONS]
    return [answer for answer in every if any(answer.readings.values())]


def standing(claims: Sequence[Claim], world: str) -> dict[str, list[Group]]:
    """The claims of one kind of model by common verdict; "mixed" if models or methods differ."""
    by_verdict: dict[str, list[Group]] = {verdict: [] for verdict in (*VERDICTS, MIXED)}
    for group in groups(claim for claim in claims if claim.world == world):
        by_verdict[common_verdict(group.claims)].append(group)
    return {verdict: members for verdict, members in by_verdict.items() if members}
