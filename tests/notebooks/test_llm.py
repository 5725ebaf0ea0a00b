"""The notebook of the language models: saved, it reads without a kernel; at small size it runs
through.
"""

import json
import math
from typing import Any

import pytest
from notebook_pages import check_saved, execute, images, outputs, printed, saved

# A base that has read two batches, stages of one batch an epoch, two updates of unlearning.
SMALL = """
MODEL = "tiny-llama"
METHODS = ("GA", "NPO")
ROWS = {"inst": 32, "tofu": 32, "math": 32, "safety": 64}
PRETRAINING = 64
WORKERS = 1
"""

# What the notebook computed, and the same by another way.
TOLD = """
import json

from protocol.readings.curves import curves

by_claims, by_notebook = {}, {}
for method in METHODS:
    (label,) = curves(unlearning, world="llm", method=method, metric="label_loglik")
    by_claims[method] = label.forgotten(experiment.steps)[0]
    by_notebook[method] = last.filter(method=method).sort("position")["score"].to_list()
to_retrained = pl.col("metric").str.starts_with("re_distance/")
itself = records.filter(to_retrained, method="retrained")["value"].to_list()
distances = distance.group_by("method", "position", "part").len().rows()
print(json.dumps({"by_claims": {method: list(scores) for method, scores in by_claims.items()},
                  "by_notebook": by_notebook, "itself": itself,
                  "distances": distances, "answers": answers,
                  "left behind": runs.exists()}))
"""


def shown(notebook: Any) -> list[str]:
    """Everything displayed as text alone."""
    found = [out.data for out in outputs(notebook) if out.output_type == "display_data"]
    return [data["text/plain"] for data in found if "image/png" not in data]


def test_the_saved_notebook_reads_without_a_kernel() -> None:
    check_saved("llm", SMALL, size=400_000)
    assert images(saved("llm")) == 2
    assert {key for cell in saved("llm").cells for key in cell.metadata} == {"tags"}, "no times"


@pytest.fixture(scope="module")
def executed() -> tuple[Any, Any]:
    """The notebook run with small settings, and what the cell run after it told."""
    notebook, told = execute("llm", SMALL, after=TOLD)
    (out,) = told.outputs
    return notebook, json.loads(out.text)


# One test: were there several, each test process would run the notebook for its own.
def test_it_runs_from_top_to_bottom(executed: tuple[Any, Any]) -> None:
    """Its statements come out true at this size, too: 8 nodes (4 + 4, and θ_r is the third of p =
    4), 4 runs, and the units of work 2 orders × (4 stages + 2 methods) + 1 retrained model.
    """
    notebook, told = executed
    text = printed(notebook)
    assert text.count(": True") == printed(saved("llm")).count(": True") == 2 + 4
    assert "False" not in text
    assert "2 updates of unlearning by GA and NPO" in text
    assert "11 stages in the orders, 8 nodes trained:" in text and "and 4 runs" in text
    assert shown(notebook) == ["language models: 13 of 13 done"]
    assert images(notebook) == 2
    assert not [out for out in outputs(notebook) if out.get("name") == "stderr"]

    assert {method: pytest.approx(scores) for method, scores in told["by_claims"].items()} == told[
        "by_notebook"
    ]
    assert all(
        math.isfinite(s) and s != 0 for scores in told["by_notebook"].values() for s in scores
    )
    assert told["itself"] == [0.0] * 4
    # 2 methods × 2 paths × 4 parts, each at steps 0, 1, 2
    assert len(told["distances"]) == 16 and {points for *_, points in told["distances"]} == {3}
    before, after = (
        ["p = 1, before", "p = 4, before"],
        [f"p = {p}, after {m}" for p in (1, 4) for m in ("GA", "NPO")],
    )
    assert set(told["answers"]) == {*before, *after, "retrained model"}
    assert all(len(question) == 2 for replies in told["answers"].values() for question in replies)
    assert not told["left behind"]
