"""What can be read off a figure: values, names and places against figures whose layout is known."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figs.report import tooltips
from paper_figs.report.tooltips import panels


def figure_with_axes() -> tuple[Figure, list]:
    """Two panels side by side, each 0.4 wide and 0.8 high, from 0.1 and 0.55 across and 0.1 up."""
    figure = Figure(figsize=(10, 5))
    return figure, [figure.add_axes((left, 0.1, 0.4, 0.8)) for left in (0.1, 0.55)]


def test_a_point_lies_where_its_value_is() -> None:
    """x = 1 of 0…4 is a quarter of the way from 0.1 to 0.5; y = 3 of 0…4 three quarters up from 0.1
    to 0.9.
    """
    figure, (axes, _) = figure_with_axes()
    axes.plot([1, 4], [3, 0], label="a")
    axes.set(xlim=(0, 4), ylim=(0, 4), title="t", xlabel="step", ylabel="nats")
    (panel,) = panels(figure)
    assert panel.box == (0.1, 0.1, 0.5, 0.9)
    assert (panel.title, panel.x, panel.y, panel.series[0].name) == ("t", "step", "nats", "a")
    assert panel.series[0].points == ((1, 3, 0.2, 0.3), (4, 0, 0.5, 0.9))


def test_a_log_axis_is_followed() -> None:
    """y = 10 of 1…100 is half the way up."""
    figure, (axes, _) = figure_with_axes()
    axes.plot([0], [10])
    axes.set(xlim=(0, 1), yscale="log")
    axes.set_ylim(1, 100)
    assert panels(figure)[0].series[0].points == ((0, 10, 0.1, 0.5),)


def test_what_is_not_shown_or_not_a_number_is_left_out() -> None:
    figure, (axes, hidden) = figure_with_axes()
    axes.plot([0, 1, 2, 9], [0, np.nan, 1, 0])
    axes.axhline(0.5)
    axes.set(xlim=(0, 2), ylim=(0, 1))
    hidden.plot([0], [0])
    hidden.set_visible(False)
    (panel,) = panels(figure)
    assert [[point[:2] for point in line.points] for line in panel.series] == [[(0, 0), (2, 1)]]


def test_long_curves_are_thinned_and_values_rounded() -> None:
    figure, (axes, _) = figure_with_axes()
    axes.plot(np.arange(1000), np.full(1000, 1.23456789))
    points = panels(figure)[0].series[0].points
    assert len(points) == 250  # every fourth: the smallest whole stride that leaves at most 300
    assert points[1][:2] == (4, 1.2346)


def test_clouds_are_read_too() -> None:
    figure, (axes, _) = figure_with_axes()
    axes.scatter([1, 2], [3, 4], color="#ff0000", label="cloud")
    (series,) = panels(figure)[0].series
    assert (series.name, series.colour) == ("cloud", "#ff0000")
    assert [point[:2] for point in series.points] == [(1, 3), (2, 4)]


def test_names_come_from_legends_by_look_then_by_colour() -> None:
    figure, (axes, _) = figure_with_axes()
    axes.plot([0], [0], color="#ff0000", linestyle="--")
    axes.plot([0], [0], color="#ff0000", linestyle=":")
    axes.plot([0], [0], color="#00ff00", marker="o")
    axes.plot([0], [0], color="#0000ff")
    handles = [
        Line2D([], [], color="#ff0000", linestyle="--", label="red, dashed"),
        Line2D([], [], color="#ff0000", linestyle="-", label="red"),
        Line2D([], [], color="#00ff00", label="green"),
    ]
    figure.legend(handles=handles)
    names = [series.name for series in panels(figure)[0].series]
    assert names == [
        "red, dashed",
        "",
        "green",
        "",
    ]  # ":" is no look of a legend, and red has two names


def test_dots_with_bars_give_the_name_of_a_colour_no_line_has() -> None:
    figure, (axes, other) = figure_with_axes()
    for place, colour in ((1, "red"), (2, "blue")):
        axes.errorbar(
            [place], [1], yerr=[0.5], color=colour, linestyle="", marker="o", label=f"{colour} bars"
        )
        axes.plot([place], [1.2], color=colour, linestyle="", marker=".")
    other.plot([0], [0], color="blue", label="blue line")
    other.plot([0], [1], color="blue")
    figure.legend()
    dots, second = panels(figure)
    assert [one.name for one in dots.series] == ["red bars", "red bars", "blue line", "blue line"]
    assert [one.name for one in second.series] == ["blue line", "blue line"]


def test_ticks_that_are_words_are_read_as_words() -> None:
    figure, (axes, _) = figure_with_axes()
    axes.plot([0.1, 0.9], [0, 1])
    axes.set_xticks([0, 1], ["first", "last"])
    axes.set_yticks([0, 1], ["0", "1"])
    assert [point[:2] for point in panels(figure)[0].series[0].points] == [
        ("first", 0),
        ("last", 1),
    ]


def test_panels_share_the_words_of_their_row_and_column() -> None:
    figure = Figure()
    (a, b), (c, d) = figure.subplots(2, 2)
    for axes in (a, b, c, d):
        axes.plot([0, 1], [0, 1])
    a.set(title="left", ylabel="above")
    b.set(title="right")
    c.set(xlabel="step", ylabel="below")
    d.set(xlabel="time")
    words = [(panel.title, panel.x, panel.y) for panel in panels(figure)]
    assert words == [
        ("left", "step", "above"),
        ("right", "time", "above"),
        ("left", "step", "below"),
        ("right", "time", "below"),
    ]


def test_json_may_stand_in_a_script_element() -> None:
    figure, (axes, _) = figure_with_axes()
    axes.plot([0], [0], label="</script>")
    text = tooltips.to_json(panels(figure))
    assert "<" not in text
    assert json.loads(text)[0]["series"][0]["name"] == "</script>"


def test_places_are_those_of_the_saved_figure(tmp_path) -> None:
    """A black dot alone on white: where the saved image is black, the point is said to be."""
    from matplotlib.image import imread

    from paper_figs.drawing import style

    figure = Figure(figsize=(4, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot([1, 2, 3], [1, 5, 2], linestyle="", marker="o", color="black", markersize=6)
    axes.set_axis_off()
    _, png = style.save(figure, tmp_path, "dots")
    ((_, _, left, top), *_) = panels(figure)[0].series[0].points
    image = imread(png)[..., 0]
    height, width = image.shape
    row, column = round(top * height), round(left * width)
    assert image[row, column] < 0.1
    assert image[row, column + 12] == pytest.approx(1.0)
