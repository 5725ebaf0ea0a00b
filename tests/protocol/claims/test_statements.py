"""Statements: each id once, as docs/claims.md lists them; claims are made by keyword alone."""

import re
from pathlib import Path

import pytest

from protocol.claims import JUDGES
from protocol.claims.claim import Claim, Statement
from protocol.claims.statements import ALL, STATEMENTS
from protocol.errors import InputError

ROOT = Path(__file__).parents[3]
STATEMENT = Statement("X1", sentence="A holds.", source="Section 1", statistic="share, {step}")
JUDGED = {
    "world": "llm",
    "model": "tiny",
    "method": "GA",
    "value": 0.5,
    "rule": "> 0.25",
    "verdict": "holds",
    "details": ["1 of 2", "2 seeds"],
}


def ids_of(cell: str) -> set[str]:
    """ "T1–T3" is T1, T2, T3; "R" is every id that begins with R; "L6, L6e" are two ids."""
    ids: set[str] = set()
    for name in cell.split(", "):
        span = re.fullmatch(r"(\w)(\d)–\1(\d)", name)
        if span:
            first, last = int(span[2]), int(span[3])
            ids |= {f"{span[1]}{number}" for number in range(first, last + 1)}
        elif len(name) == 1:
            ids |= {id for id in STATEMENTS if id[0] == name}
        else:
            ids.add(name)
    return ids


def test_docs_list_every_statement_and_no_other() -> None:
    page = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    table = page.split("## Ids")[1].split("\n\n")[2].splitlines()[2:]
    listed = [id for line in table for id in ids_of(line.split(" | ")[0].removeprefix("| "))]
    assert sorted(listed) == sorted(STATEMENTS)


def test_every_id_is_declared_once_and_judged_by_a_module() -> None:
    assert len(ALL) == len(STATEMENTS)
    sources = [Path(str(module.__file__)).read_text(encoding="utf-8") for module, _ in JUDGES]
    used = {id for text in sources for id in re.findall(r'STATEMENTS\["(\w+)"\]', text)}
    assert used | {"T1", "T2"} == set(STATEMENTS)  # theorem.py has one function for T1 and T2


@pytest.mark.parametrize("statement", ALL, ids=lambda statement: statement.id)
def test_a_statement_is_one_sentence(statement: Statement) -> None:
    assert statement.sentence.endswith(".") and statement.sentence[0].isupper()
    assert ". " not in statement.sentence and ": " not in statement.sentence
    for text in (statement.sentence, statement.statistic, statement.source):
        assert "  " not in text and text == text.strip()


def test_a_judged_statement_is_a_claim_with_its_words() -> None:
    claim = STATEMENT.measured(step="step 20").judged(**JUDGED)
    assert claim == Claim(
        "X1", "A holds.", "Section 1", "llm", "tiny", "GA", "share, step 20", 0.5, None, "> 0.25",
        "holds", "1 of 2; 2 seeds",
    )  # fmt: skip


def test_a_statement_that_cannot_be_tested_says_why() -> None:
    claim = STATEMENT.not_testable(world="llm", model="tiny", method="GA", rule="> 0", why="1 seed")
    assert (claim.verdict, claim.value, claim.interval, claim.p_value) == (
        "not testable",
        None,
        None,
        None,
    )
    assert (claim.threshold, claim.detail) == ("> 0", "1 seed")


def test_verdicts_are_given_by_keyword_alone() -> None:
    with pytest.raises(TypeError, match="positional argument"):
        STATEMENT.judged(*JUDGED.values())
    with pytest.raises(TypeError, match="positional argument"):
        STATEMENT.not_testable("llm", "tiny", "GA", "> 0", "1 seed")


def test_an_unknown_verdict_is_refused() -> None:
    with pytest.raises(InputError, match=r"verdict: expected one of holds, .*; got 'hold': did"):
        STATEMENT.judged(**JUDGED | {"verdict": "hold"})


def test_a_place_left_empty_is_refused() -> None:
    with pytest.raises(KeyError, match="step"):
        STATEMENT.measured(metric="accuracy")
