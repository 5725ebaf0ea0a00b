"""Figure 2, the diagram of the orders: texts, colours and frames of its rows; no records needed."""

import sys
from pathlib import Path

import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyBboxPatch

from paper_figs.drawing import style
from paper_figs.drawing.entry import main
from paper_figs.figures import figure2
from protocol.records import Tables

AXES = figure2.draw(Tables.concat([])).axes[0]


def row(y: float) -> list[str]:
    """The texts at a height, from left to right."""
    texts = [text for text in AXES.texts if text.get_position()[1] == y and text.get_text()]
    return [text.get_text() for text in sorted(texts, key=lambda text: text.get_position()[0])]


def forget_box(y: float) -> FancyBboxPatch:
    """The box with the bold frame at a height."""
    boxes = [patch for patch in AXES.patches if isinstance(patch, FancyBboxPatch)]
    bold = [box for box in boxes if box.get_linewidth() > 1]
    (forget,) = (box for box in bold if box.get_y() + box.get_height() / 2 == pytest.approx(y))
    return forget


def test_every_row_has_the_forget_stage_at_its_position() -> None:
    instructions, authors, sums, forget = "instructions", "authors (TOFU)", "sums", "refusals = U"
    assert row(-1) == ["p = 1 (first)", "base", forget, instructions, authors, sums, "unlearned 1"]
    assert row(-2) == ["p = 2", "base", instructions, forget, authors, sums, "unlearned 2"]
    assert row(-3) == ["p = 3", "base", instructions, authors, forget, sums, "unlearned 3"]
    assert row(-4) == ["p = 4 (last)", "base", instructions, authors, sums, forget, "unlearned 4"]


def test_the_retrained_model_never_learned_it() -> None:
    below = min(text.get_position()[1] for text in AXES.texts)
    assert below < -4
    assert row(below)[:5] == ["retrained", "base", "instructions", "authors (TOFU)", "sums"]
    assert [text.get_text() for text in AXES.texts].count("unlearn U") == 4


@pytest.mark.parametrize("position", [1, 2, 3, 4])
def test_the_forget_stage_has_a_bold_frame_and_the_paths_colour_lightened(position: int) -> None:
    expected = [0.45 + 0.55 * part for part in to_rgb(style.colour(position))]
    assert forget_box(-position).get_facecolor()[:3] == pytest.approx(expected, abs=1 / 255)


def test_figure2_is_drawn_without_records(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["figure2", "--out", str(tmp_path)])
    main(figure2.FIGURE)
    assert (tmp_path / "figures" / "figure2.pdf").is_file()
    assert capsys.readouterr().out.strip().endswith("figure2.png")
