"""The figure of rates from tiny records: what stands in its panels, and none without the
experiment.
"""

import numpy as np
import pytest

from paper_figs.figures import rates
from protocol import records


def run(order: str, seed: int, model: str, method: str) -> records.Run:
    head = (
        f"{order} {seed} {model} {method}",
        "s",
        "rates",
        "linear" if model == "linear" else "network",
        model,
    )
    return records.Run(*head, order, 0 if order == "all" else 1, "r", method, seed)


def tables(model: str, method: str, seed: int, *, retrained: bool = True) -> list[records.Tables]:
    """Two pairs whose values lie 0.01 below and above the seed's; rate 0.1 + seed/100, horizons 30,
    31 and 5.
    """
    found = []
    for pair, shift in (("a|b", -0.01), ("a|c", 0.01)):
        values = [(t, "output_rate", 0.1 + seed / 100 + shift) for t in range(0, 25, 5)]
        values += [(t, "secant_rate", 0.05) for t in range(0, 25, 5)] if model == "linear" else []
        values += [
            (0, f"growth/{name}", 0.2 + seed / 100 + shift)
            for name in ("measured", "rate", "ratio")
        ]
        values += [
            (0, f"horizon/{name}", value)
            for name, value in (("rate", 30), ("ratio", 31), ("constant", 5))
        ]
        found.append(records.tables(run(pair, seed, model, method), values))
    spread = [(t, "half_diameter", 1.0 + seed) for t in range(25)]
    spread += [(t, "retrained_distance", 2.0 + 2 * seed) for t in range(25)] if retrained else []
    return [*found, records.tables(run("all", seed, model, method), spread)]


def drawn(**options):
    parts = [
        part
        for model, method in (("linear", "GA"), ("linear", "NPO"), ("mlp", "GA"))
        for seed in range(3)
        for part in tables(model, method, seed, **options)
    ]
    figure = rates.draw(records.Tables.concat(parts))
    assert figure is not None
    figure.draw_without_rendering()
    return figure


def test_every_model_stands_on_common_axes() -> None:
    growth, rate, ahead, tight = drawn().axes
    assert [tuple(np.asarray(points.get_offsets())[2]) for points in growth.collections] == [
        (0.22, 0.22)
    ] * 2
    curves = [line.get_ydata() for line in rate.get_lines()]
    assert [curve[0] for curve in curves[:3]] == pytest.approx(
        [0.11, 0.05, 0.11]
    )  # GA, its ρ, the MLP's GA
    assert len(curves) == 4  # and 0
    assert [label.get_text() for label in ahead.get_yticklabels()] == [
        "linear, GA",
        "linear, NPO",
        "mlp, GA",
    ]
    assert [line.get_xdata()[0] for line in ahead.get_lines() if line.get_marker() in "osX"] == [
        30,
        31,
        5,
    ] * 3
    assert all(np.allclose(line.get_ydata(), 0.5) for line in tight.get_lines()[:3])


def test_the_rates_stand_without_a_retrained_model() -> None:
    assert len(drawn(retrained=False).axes[3].get_lines()) == 1  # the bound's level alone


def test_no_records_no_figure() -> None:
    assert rates.draw(records.Tables.concat([])) is None
