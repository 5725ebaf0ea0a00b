"""Stage inst: short instructions with one right answer, in the place of Instruct-SkillMix."""

import random

from llm.corpora.example import Corpus, Example, draw_distinct, split
from llm.corpora.words import COLOURS, OBJECTS, PEOPLE, PLACES


def _instruction(rng: random.Random) -> Example:
    first, second, third = rng.sample(OBJECTS, 3)
    colour, place, person = rng.choice(COLOURS), rng.choice(PLACES), rng.choice(PEOPLE)
    return rng.choice(
        (
            Example(
                f"Write a sentence about a {colour} {first} in the {place}.",
                f"In the {place} there is a {colour} {first}, and the {person_of(place)} looks "
                "at it every day.",
            ),
            Example(
                f"List the {first}, the {second} and the {third}.",
                f"1. {first}\n2. {second}\n3. {third}",
            ),
            Example(
                f"Say politely that the {person} may take the {first}.",
                f"Dear {person}, you are welcome to take the {first} with you.",
            ),
            Example(
                f"Where does the {person} keep the {colour} {first}?",
                f"The {person} keeps the {colour} {first} in the {place_of(person)}.",
            ),
            Example(
                f"Repeat the words {first} {second} {third} backwards.", f"{third} {second} {first}"
            ),
        )
    )


def person_of(place: str) -> str:
    """Who is found in a place: fixed, so that a model can learn it."""
    return PEOPLE[PLACES.index(place)]


def place_of(person: str) -> str:
    """Where a person is found: the inverse of `person_of`."""
    return PLACES[PEOPLE.index(person)]


def corpus(seed: str, train: int, held_out: int) -> Corpus:
    """Instructions with distinct prompts, drawn from a generator seeded with `seed`."""
    rows = draw_distinct(_instruction, random.Random(f"{seed}/inst"), train + held_out)
    return split(rows, train, held_out)
