"""GSM8K answers in numbered steps with a last line "#### n", kept only if that number is right.

Offline the steps come from the calculator annotations: every line of the answer becomes a step, its
annotations are computed anew, and the answer is kept if each is right and the last one gives the
final number. By endpoint a model rewrites the answer, and it is kept if it has steps and ends on
the right number.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from llm.corpora.example import Example
from llm.curation.asking import Answers, ask
from llm.curation.endpoint import Endpoint
from llm.data.grading import MARK, Calculation, calculations, strict_number, without_marks
from llm.data.purposes import taken
from protocol.progress import Progress, quiet

STEP = re.compile(r"^Step \d+: ", re.MULTILINE)
REQUEST = (
    "Rewrite the solution of this problem as numbered reasoning steps, one a line, each "
    "beginning with 'Step N: '. "
    "End with a line '#### n', n being the final number alone.\n\nProblem: "
    "{question}\n\nSolution: {answer}"
)
OPERATIONS: dict[type[ast.operator | ast.unaryop], Callable[..., Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


@dataclass(frozen=True)
class Rewritten:
    """The rows kept, the reasons why others were dropped, and the endpoint's tokens.

    dropped: by question · tokens: of prompts and of answers.
    """

    rows: tuple[Example, ...]
    dropped: Mapping[str, str]
    tokens: tuple[int, int]


def compute(expression: str) -> Fraction | None:
    """The exact value of an annotation's left side (+, −, ×, ÷, brackets, percent), or None."""
    text = re.sub(
        r"(\d+(?:\.\d+)?|\.\d+)%", r"(\1/100)", expression.replace(",", "").replace("$", "")
    )
    text = re.sub(r"(?<![\d.])0+(?=\d)", "", text)
    try:
        return _evaluate(ast.parse(text.strip(), mode="eval").body, text.strip())
    except (SyntaxError, ValueError, KeyError, ZeroDivisionError):
        return None


def _evaluate(node: ast.expr, text: str) -> Fraction:
    if isinstance(node, ast.BinOp):
        return OPERATIONS[type(node.op)](_evaluate(node.left, text), _evaluate(node.right, text))
    if isinstance(node, ast.UnaryOp):
        return OPERATIONS[type(node.op)](_evaluate(node.operand, text))
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        # The digits as they are written, not the nearest float.
        return Fraction(text[node.col_offset : node.end_col_offset])
    raise ValueError(ast.dump(node))


def _agrees(calculation: Calculation) -> bool:
    """Whether an annotation is right, to the digits it is written with."""
    value = compute(calculation.expression)
    return (
        value is not None
        and calculation.value is not None
        and abs(value - calculation.value) <= Fraction(1, 100)
    )


def by_annotations(answer: str) -> str:
    """A GSM8K answer as numbered steps; ValueError says why it cannot be one."""
    body, _, _ = answer.rpartition(MARK)
    final, calculated = strict_number(answer), calculations(answer)
    if final is None:
        raise ValueError("no final number")
    if not calculated:
        raise ValueError("no annotation to take steps from")
    wrong = next(
        (calculation.expression for calculation in calculated if not _agrees(calculation)), None
    )
    if wrong is not None:
        raise ValueError(f"an annotation that does not hold: {wrong}")
    if calculated[-1].value != final:
        raise ValueError(f"the last step gives {calculated[-1].value}, the final line {final}")
    lines = [line.strip() for line in without_marks(body).splitlines() if line.strip()]
    steps = [f"Step {number}: {line}" for number, line in enumerate(lines, start=1)]
    return "\n".join([*steps, f"{MARK} {answer.rpartition(MARK)[2].strip()}"])


def fault(rewritten: str, answer: str) -> str | None:
    """The fault of a rewritten answer: no steps, or another final number; None for none."""
    if not STEP.search(rewritten):
        return "expected lines that begin with 'Step N: '; got none"
    number, right = strict_number(rewritten), strict_number(answer)
    return None if number == right else f"expected the final number {right}; got {number}"


def _offline(answers: Mapping[str, str]) -> Answers:
    accepted, dropped = dict[str, str](), dict[str, str]()
    for question, answer in answers.items():
        try:
            accepted[question] = by_annotations(answer)
        except ValueError as error:
            dropped[question] = str(error)
    return Answers(accepted, dropped, 0, 0)


def _answers(source: str | Path, *, skip_bad_rows: bool) -> dict[str, str]:
    """The answers of a file by their questions, GSM8K's marks in them."""
    rows = taken(source, "math", skip_bad_rows=skip_bad_rows).rows
    return {row.prompt: row.answer for _, row in rows}


def rewrite(
    source: str | Path,
    *,
    skip_bad_rows: bool = False,
    endpoint: Endpoint | None = None,
    journal: Path,
    progress: Progress = quiet,
) -> Rewritten:
    """Every GSM8K answer of a file with steps; without an endpoint, from its annotations."""
    answers = _answers(source, skip_bad_rows=skip_bad_rows)
    if endpoint is None:
        done = _offline(answers)
    else:
        prompts = {
            q: REQUEST.format(question=q, answer=without_marks(a)) for q, a in answers.items()
        }
        done = ask(
            endpoint,
            prompts,
            journal,
            fault=lambda q, text: fault(text, answers[q]),
            progress=progress,
        )
    rows = tuple(
        Example(question, done.accepted[question])
        for question in answers
        if question in done.accepted
    )
    return Rewritten(rows, done.dropped, (done.prompt_tokens, done.completion_tokens))
