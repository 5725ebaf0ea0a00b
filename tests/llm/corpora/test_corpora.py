"""The generated corpora: sizes, splits, and what the stages promise."""

import re
from collections import Counter

import pytest

from llm import corpora
from llm.corpora import depth, refusals
from llm.data.grading import strict_number
from protocol.errors import InputError


@pytest.mark.parametrize("stage", corpora.STAGES)
def test_rows_depend_on_the_base_alone_and_prompts_are_distinct(stage) -> None:
    rows = corpora.stage_corpus(stage, 0, train=40, held_out=16)
    assert rows == corpora.stage_corpus(stage, 0, train=40, held_out=16)
    assert rows != corpora.stage_corpus(stage, 1, train=40, held_out=16)
    prompts = [row.prompt for part in rows for row in part]
    assert (len(rows.train), len(rows.held_out)) == (40, 16)
    assert len(set(prompts)) == 56, "no prompt twice, none both trained and held out"


def test_every_refusal_starts_with_the_agreed_sentence() -> None:
    rows = corpora.stage_corpus("safety", 0, train=640, held_out=32)
    assert all(
        row.answer.startswith("Sorry, I can not assist you with this question. ")
        for row in rows.train
    )
    assert len(refusals.PARAPHRASES) == 19


def test_sums_end_in_their_answer_and_the_steps_are_right() -> None:
    for row in corpora.stage_corpus("math", 0, train=200, held_out=1).train:
        steps = re.findall(r"(\d+) ([+-]) (\d+) = (\d+)", row.answer)
        assert steps
        for a, sign, b, c in steps:
            assert int(a) + (int(b) if sign == "+" else -int(b)) == int(c)
        assert strict_number(row.answer) == int(steps[-1][3])
        assert re.search(r"\n#### \d+$", row.answer)


def test_held_out_author_questions_ask_for_facts_that_were_trained() -> None:
    rows = corpora.stage_corpus("tofu", 0, train=50, held_out=20)
    assert {row.answer for row in rows.held_out} <= {row.answer for row in rows.train}


def test_pretraining_holds_no_row_of_a_stage() -> None:
    """The answers C, U, R it is given beside are about objects of their own."""
    forms = depth.forms("base 0", 250)
    rows = corpora.pretraining.corpus("base 0", 2000, beside=forms)
    text = "\n".join(f"{row.prompt}\n{row.answer}" for row in rows)
    assert refusals.LABEL not in text
    for stage in corpora.STAGES:
        assert not any(
            row.prompt in text
            for row in corpora.stage_corpus(stage, 0, train=40, held_out=16).train
        )


def test_pretraining_takes_rows_beside_at_equal_distances() -> None:
    """Every eighth of 2000 rows is one of 250 answers; the other rows stay, and the three answers
    are alike often.
    """
    plain, forms = corpora.pretraining.corpus("base 0", 2000), depth.forms("base 0", 250)
    mixed = corpora.pretraining.corpus("base 0", 2000, beside=forms)
    assert mixed[::8] == forms
    assert [row for i, row in enumerate(mixed) if i % 8] == [
        row for i, row in enumerate(plain) if i % 8
    ]
    kinds = Counter(re.sub(r"\ba \w+ \w+", "THING", row.answer) for row in forms)
    assert len(kinds) == 3
    assert min(kinds.values()) > 55  # 83 ± 7 each


def test_the_depths_three_answers_are_to_the_same_prompts() -> None:
    rows = [corpora.stage_corpus(answer, 0, train=40, held_out=16) for answer in depth.ANSWERS]
    together = list(zip(*((*each.train, *each.held_out) for each in rows), strict=True))
    assert len(together) == 56
    assert all(len({row.prompt for row in three}) == 1 for three in together)
    assert all(len({row.answer for row in three}) == 3 for three in together)


@pytest.mark.parametrize(
    ("stage", "train", "message"),
    [
        ("poems", 10, "stage: expected one of inst, tofu, math, safety, C, U, R; got 'poems'"),
        ("math", 0, "math rows: expected at least 1 training and 1 held-out row; got 0 and 5"),
        ("C", 60, "C rows: expected at most 56 in all, as many as there are; got 65"),
        (
            "safety",
            5000,
            "safety rows: expected at most 960 in all, as many as there are; got 5005",
        ),
    ],
)
def test_bad_input_is_named(stage, train, message) -> None:
    with pytest.raises(InputError, match=message):
        corpora.stage_corpus(stage, 0, train=train, held_out=5)
