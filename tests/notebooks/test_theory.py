"""The theory notebook: saved, it reads without a kernel; at small size it runs through, every
slider included.
"""

from typing import Any

import pytest
from notebook_pages import check_saved, execute, images, printed, saved

SMALL = "INSTANCES, STEPS, D, N = 5, 30, 50, 9"

# Every slider at both ends, the others where they stand; every figure drawn once.
ENDS = """
called = 0
for view in (bound_view, recency_view, barrier_view):
    sliders = [slider for slider in view.widget.children if hasattr(slider, "min")]
    sliders = {slider.description: slider for slider in sliders}
    now = {name: slider.value for name, slider in sliders.items()}
    for name, slider in sliders.items():
        ends = [slider.min, slider.max]
        if hasattr(slider, "base"):
            ends = [slider.base**end for end in ends]
        for end in ends:
            view(**{**now, name: end})
            called += 1
print("called", called)
"""


@pytest.fixture(scope="module")
def executed() -> tuple[Any, Any]:
    """The notebook run with a small parameter cell, and the cell run after it that goes to every
    slider's ends.
    """
    return execute("theory", SMALL, after=ENDS)


def test_the_saved_notebook_reads_without_a_kernel() -> None:
    check_saved("theory", SMALL, size=1_000_000)
    assert images(saved("theory")) >= 8


def test_it_runs_from_top_to_bottom(executed: tuple[Any, Any]) -> None:
    """Every statement the notebook makes of its own numbers comes out true at this size, too."""
    notebook, _ = executed
    text = printed(notebook)
    assert text.count(": True") == printed(saved("theory")).count(": True") >= 12
    assert "False" not in text
    assert "the bound holds in all 5 instances" in text
    assert images(notebook) == images(saved("theory"))


def test_every_slider_runs_at_its_ends(executed: tuple[Any, Any]) -> None:
    """(4 + 3 + 4) sliders × 2 ends, each with a figure; an error stops the notebook."""
    said = "".join(out.text for out in executed[1].outputs if out.output_type == "stream")
    assert said.endswith("called 22\n")
    assert said.count(": True") == 2 * (4 + 4)
    assert "False" not in said
    assert sum(out.output_type == "display_data" for out in executed[1].outputs) == 22
