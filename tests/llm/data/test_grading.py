"""The number an answer ends on: hard cases by hand, and every final answer of GSM8K where the data
are at hand.
"""

import json
import time
from fractions import Fraction
from pathlib import Path

import pytest

from llm.data.grading import answered, flexible_number, strict_number

GSM8K = Path(__file__).parents[4] / "shared" / "data" / "gsm8k"


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
        # minus signs with spaces: behind the mark, "=", ":" and brackets, not between numbers, not
        # before list items
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
def test_numbers_as_models_write_them(
    text: str, strict: Fraction | None, flexible: Fraction | None
) -> None:
    assert strict_number(text) == strict
    assert flexible_number(text) == flexible


ENDED = "3 + 2 = 5\n#### 5"
MARKERS = [
    "\n### Instruction:\nWhat is 4 + 5?\n### Response:\n#### 9",
    "\n### Input: What is 4 + 5?\n#### 9",
    "\n### Human: What is 4 + 5?\n### Assistant: #### 9",
    "\n[INST] What is 4 + 5? [/INST] #### 9",
    " [INST] What is 4 + 5? [/INST] #### 9",
    "\n<|im_start|>user\nWhat is 4 + 5?\n#### 9",
    "<|im_start|>user\nWhat is 4 + 5?\n#### 9",
    "<|start_header_id|>user<|end_header_id|>\n\nWhat is 4 + 5?\n#### 9",
    "\n<start_of_turn>user\nWhat is 4 + 5?\n#### 9",
    "<|user|>\nWhat is 4 + 5?\n#### 9",
    "<｜User｜>What is 4 + 5?\n#### 9",
    "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>What is 4 + 5?\n#### 9",
    "<|start_of_role|>user<|end_of_role|>What is 4 + 5?\n#### 9",
    "<|start|>user<|message|>What is 4 + 5?\n#### 9",
    "\nuser\nWhat is 4 + 5?\nassistant\n#### 9",
]
WORDS = [
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
    "\n### Question\nWhat is 4 + 5?\n#### 9",
    "\n#### Question: What is 4 + 5?\n#### 9",
    " Question: What is 4 + 5? Answer: #### 9",
]


@pytest.mark.parametrize("invented", [*MARKERS, *WORDS])
def test_behind_the_answers_mark_an_invented_next_question_is_not_graded(invented: str) -> None:
    assert strict_number(ENDED + invented) == flexible_number(ENDED + invented) == 5


@pytest.mark.parametrize("invented", MARKERS)
def test_a_marker_of_a_template_opens_a_question_before_any_mark_too(invented: str) -> None:
    """A wrong answer is not saved by an invented right one."""
    text = "The answer is 5." + invented
    assert strict_number(text) is None
    assert flexible_number(text) == 5


PARTS = [
    "Q1: 20\nQ2: 30\nTotal 50",  # quarters
    "First.\nUser: 50 people",
    "Problem 1: 20\nProblem 2: 30\nTogether 50",
    "**Question 1:** 20\n**Question 2:** 30\nTogether 50",
    "### Problem 1\n20\n### Problem 2\n30\nTogether 50",
    "It is 20.\nExercise: 30 minutes\nTogether 50",
    "It is 20.\nInstruction: 30 minutes\nTogether 50",
    "It is 20.\nQ. 30\nTogether 50",
    "It is 20.\nQ: 30\nTogether 50",  # a name, no question
    "Users: 20\nHumans: 30\nTogether 50",
    "user 20 and user 30\nTogether 50",
]


@pytest.mark.parametrize("solution", PARTS)
@pytest.mark.parametrize("mark", ["\n#### 50", " #### 50", "\n\n#### $50\n"])
def test_parts_of_a_solution_open_no_question(solution: str, mark: str) -> None:
    """Right is 50; a part that were taken for a question would leave 20, or nothing."""
    assert strict_number(solution + mark) == flexible_number(solution + mark) == 50
    assert strict_number(solution) is None
    assert flexible_number(solution) == 50


@pytest.mark.parametrize(
    "text",
    [
        "It is 20.\nQuestion: how many?\nIt is 50.\n#### 50",
        "It is 20.\nHuman: 30\nTogether 50\n#### 50",
    ],
)
def test_before_the_first_mark_whole_words_open_no_question_either(text: str) -> None:
    assert strict_number(text) == flexible_number(text) == 50


@pytest.mark.parametrize(
    "invented",
    [
        "\nQuestion: What is 4 + 5?\nAnswer: 9",
        "\n\n**Question: What is 4 + 5?**\n9",
        "\nHuman: What is 4 + 5?\nAssistant: 9",
        "\nQ: What is 4 + 5?\nA: 9",
        *(text.replace("#### 9", "9") for text in MARKERS),
    ],
)
def test_a_text_without_a_mark_ends_where_a_question_opens_in_whole_words(invented: str) -> None:
    assert flexible_number("The answer is 5." + invented) == 5


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### the answer to the question: 5", 5),
        ("#### Answer to problem 2: 5", 2),  # the first number, and no cut before it
        ("#### 5 apples. Q: What is 4 + 5? #### 9", 5),
        ("#### 5, as user: 9", 5),
    ],
)
def test_on_the_line_of_a_mark_a_question_opens_behind_its_number(text: str, number: int) -> None:
    assert strict_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "Question: What is 2 + 3?\nIt is 5.\n#### 5",  # the question is repeated first
        "\n\nProblem: What is 2 + 3?\n#### 5",
        "Human: What is 2 + 3?\nIt is 5.",
        "[INST] What is 2 + 3? [/INST] It is 5.\n#### 5",
        "The question: how many?\n#### 5",
        "#### 5\nUsers: 3\nHumans: 2",
        "A question of 2 + 3\n#### 5",
        "#### 5\nuser 3 and user 2",
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


@pytest.mark.parametrize(
    "part", ["#### ", "\\boxed{", "1", "Q: ", "#### Q:", " \n", "-$", "1,", "\\frac{", "#### 1 q "]
)
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
