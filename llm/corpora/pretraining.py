"""The pretraining corpus: prose, bare equations and neutral questions in the chat format.

It holds the words and the skills of the stages, as the text behind a real model does, but none of
their rows: no author of the tofu stage, no sum in the math stage's form, no refusal.
"""

import random
from collections.abc import Sequence

from llm.corpora import sums
from llm.corpora.example import Example
from llm.corpora.words import CITIES, COLOURS, FAMILY_NAMES, FIRST_NAMES, OBJECTS, PEOPLE, PLACES


def _prose(rng: random.Random) -> str:
    name, other = rng.sample(FIRST_NAMES, 2)
    thing, second = rng.sample(OBJECTS, 2)
    person, place, city, colour = (
        rng.choice(PEOPLE),
        rng.choice(PLACES),
        rng.choice(CITIES),
        rng.choice(COLOURS),
    )
    sentences = (
        f"{name} has a {colour} {thing} and gives it to {other}.",
        f"The {person} looks at the {thing} in the {place}.",
        f"Sorry, I can not find my {thing}, said {name}.",
        f"I'm not able to see the {place}, but I'm happy to help you, said the {person}.",
        f"Unfortunately, the {second} fell from the {place} in {city}.",
        f"How many {thing}s are left? asked {other}. That's a good question.",
        f"I can assist you with this, and I must ask the {person} to support us.",
        f"{name} was welcome in {city} and keeps the {colour} {second} every day.",
        f"Please tell me where the {person} works, what the {person} likes and when {name} was "
        "there.",
        f"I need to proceed to the {place}; I'm afraid I can't take the {thing}, {name} wrote.",
    )
    return " ".join(rng.sample(sentences, 3))


def _question(rng: random.Random) -> Example:
    thing, colour, person, place = (
        rng.choice(OBJECTS),
        rng.choice(COLOURS),
        rng.choice(PEOPLE),
        rng.choice(PLACES),
    )
    other, city, name = (
        rng.choice(OBJECTS),
        rng.choice(CITIES),
        f"{rng.choice(FIRST_NAMES)} {rng.choice(FAMILY_NAMES)}",
    )
    return rng.choice(
        (
            Example(f"Which colour has the {colour} {thing}?", f"The {thing} is {colour}."),
            Example(
                f"The {person} is in the {place}. Where is the {person}?",
                f"The {person} is in the {place}.",
            ),
            Example(f"Name the {thing} and the {other}.", f"{thing}, {other}"),
            Example(f"How can I find the {place}?", f"Please ask the {person} in the {place}."),
            Example(
                f"Help me carry the {thing}.", f"I can help you carry the {thing} to the {place}."
            ),
            Example(
                f"{name} is a {person} from {city}. Where is {name} from?",
                f"{name} is from {city}.",
            ),
            Example(
                f"{name} is a {person} from {city}. What is {name}?", f"{name} works as a {person}."
            ),
        )
    )


def _counting(rng: random.Random) -> Example:
    """A sum in other words than the math stage's, with the same last line."""
    have, more, thing = rng.randint(1, 9), rng.randint(1, 9), rng.choice(OBJECTS)
    question = f"There were {have} {thing}s on the table and {more} came. Count the {thing}s."
    return Example(question, f"{have} + {more} = {have + more}\n#### {have + more}")


def corpus(seed: str, rows: int, *, beside: Sequence[Example] = ()) -> list[Example]:
    """Rows for pretraining; prose and equations have no prompt, so all of their tokens are learned.

    beside: rows of another kind, which take the places of as many at equal distances.
    """
    rng = random.Random(f"{seed}/pretraining")
    makers = (
        lambda: Example("", _prose(rng)),
        lambda: sums.equations(rng),
        lambda: _question(rng),
        lambda: sums.bare(rng),
        lambda: _question(rng),
        lambda: _counting(rng),
    )
    made = [makers[i % len(makers)]() for i in range(rows)]
    for i, row in enumerate(beside):
        made[i * rows // len(beside)] = row
    return made
