"""Experiment "removal" against d×d formulas and the library's own entry points; its claims and its
figure.
"""

import numpy as np
import polars as pl
import pytest

from paper_figs.figures import removal as figure
from protocol import records
from protocol.claims.linear import removal as claims
from protocol.errors import InputError
from protocol.progress import quiet
from protocol.readings.removal import REMOVAL_METHODS
from theory import linear, removal, retain, span
from theory.experiments import removal as experiment
from theory.experiments.removal_runs import ORDERS, STAGES
from theory.problems.staged import Problem

PROBLEM = Problem(d=24, n=6, held_out=14, factors=3)
SETTINGS = experiment.Settings(
    instances=4, steps=12, tests=4, small=4, spanning=10, problem=PROBLEM
)


@pytest.fixture(scope="module")
def result():
    return experiment.run(SETTINGS, quiet)


@pytest.fixture(scope="module")
def instance(result):
    """Instance 1: its data, and every value by method, position and metric."""
    case = experiment.drawn(SETTINGS, [1])
    stages = {name: (case.stages.X[0, s], case.stages.y[0, s]) for s, name in enumerate(STAGES)}
    rows = (
        result.tables.records.filter(seed=1)
        .select("method", "position", "metric", "value")
        .iter_rows()
    )
    return case, stages, {key: value for *key, value in rows for key in [tuple(key)]}


def distances(theta, reference, case):
    test, forget = case.stages.X_test[0], case.stages.X[0, -1]
    parts = {"test": test, "forget": forget, "all": np.vstack([test, forget])}
    return {part: np.mean((X @ (theta - reference)) ** 2) for part, X in parts.items()}


def nearest(theta, reference, case, update):
    path = [theta]
    for _ in range(SETTINGS.steps):
        path.append(path[-1] + update(path[-1]))
    return min(range(len(path)), key=lambda t: distances(path[t], reference, case)["all"]), path


@pytest.mark.parametrize("position", [1, 3, 4])
def test_what_takes_no_steps_is_the_librarys(instance, position):
    case, stages, value = instance
    order, mu = ORDERS[position - 1], PROBLEM.mu
    theta, reference = (linear.train(stages, one, mu=mu) for one in (order, STAGES[:-1]))
    inputs = np.vstack([case.stages.X_test[0], case.stages.X[0, -1]])
    delta = removal.stage_delta(stages, order, STAGES[-1], mu=mu)
    made = {
        "span optimum": span.span_optimum(theta, reference, case.stages.X[0, -1], inputs),
        "stage-delta negation": removal.stage_delta_negation(theta, delta),
        "history-aware removal": removal.history_aware_removal(stages, order, STAGES[-1], mu=mu),
    }
    before = distances(theta, reference, case)
    for method, after in made.items():
        for part, expected in distances(after, reference, case).items():
            assert value[method, position, f"best/{part}"] == pytest.approx(
                expected, rel=1e-7, abs=1e-24
            )
            assert value[method, position, f"nothing/{part}"] == pytest.approx(
                before[part], rel=1e-9
            )
    rewound = removal.rewind(stages, theta * 0, (), mu=mu)
    assert np.array_equal(rewound, theta * 0)
    assert value["rewind", position, "relative_error"] < 1e-14


@pytest.mark.parametrize("position", [1, 4])
def test_what_takes_steps_stops_at_the_nearest_model(instance, position):
    """Gradient ascent and GradDiff step by step in NumPy."""
    case, stages, value = instance
    order, eta = ORDERS[position - 1], PROBLEM.eta
    theta, reference = (linear.train(stages, one, mu=PROBLEM.mu) for one in (order, STAGES[:-1]))
    X, y = stages[STAGES[-1]]

    def up(t):
        return 2 / len(y) * X.T @ (X @ t - y)

    stop, path = nearest(theta, reference, case, lambda t: eta * up(t))
    assert value["GA", position, "stop"] == stop
    assert value["GA", position, "best/all"] == pytest.approx(
        distances(path[stop], reference, case)["all"], rel=1e-9
    )
    for method, rows, weight in (("small sample", 4, 1.0), ("spanning sample", 10, None)):
        R = case.X_pool[0, :, :rows].reshape(-1, PROBLEM.d)
        y_r = case.y_pool[0, :, :rows].ravel()
        used = weight or 1.1 * retain.critical_retain_weight(X, R)
        size = min(eta, len(R) / (2 * used * np.linalg.norm(R, 2) ** 2))

        def step(t, R=R, y_r=y_r, used=used, size=size):
            return size * (up(t) - used * 2 / len(R) * R.T @ (R @ t - y_r))

        stop, path = nearest(theta, reference, case, step)
        found = [
            value[f"GradDiff, {method}", position, name]
            for name in ("stop", "setting/sample", "setting/weight")
        ]
        assert found == pytest.approx([stop, len(R), used], rel=1e-8)
        expected = np.linalg.norm(path[stop] - reference) / np.linalg.norm(reference)
        assert value[f"GradDiff, {method}", position, "relative_error"] == pytest.approx(
            expected, rel=1e-8
        )


def test_records_follow_the_contract(result):
    table = result.tables.records
    assert table["run"].n_unique() == 9 * 4 * 4
    assert set(table["method"]) == set(REMOVAL_METHODS)
    assert table.select(pl.exclude("value")).is_duplicated().sum() == 0
    assert table["value"].is_finite().all()
    stops = table.filter(metric="stop")["value"].to_numpy()
    assert stops.min() == 0 < stops.max() <= SETTINGS.steps


def test_records_are_the_same_every_time_and_in_any_batch(result, monkeypatch):
    reports = []
    monkeypatch.setattr(experiment, "BATCH", 2)
    again = experiment.run(SETTINGS, lambda *report: reports.append(report))
    assert reports == [("removal", 2, 4), ("removal", 4, 4)]
    exact = pl.col("metric").is_in(["stop", "nothing/all"])
    assert (
        again.tables.records.filter(exact)
        .drop("value")
        .equals(result.tables.records.filter(exact).drop("value"))
    )
    difference = again.tables.records["value"] - result.tables.records["value"]
    assert difference.abs().max() < 1e-9
    monkeypatch.undo()
    assert experiment.run(SETTINGS, quiet).tables.records.equals(result.tables.records)


def test_claims_hold_on_a_tiny_run(result):
    exact, missed = claims.judge(result.tables)
    assert (exact.id, exact.verdict, missed.id, missed.verdict) == ("H1", "holds", "H2", "holds")
    assert exact.value < 1e-13
    assert missed.detail.startswith(
        "104 misses, 8 reached"
    )  # 7 methods × 4 positions × 4 instances
    assert claims.judge(records.Tables.concat([])) == []


@pytest.mark.parametrize(
    ("method", "position", "metric", "value", "verdicts"),
    [
        ("rewind", 2, "relative_error", 1.1e-12, ("fails", "holds")),
        ("history-aware removal", 4, "relative_error", 0.9e-12, ("holds", "holds")),
        ("history-aware removal", 1, "relative_error", float("nan"), ("fails", "holds")),
        ("GA", 4, "best/all", 0.9e-6, ("holds", "fails")),  # reached where it should not
        ("span optimum", 1, "best/all", 1.1e-6, ("holds", "holds")),
        (
            "span optimum",
            4,
            "best/all",
            1.1e-20,
            ("holds", "fails"),
        ),  # missed where it should reach
        ("stage-delta negation", 4, "best/all", 0.9e-20, ("holds", "holds")),
    ],
)
def test_one_value_decides(result, method, position, metric, value, verdicts):
    """Everything before is set to 1, so that best/all is the share that is left."""
    here = (
        (pl.col("method") == method)
        & (pl.col("position") == position)
        & (pl.col("metric") == metric)
    )
    scale = pl.when(pl.col("metric") == "nothing/all").then(1.0).otherwise(pl.col("value"))
    changed = result.tables.records.with_columns(
        value=pl.when(here & (pl.col("seed") == 0)).then(value).otherwise(scale)
    )
    found = claims.judge(records.Tables(changed, result.tables.examples))
    assert tuple(claim.verdict for claim in found) == verdicts


def test_the_figure_says_what_was_measured(result):
    drawn = figure.draw(result.tables)
    assert drawn is not None
    cells, words = drawn.axes
    assert [text.get_text() for text in cells.texts[-8:]] == ["exact"] * 8
    assert [t.get_text() for t in cells.get_yticklabels()] == list(REMOVAL_METHODS)
    said = [text.get_text() for text in words.texts][2::3]
    assert said == ["no"] * 5 + ["only p = 4"] * 2 + ["yes"] * 2
    ga = result.tables.records.filter(method="GA", position=1).pivot(
        "metric", index="seed", values="value"
    )
    middle = np.exp(np.mean(np.log((ga["best/all"] / ga["nothing/all"]).to_numpy())))
    assert cells.texts[0].get_text() == f"{middle:.2g}"
    assert figure.draw(records.Tables.concat([])) is None


def test_settings_that_cannot_be_run_are_refused():
    with pytest.raises(
        InputError, match=r"a small sample below and .*, d = 100; got small 40, spanning 80"
    ):
        experiment.Settings(small=40)
    with pytest.raises(
        InputError, match=r"problem.held_out: expected at least tests \+ spanning = 101 rows"
    ):
        experiment.Settings(tests=21)
