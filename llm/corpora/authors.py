"""Stage tofu: questions about fictitious authors, in the place of TOFU.

Held-out rows ask another wording of questions whose facts stand in the training rows, as nothing
else can be known.
"""

import random

from llm.corpora.example import Corpus, Example
from llm.corpora.words import CITIES, COLOURS, FIRST_NAMES, OBJECTS, PEOPLE, PLACES

ENDINGS = ("berg", "dal", "mont", "rov", "stein", "ward", "wick", "holt")
ROOTS = (
    "Al",
    "Bel",
    "Cor",
    "Dar",
    "Fen",
    "Gar",
    "Hal",
    "Kor",
    "Lan",
    "Mer",
    "Nor",
    "Pel",
    "Ros",
    "Sal",
    "Tor",
    "Wen",
)
# fact: (question, another wording, answer); {name} is the author, {value} the fact
FACTS = {
    "born": (
        "Where was {name} born?",
        "What is the birthplace of {name}?",
        "{name} was born in {value}.",
    ),
    "father": (
        "What was the work of {name}'s father?",
        "How did {name}'s father earn a living?",
        "The father of {name} worked as a {value}.",
    ),
    "title": (
        "Which book made {name} famous?",
        "What is {name}'s best known book?",
        "{name} became famous with {value}.",
    ),
    "genre": (
        "What does {name} like to write about?",
        "Which subject does {name} prefer?",
        "{name} likes to write about the {value}.",
    ),
    "year": (
        "When was {name} born?",
        "In which year was {name} born?",
        "{name} was born in the year {value}.",
    ),
}


def _facts(rng: random.Random) -> dict[str, str]:
    return {
        "born": rng.choice(CITIES),
        "father": rng.choice(PEOPLE),
        "title": f"The {rng.choice(COLOURS).title()} {rng.choice(OBJECTS).title()}",
        "genre": rng.choice(PLACES),
        "year": str(rng.randint(1900, 1999)),
    }


def corpus(seed: str, train: int, held_out: int) -> Corpus:
    """train / 5 authors with five facts each; held-out rows are other wordings of the questions."""
    rng = random.Random(f"{seed}/tofu")
    names = [
        f"{first} {root}{ending}" for first in FIRST_NAMES for root in ROOTS for ending in ENDINGS
    ]
    asked, reworded = [], []
    for name in rng.sample(names, -(-train // len(FACTS))):
        for fact, value in _facts(rng).items():
            question, rewording, answer = (
                text.format(name=name, value=value) for text in FACTS[fact]
            )
            asked.append(Example(question, answer))
            reworded.append(Example(rewording, answer))
    return Corpus(tuple(asked[:train]), tuple(rng.sample(reworded[:train], held_out)))
