"""The number an answer ends on: hard cases by hand, and every final answer of GSM8K where the data are at hand."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from llm.grading import flexible_number, strict_number

GSM8K = Path(__file__).parents[3] / "shared" / "data" / "gsm8k"


@pytest.mark.parametrize(
    ("text", "strict", "flexible"),
    [
        ("3 + 4 = 7\n#### 7", 7, 7),
        ("#### 3\nno, wait\n#### 1,250", 1250, 1250),
        ("#### 12,345,678.50", Fraction(24691357, 2), Fraction(24691357, 2)),
        ("#### 1,23", 1, 23),  # no thousands separator: three digits must follow
        ("#### 1,2345", 1, 2345),
        ("#### -4", -4, -4),
        ("#### −7", -7, -7),
        ("#### -$5", -5, -5),
        ("#### $-5", -5, -5),
        ("#### $18 a day", 18, 18),
        ("#### 18 dollars", 18, 18),
        ("#### 18.", 18, 18),
        ("#### 50%", 50, 50),
        ("#### .5", Fraction(1, 2), Fraction(1, 2)),
        ("#### 3/4", Fraction(3, 4), Fraction(3, 4)),
        ("#### 2 1/2 hours", Fraction(5, 2), Fraction(5, 2)),
        ("#### 5/0", None, None),
        ("####\n18", 18, 18),
        ("#### none\n7", None, 7),
        ("the answer is 7", None, 7),
        ("#### 7 and then I eat 3", 7, 3),
        ("left: 10-4", None, 4),
        ("7\n####", None, 7),
        ("no number", None, None),
        ("", None, None),
    ],
)
def test_hard_cases(text, strict, flexible) -> None:
    assert strict_number(text) == strict
    assert flexible_number(text) == flexible


@pytest.mark.skipif(not GSM8K.is_dir(), reason="GSM8K is not at hand")
def test_all_final_answers_of_gsm8k() -> None:
    graded = 0
    for name in ("train", "test"):
        for line in (GSM8K / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            answer = json.loads(line)["answer"]
            right = Fraction(answer.split("#### ")[1].replace(",", ""))
            assert strict_number(answer) == flexible_number(answer) == right
            graded += 1
    assert graded == 8792
