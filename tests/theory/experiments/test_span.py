"""Experiment "span": its optimizers against hand-written steps, its records against the entry
points, its verdicts.
"""

import numpy as np
import polars as pl
import pytest

from protocol.claims.linear import span as claims
from protocol.progress import quiet
from protocol.readings import span as readings
from protocol.spec import METHODS
from theory import linear, span
from theory.experiments import span as experiment
from theory.experiments import span_runs
from theory.numerics import float64
from theory.problems import staged

PROBLEM = staged.Problem(d=30, n=8, held_out=4, factors=3)
SETTINGS = experiment.Settings(instances=3, steps=12, methods=("GA",), decay=0.02, problem=PROBLEM)
STAGES = (*staged.RETAIN, staged.FORGET)
OPTIMIZERS = experiment.optimizers(SETTINGS)


def trained(seed):
    """The instance, its four paths and the retrained model, from `linear`."""
    case = staged.draw(PROBLEM, 0, seed)
    stages = {name: (case.X[s], case.y[s]) for s, name in enumerate(STAGES)}
    *starts, reference = linear.train_orders(
        stages, [*span_runs.ORDERS, staged.RETAIN], mu=PROBLEM.mu
    )
    return case, starts, reference


@pytest.fixture(scope="module")
def result():
    return experiment.run(SETTINGS, quiet)


@pytest.fixture(scope="module")
def prepared():
    with float64():
        return span_runs.prepare(staged.draw_many(PROBLEM, 0, range(3)), PROBLEM.mu)[0]


def by_hand(start, gradient, optimizer, steps):
    """θ_0..θ_T by the textbook's formulas, Adam with β = (0.9, 0.999) and ε = 1e-8."""
    theta, velocity, first, second, path = start, 0.0, 0.0, 0.0, [start]
    eta = 0.01 if optimizer == "adam" else PROBLEM.eta
    for t in range(1, steps + 1):
        g = gradient(theta) + (0.02 * theta if optimizer == "decay" else 0.0)
        velocity = g + (0.9 * velocity if optimizer == "momentum" else 0.0)
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
        adam = first / (1 - 0.9**t) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
        theta = theta - eta * (adam if optimizer == "adam" else velocity)
        path.append(theta)
    return np.array(path)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("method", ["GA", None])
def test_runs_are_those_of_the_textbook(prepared, optimizer, method):
    """GA descends log π: ∇L = −(2/k)Xᵀ(Xθ − y); the informed gradient is θ − span_optimum(θ)."""
    with float64():
        thetas = span_runs.trajectories(prepared, METHODS.get(method), OPTIMIZERS[optimizer], 12)
    case, starts, reference = trained(1)
    X, y = case.X[-1], case.y[-1]

    def gradient(theta):
        if method == "GA":
            return -2 / len(y) * X.T @ (X @ theta - y)
        return theta - span.span_optimum(theta, reference, X, case.X_test)

    for p, start in enumerate(starts):
        expected = by_hand(start, gradient, optimizer, 12)
        np.testing.assert_allclose(thetas[1, p], expected, atol=1e-9 * np.abs(expected).max())


def test_bounds_are_those_of_the_entry_points(result):
    found = readings.bounds(result.tables)
    assert found.height == 3 * 4
    for seed in range(3):
        case, starts, reference = trained(seed)
        for p, start in enumerate(starts, start=1):
            row = found.row(
                by_predicate=(pl.col("seed") == seed) & (pl.col("position") == p), named=True
            )
            data = (start, reference, case.X[-1], case.X_test)
            nothing = np.mean((case.X_test @ (start - reference)) ** 2)
            assert row["nothing"] == pytest.approx(nothing, rel=1e-9)
            if p < 4:
                assert row["floor"] == pytest.approx(span.span_floor(*data), rel=1e-9)
                assert (row["shrunk"], row["shrink"]) == pytest.approx(
                    span.shrunk_floor(*data), rel=1e-9
                )
            else:
                assert row["floor"] < 1e-25 * nothing


def test_best_stopping_and_displacement_are_read_off_the_runs(result, prepared):
    found = readings.unlearned(result.tables)
    assert found.height == 3 * 4 * 2 * 4
    with float64():
        thetas = np.asarray(
            span_runs.trajectories(prepared, METHODS["GA"], OPTIMIZERS["adam"], 12)
        )[2]
    case, starts, reference = trained(2)
    for p, path in enumerate(thetas, start=1):
        distance = np.mean(((path - reference) @ case.X_test.T) ** 2, axis=1)
        row = found.filter(seed=2, position=p, method="GA adam").row(0, named=True)
        at = int(np.argmin(distance))
        assert (row["best"], row["step"]) == (pytest.approx(distance.min(), rel=1e-9), at)
        for name, end in (("outside/best", at), ("outside", 12)):
            share = span.share_outside(path[end] - starts[p - 1], case.X[-1])
            assert row[name] == pytest.approx(share, rel=1e-9)


def test_pairs_are_followed_at_equal_steps(result, prepared):
    pairs = readings.paired(result.tables)
    assert pairs.height == 3 * 6 * 2 * 2  # span methods only
    with float64():
        thetas = np.asarray(
            span_runs.trajectories(prepared, METHODS["GA"], OPTIMIZERS["momentum"], 12)
        )[0]
    case, starts, reference = trained(0)
    order = "|".join(">".join(span_runs.ORDERS[i]) for i in (1, 3))
    row = pairs.filter(seed=0, order=order, method="GA momentum").row(0, named=True)
    outputs = thetas @ case.X_test.T
    assert row["closest"] == pytest.approx(
        np.mean((outputs[1] - outputs[3]) ** 2, axis=-1).min(), rel=1e-9
    )
    assert row["pair_floor"] == pytest.approx(
        span.pair_floor(starts[1], starts[3], case.X[-1], case.X_test), rel=1e-9
    )
    far = max(np.mean((outputs[i] - case.X_test @ reference) ** 2, axis=-1).min() for i in (1, 3))
    assert row["farther"] == pytest.approx(far, rel=1e-9)


def test_the_informed_gradient_finds_the_floor_and_decay_goes_below():
    found = readings.unlearned(
        experiment.run(experiment.Settings(instances=4, methods=(), problem=PROBLEM), quiet).tables
    )
    earlier = found.filter(pl.col("position") < 4)
    ratio = earlier.with_columns(ratio=pl.col("best") / pl.col("floor"))
    assert ratio.filter(optimizer="sgd")["ratio"].to_numpy() == pytest.approx(np.ones(12), rel=1e-9)
    below = ratio.filter(optimizer="decay")
    inwards = below["shrink"].to_numpy() < 0.97  # further than the decay shrinks in a run
    assert inwards.any()
    assert np.all(below["ratio"].to_numpy()[inwards] < 1)


def test_records_are_the_same_every_time_and_in_any_batch(result, monkeypatch):
    reports = []
    again = experiment.run(SETTINGS, lambda *report: reports.append(report))
    assert again.tables.records.equals(result.tables.records)
    assert (again.specs, reports[-1]) == (result.specs, ("span barrier", 24, 24))
    assert again.tables.records.select(pl.exclude("value")).is_duplicated().sum() == 0
    monkeypatch.setattr(experiment, "BATCH", 1)
    best = [
        readings.unlearned(run.tables)["best"].to_numpy()
        for run in (result, experiment.run(SETTINGS, quiet))
    ]
    np.testing.assert_allclose(best[1], best[0], rtol=1e-8, atol=1e-20)


def test_claims_on_a_tiny_run(result):
    found = [(claim.id, claim.verdict) for claim in claims.judge(result.tables)]
    assert found[:3] == [("B1", "holds"), ("B2", "holds"), ("B3", "holds")]
    assert [id for id, _ in found[3:]] == ["B4", "B4"]
