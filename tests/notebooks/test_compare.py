"""The notebook that holds runs against each other and against the published curves."""

import json
import re
from typing import Any

import micro
import pytest
from notebook_pages import check_saved, execute, images, outputs, printed, saved

from paper_figs.published import numbers
from paper_figs.published.claims import judge_published
from protocol import records

SMALL = """
RUNS = {"one": "one", "two": "two", "none": "nowhere"}
METHOD = "NPO"
FIGURES = (3, 5)
"""
# What the notebook shows, and the same by another way.
TOLD = """
import json

asked_of = {title: asked(values) for title, values in labels.items()}
print(json.dumps({"titles": list(labels), "asked": asked_of,
                  "verdicts": judged.rows()}))
"""


def test_the_saved_notebook_reads_without_a_kernel() -> None:
    check_saved("compare", SMALL, size=400_000)
    notebook = saved("compare")
    assert len(notebook.cells) <= 12
    assert images(notebook) == 1


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """It reads two runs of the micro model: paths under four methods, of two seeds and of one."""
    folder = tmp_path_factory.mktemp("compare")
    for name, seeds, family in (("one", 2, "llama"), ("two", 1, "qwen2")):
        result = micro.carry_out([micro.experiment(seeds=seeds, family=family)], folder / "runs")
        there = folder / name / "records" / "llm" / "positions"
        there.mkdir(parents=True)
        records.write(result, there)
    return execute("compare", SMALL, after=TOLD, folder=folder)


# One test: were there several, each test process would run the notebook for its own.
def test_it_compares_runs_and_published_curves(executed: tuple[Any, Any]) -> None:
    notebook, told = executed
    text = printed(notebook)
    assert "one: tiny-llama (2 seeds); made by retrace llm positions (options not noted)\n" in text
    assert "two: tiny-qwen2 (1 seeds); made by retrace llm positions (options not noted)\n" in text
    assert "none: no records in nowhere; left out\n" in text
    assert images(notebook) == 1
    assert not [out for out in outputs(notebook) if out.get("name") == "stderr"]

    shown = json.loads(told.outputs[0].text)
    of_npo = [f"published: {model}" for model in ("Llama8B", "Qwen14B", "Qwen1B")]
    assert shown["titles"] == [*of_npo, "one: tiny-llama", "two: tiny-qwen2"]
    (panel,) = (
        p
        for p in numbers.panels(3)
        if (p.model, p.algorithm, p.quantity[:8]) == ("Llama8B", "NPO", "unlearn_")
    )
    assert shown["asked"]["published: Llama8B"]["p=1"] == round(
        panel.values[0, 0] - panel.values[0, -1], 2
    )
    assert re.fullmatch("[0-2] of 2", shown["asked"]["one: tiny-llama"]["last slowest"])
    verdicts = {(id, method): (one, two) for id, method, _, one, two in shown["verdicts"]}
    theirs = {(id, method): column for id, method, column, *_ in shown["verdicts"] if column}
    assert set(theirs) == {(claim.id, claim.method) for claim in judge_published()}
    assert verdicts["L1", "NPO"][1] == "1 not testable", "one seed"
    assert verdicts["L1", "NPO"][0] != "1 not testable"
