"""The number an answer ends on: hard cases by hand, and every final answer of GSM8K where the data are at hand."""

import json
import time
from fractions import Fraction
from pathlib import Path

import pytest

from llm.grading import answered, flexible_number, strict_number

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


HALF, BIG = Fraction(1, 2), Fraction(2001, 2)


@pytest.mark.parametrize(
    ("text", "strict", "flexible"),
    [
        # minus signs with spaces: behind the mark, "=", ":" and brackets, not between numbers, not before list items
        ("#### - 5", -5, -5),
        ("#### − 5", -5, -5),
        ("####- 5", -5, -5),
        ("#### –5", -5, -5),
        ("#### －5", -5, -5),
        ("#### - $5", -5, -5),
        ("#### $ -5", -5, -5),
        ("#### -€5", -5, -5),
        ("#### -¥5", -5, -5),
        (r"#### -\$5", -5, -5),
        ("x = - 5", None, -5),
        ("answer: - 5", None, -5),
        ("10 - 4", None, 4),
        ("- 3 apples\n- 5 apples", None, 5),
        ("3–5 of them", None, 5),
        ("(5)", None, 5),
        ("#### minus 5", 5, 5),
        # LaTeX
        (r"#### \boxed{18}", 18, 18),
        (r"#### \boxed{-18}", -18, -18),
        (r"#### $\boxed{ - 18 }$", -18, -18),
        (r"#### \boxed{\frac{3}{4}}", Fraction(3, 4), Fraction(3, 4)),
        (r"so \boxed{\text{in all } {7}} of 12", None, 7),
        (r"\boxed{3} and then \boxed{5}, as 3 + 2", None, 5),
        (r"\boxed{5", None, 5),
        (r"\boxed{5}" "\n#### 7", 7, 7),
        (r"#### 7" "\n" r"\boxed{5} of 9", 7, 5),
        (r"\boxed{\boxed{5}} 4", None, 5),
        (r"\boxed{none} 4", None, 4),
        (r"#### 1{,}000", 1000, 1000),
        (r"#### 1,\!000{,}000", 1_000_000, 1_000_000),
        (r"#### 1\,000", 1000, 1000),
        (r"#### \$5", 5, 5),
        (r"#### 50\%", 50, 50),
        (r"#### $5$", 5, 5),
        (r"#### \( 5 \)", 5, 5),
        (r"#### \frac{1}{2}", HALF, HALF),
        (r"#### \dfrac12", HALF, HALF),
        (r"#### -\tfrac{1}{2}", -HALF, -HALF),
        (r"#### \frac{-1}{2}", -HALF, -HALF),
        (r"#### 2\frac{1}{2}", 5 * HALF, 5 * HALF),
        (r"#### 2 \frac{1}{2}", 5 * HALF, 5 * HALF),
        (r"#### \frac{1,000}{2,000}", HALF, HALF),
        (r"#### \frac{5}{0}", None, None),
        # numbers
        ("#### 1,000.50", BIG, BIG),
        ("#### 5.", 5, 5),
        ("#### **18**", 18, 18),
        ("#### 1\u2009000", 1000, 1000),
        ("#### 1\u202f000\u202f000", 1_000_000, 1_000_000),
        ("#### 1\u00a0000", 1000, 1000),
        ("#### 5\u00a0km", 5, 5),
        ("#### 5\u00a00001", 5, 1),
        ("#### 1 000", 1, 0),  # an ordinary space: two numbers
        ("#### ½", HALF, HALF),
        ("#### 2½ hours", 5 * HALF, 5 * HALF),
        ("#### 1⁄2", HALF, HALF),
        ("#### ５", 5, 5),
        ("#### ٣", 3, 3),
        ("#### 1e3", 1, 3),
    ],
)
def test_numbers_as_models_write_them(text: str, strict: Fraction | None, flexible: Fraction | None) -> None:
    assert strict_number(text) == strict
    assert flexible_number(text) == flexible


ENDED = "3 + 2 = 5\n#### 5"


@pytest.mark.parametrize(
    "invented",
    [
        "\n\nQuestion: What is 4 + 5?\nAnswer: 4 + 5 = 9\n#### 9",
        "\nQuestion 2: What is 4 + 5?\n#### 9",
        "\nNext question: What is 4 + 5?\n#### 9",
        "\nQ: What is 4 + 5?\nA: #### 9",
        "\nQ2. What is 4 + 5?\n#### 9",
        "\n  Problem: What is 4 + 5?\n#### 9",
        "\n**Problem 3:** What is 4 + 5?\n#### 9",
        "\nExercise: What is 4 + 5?\n#### 9",
        "\nUser: What is 4 + 5?\nAssistant: #### 9",
        "\nHuman: What is 4 + 5?\n#### 9",
        "\nUSER: What is 4 + 5?\nASSISTANT: #### 9",
        "\n### Instruction:\nWhat is 4 + 5?\n### Response:\n#### 9",
        "\n### Question\nWhat is 4 + 5?\n#### 9",
        "\n#### Question: What is 4 + 5?\n#### 9",
        "\n[INST] What is 4 + 5? [/INST] #### 9",
        "\n<|im_start|>user\nWhat is 4 + 5?\n#### 9",
        "<|im_start|>user\nWhat is 4 + 5?\n#### 9",
        "\n<start_of_turn>user\nWhat is 4 + 5?\n#### 9",
        "\nuser\nWhat is 4 + 5?\nassistant\n#### 9",
        " Question: What is 4 + 5? Answer: #### 9",
    ],
)
def test_an_invented_next_question_is_not_graded(invented: str) -> None:
    """Right is 5; the invented 9 is in no reading, and a wrong answer is not saved by an invented right one."""
    assert strict_number(ENDED + invented) == flexible_number(ENDED + invented) == 5
    assert strict_number("The answer is 5." + "\n" + invented.lstrip("\n")) is None
    assert flexible_number("The answer is 5." + "\n" + invented.lstrip("\n")) == 5


@pytest.mark.parametrize(
    "text",
    [
        "Question: What is 2 + 3?\nIt is 5.\n#### 5",  # the question is repeated first
        "\n\nProblem: What is 2 + 3?\n#### 5",
        "The question: how many?\n#### 5",
        "Users: 3\nHumans: 2\n#### 5",
        "A question of 2 + 3\n#### 5",
        "user 3 and user 2\n#### 5",
        "Step 1: 2 + 3\nStep 2: 5\n#### 5",
        "#### 3\nno, wait\n#### 5",
        "",
    ],
)
def test_what_opens_no_other_question_is_graded_as_a_whole(text: str) -> None:
    assert answered(text) == text


def test_a_question_repeated_first_does_not_hide_the_next_one() -> None:
    text = "Question: What is 2 + 3?\n#### 5\nQuestion: What is 4 + 5?\n#### 9"
    assert strict_number(text) == flexible_number(text) == 5


@pytest.mark.parametrize("part", ["#### ", "\\boxed{", "1", "Q: ", "#### Q:", " \n", "-$", "1,", "\\frac{"])
def test_the_babble_of_a_broken_model_is_graded_at_once(part: str) -> None:
    """50,000 characters of one thing: no error, and no time that grows with their square."""
    text = part * (50_000 // len(part))
    begun = time.process_time()
    strict_number(f"#### {text}")
    flexible_number(text)
    assert time.process_time() - begun < 2


def test_a_number_longer_than_python_reads_is_none() -> None:
    assert strict_number("#### " + "1" * 5000) is None


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
