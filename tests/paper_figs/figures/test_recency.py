"""The figure of recency from tiny records: what stands in its maps, curves and spectra, and none
without them.
"""

from matplotlib.figure import Figure

from paper_figs.figures import recency
from protocol import metrics, records

BASE = {"mu": 1.0, "overlap": 0.3, "teacher": 0.5, "stages": 4.0}


def cell(share: float, **changed: float) -> records.Tables:
    """A problem of 20 instances: p = last slowest in `share` of them at step 1, in half as many at
    step 100.
    """
    settings = BASE | changed
    run = records.Run(
        str(settings), "s", "recency", "linear", "linear", "all paths", 0, "r", "GA", 0
    )
    values = [
        (0, f"setting/{name}", value)
        for name, value in (settings | {"base": float(not changed)}).items()
    ]
    shares = [(1, "last_slowest", share), (100, "last_slowest", share / 2)]
    return records.tables(
        run, [*values, (0, "instances", 20), (0, "last_slowest_limit", 0.1), *shares]
    )


def spectrum(position: int) -> records.Tables:
    run = records.Run(
        f"p{position}", "s", "recency", "linear", "linear", f"p{position}", position, "r", "GA", 0
    )
    return records.tables(
        run, [], [(0, "squared_component", j, (5 - position) / (1 + j)) for j in range(3)]
    )


def drawn() -> Figure:
    cells = [
        cell(0.8),
        cell(1.0, mu=0.1),
        cell(0.4, mu=10.0),
        cell(0.6, overlap=0.9),
        cell(0.7, stages=3.0),
    ]
    figure = recency.draw(records.Tables.concat([*cells, *map(spectrum, range(5))]))
    assert figure is not None
    figure.draw_without_rendering()
    return figure


def test_maps_vary_one_setting_around_the_base_problem() -> None:
    mu, overlap, teacher, stages, *_ = drawn().axes
    assert [label.get_text() for label in mu.get_yticklabels()] == ["0.1", "1 ◂", "10"]
    assert mu.images[0].get_array().tolist() == [[1.0, 0.5], [0.8, 0.4], [0.4, 0.2]]
    assert [text.get_text() for text in mu.texts] == [
        "1.00",
        "0.50",
        "0.80",
        "0.40",
        "0.40",
        "0.20",
    ]
    assert [label.get_text() for label in mu.get_xticklabels()] == ["1", "100"]
    assert overlap.images[0].get_array().tolist() == [[0.8, 0.4], [0.6, 0.3]]
    assert teacher.images[0].get_array().tolist() == [[0.8, 0.4]]
    assert [label.get_text() for label in stages.get_yticklabels()] == ["3", "4 ◂"]


def test_curves_have_exact_intervals() -> None:
    curves = drawn().axes[4]
    shown = {str(line.get_label()): line for line in curves.get_lines()}
    assert list(shown) == ["μ = 0.1", "μ = 1", "μ = 10", "chance"]
    assert list(shown["μ = 1"].get_ydata()) == [0.8, 0.4]
    assert shown["chance"].get_ydata()[0] == 0.25
    band = curves.collections[1].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (
        metrics.exact_interval(8, 20)[0],
        metrics.exact_interval(16, 20)[1],
    )


def test_every_path_has_a_spectrum() -> None:
    lines = {str(line.get_label()): list(line.get_ydata()) for line in drawn().axes[5].get_lines()}
    assert list(lines) == ["retrained: U never learned", "p = 1", "p = 2", "p = 3", "p = 4, last"]
    assert lines["p = 3"] == [2.0, 1.0, 2 / 3]


def test_no_records_no_figure() -> None:
    assert recency.draw(records.Tables.concat([])) is None
