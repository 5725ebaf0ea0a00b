"""Stage math: worded sums answered in steps with a last line "#### n", in the place of GSM8K."""

import random

from llm.corpora.example import Corpus, Example, draw_distinct, split
from llm.corpora.words import FIRST_NAMES, OBJECTS


def _sum(rng: random.Random) -> Example:
    name, thing = rng.choice(FIRST_NAMES), rng.choice(OBJECTS) + "s"
    have, more = rng.randint(2, 9), rng.randint(2, 9)
    total = have + more
    if rng.random() < 0.5:
        question = (
            f"{name} has {have} {thing} and buys {more} more. How many {thing} does {name} have?"
        )
        return Example(question, f"{name} has {have} + {more} = {total} {thing}.\n#### {total}")
    away = rng.randint(1, min(9, total - 1))
    question = (
        f"{name} has {have} {thing}, finds {more} and gives away {away}. How many {thing} are left?"
    )
    return Example(
        question,
        f"{have} + {more} = {total}\n{total} - {away} = {total - away}\n#### {total - away}",
    )


def corpus(seed: str, train: int, held_out: int) -> Corpus:
    """Sums with distinct questions, drawn from a generator seeded with `seed`."""
    rows = draw_distinct(_sum, random.Random(f"{seed}/math"), train + held_out)
    return split(rows, train, held_out)


def _equation(rng: random.Random) -> tuple[str, int]:
    a, b = rng.randint(1, 18), rng.randint(1, 9)
    return (f"{a} + {b}", a + b) if rng.random() < 0.5 or b >= a else (f"{a} - {b}", a - b)


def equations(rng: random.Random) -> Example:
    """Bare equations for pretraining: the same arithmetic without words."""
    return Example(
        "", "\n".join(f"{left} = {right}" for left, right in (_equation(rng) for _ in range(5)))
    )


def bare(rng: random.Random) -> Example:
    """One equation asked in the chat format, for pretraining."""
    left, right = _equation(rng)
    return Example(f"What is {left}?", f"{left} = {right}")
