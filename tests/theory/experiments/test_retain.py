"""Experiment "retain" at a tiny size against the library's formulas, its claims from both sides,
and its figure.
"""

import numpy as np
import pytest

from paper_figs.figures import retain as figure
from protocol.claims.linear import retain as claims
from protocol.errors import InputError
from protocol.progress import quiet
from protocol.readings.retain import ABOVE, BELOW
from protocol.readings.sweeps import sweep
from protocol.records import Run, Tables, tables
from theory import linear
from theory.experiments import retain
from theory.problems import staged
from theory.retain import critical_retain_weight, growth_rate_with_retain, lasting_difference

PROBLEM = staged.Problem(d=14, n=4, held_out=6, factors=3)
SETTINGS = retain.Settings(
    instances=6,
    rank=6,
    samples=(3, 5, 6, 9, 13, 14, 18),
    weights=(0.0, 1.0, 30.0, 10_000.0),
    curve_samples=18,
    problem=PROBLEM,
)


@pytest.fixture(scope="module")
def result():
    return retain.run(SETTINGS, quiet)


def case(seed):
    """Δ₀, forget rows and the pool in turns of the stages, from the shared problem by the public
    entry points.
    """
    drawn = staged.draw(PROBLEM, 0, seed)
    stages = {
        name: (drawn.X[s], drawn.y[s]) for s, name in enumerate((*staged.RETAIN, staged.FORGET))
    }
    first, last = (linear.train(stages, order, mu=PROBLEM.mu) for order in retain.ORDERS)
    parts = [drawn.X_test[6 * s : 6 * s + 6] for s in range(3)]
    return first - last, drawn.X[-1], np.stack([part[i] for i in range(6) for part in parts])


def test_the_phase_diagram_is_that_of_the_eigenvalues(result):
    wide = sweep(result.tables, "retain").filter(model="full")
    drawn = [case(seed) for seed in range(6)]
    for n in (13, 14, 18):
        critical = [critical_retain_weight(X, pool[:n]) for _, X, pool in drawn]
        for weight in SETTINGS.weights:
            largest = [
                growth_rate_with_retain(X, pool[:n], weight=weight).largest for _, X, pool in drawn
            ]
            share = np.mean(np.array(largest) > 1e-10)
            cell = wide.filter(metric="grows", samples=float(n), weight=weight)
            assert cell["value"].to_list() == [share] == [np.mean(weight < np.array(critical))]
        found = wide.filter(method="threshold", samples=float(n), metric="critical")[
            "value"
        ].to_list()
        assert found == ([] if n == 13 else [pytest.approx(np.median(critical), rel=1e-9)])


def test_a_sample_spans_from_the_dimension_of_its_features_on(result):
    spans = sweep(result.tables, "retain").filter(metric="spans").sort("samples")
    for model, rank in (("full", 14), ("subspace", 6)):
        part = spans.filter(model=model)
        assert part["value"].to_list() == [float(n >= rank) for n in part["samples"]]
        assert set(part["rank"]) == {rank}


def test_what_is_left_is_the_part_on_the_kernel(result):
    """In the subspace the sample of 9 rows spans it all, so ker R is its complement whatever the
    rows.
    """
    examples = result.tables.examples.filter(method=ABOVE, model="subspace").sort("run", "example")
    kernel, lasting = (
        examples.filter(metric=name)["value"].to_numpy() for name in ("on_kernel", "lasting")
    )
    np.testing.assert_allclose(lasting, kernel, rtol=1e-9)
    delta = case(2)[0]
    frame = np.linalg.qr(np.random.default_rng([1, 2]).standard_normal((14, 6)))[0]
    share = np.linalg.norm(lasting_difference(delta, frame.T)) / np.linalg.norm(delta)
    found = examples.filter(metric="on_kernel", example=2)["value"].to_numpy()
    np.testing.assert_allclose(found, share, rtol=1e-9)
    assert 0.1 < share < 1


def test_records_are_the_same_every_time_and_claims_hold(result, monkeypatch):
    reports = []
    monkeypatch.setattr(retain, "BATCH", 4)
    again = retain.run(SETTINGS, lambda *report: reports.append(report))
    assert reports[-1] == ("retained sample", 14, 14)
    assert again.specs == result.specs
    assert again.tables.records.drop("value").equals(result.tables.records.drop("value"))
    same = (again.tables.records["value"], result.tables.records["value"])
    np.testing.assert_allclose(*same, rtol=1e-6, atol=1e-6)
    assert same[1].is_finite().all()
    assert {claim.id: claim.verdict for claim in claims.judge(result.tables)} == dict.fromkeys(
        ("W1", "W2", "W3"), "holds"
    )


def test_the_figure_shows_both_features_and_both_sides(result):
    drawn = figure.draw(result.tables)
    drawn.draw_without_rendering()
    full, subspace, curves = (drawn.axes[i] for i in (0, 1, -2))
    assert full.get_title() == "features of full rank, d = 14"
    assert subspace.images[0].get_array().shape == (4, 7)
    assert np.all(subspace.images[0].get_array()[0] == 1)  # λ = 0 always grows
    assert {text.get_text() for text in curves.get_legend().get_texts()} == {
        f"{model}, {side} λ*" for model in ("full", "subspace") for side in (0.9, 1.1)
    }
    assert figure.draw(Tables.concat([])) is None


def made(below=5.0, above=-1.0, grows=1.0, lasting=0.5, kernel=0.5):
    """Two numbers of rows: 2 do not span, 4 do; two instances of the latter on each side of λ*, the
    second as given.
    """

    def run(name, method):
        return Run(name, "s", "retain", "linear", "subspace", "a|b", 0, "r", method, 0)

    def cell(n, *rest):
        return [(0, "setting/samples", n), (0, "setting/rank", 4), *rest]

    yield tables(run("2", "threshold"), cell(2, (0, "spans", 0.0)))
    yield tables(run("4", "threshold"), cell(4, (0, "spans", 1.0), (0, "critical", 3.0)))
    yield tables(run("2w", "GradDiff"), cell(2, (0, "setting/weight", 1e4), (0, "grows", grows)))
    yield tables(run("4w", "GradDiff"), cell(4, (0, "setting/weight", 1e4), (0, "grows", 0.0)))
    yield tables(run("b", BELOW), cell(4), [(0, "log_growth", 0, 9.0), (0, "log_growth", 1, below)])
    left = [(0, "on_kernel", 0, 0.9), (0, "on_kernel", 1, kernel), (0, "lasting", 0, 0.9)]
    left += [(0, "lasting", 1, lasting)] if above <= 1 else []
    yield tables(
        run("a", ABOVE),
        cell(4),
        [(0, "log_growth", 0, 0.0), (0, "log_growth", 1, above), *left],
    )


@pytest.mark.parametrize(
    ("options", "id", "verdict"),
    [
        ({}, "W1", "holds"),
        ({"below": 1.1}, "W1", "holds"),
        ({"below": 0.9}, "W1", "fails"),
        ({"above": 0.9}, "W1", "holds"),
        ({"above": 1.1}, "W1", "fails"),
        ({}, "W2", "holds"),
        ({"grows": 0.99}, "W2", "fails"),
        ({}, "W3", "holds"),
        ({"above": 1.1}, "W3", "fails"),
        ({"lasting": 0.011, "kernel": 0.011}, "W3", "holds"),
        ({"lasting": 0.009, "kernel": 0.009}, "W3", "fails"),
        ({"lasting": 0.5 + 4e-7}, "W3", "holds"),
        ({"lasting": 0.5 + 6e-7}, "W3", "fails"),
    ],
)
def test_verdicts_from_both_sides(options, id, verdict):
    found = {claim.id: claim for claim in claims.judge(Tables.concat(made(**options)))}
    assert found[id].verdict == verdict


def test_no_records_no_claims_and_settings_that_make_no_sense_are_refused():
    assert claims.judge(Tables.concat([])) == []
    with pytest.raises(
        InputError, match=r"samples: expected numbers from 1 to 72, the pool's rows; got \(4, 80\)"
    ):
        retain.Settings(samples=(4, 80))
    with pytest.raises(
        InputError, match=r"expected n = 10 ≤ rank ≤ d = 48, .*; got rank 9, 64 instances"
    ):
        retain.Settings(rank=9)
