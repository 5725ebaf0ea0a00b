"""Experiment "certified" against d×d ascents and the library's own entry points; its claims and its figure."""

import numpy as np
import polars as pl
import pytest

from paper_figs import certified as figure
from protocol import records
from protocol.claims import certified as claims
from protocol.errors import InputError
from protocol.progress import quiet
from theory import certified as library
from theory import linear
from theory.experiments import certified
from theory.experiments.staged import FORGET, RETAIN, Problem, draw

PROBLEM = Problem(d=20, n=5, held_out=4, factors=3)
SETTINGS = certified.Settings(
    instances=6, steps=40, every=4, noises=(0.01, 30.0), epsilons=(0.5, 2.0), delta=1e-4, problem=PROBLEM
)


@pytest.fixture(scope="module")
def result():
    return certified.run(SETTINGS, quiet)


def pair(seed):
    """Both models of an instance, trained by the library, and the forget rows."""
    case = draw(PROBLEM, 0, seed)
    stages = {name: (case.X[s], case.y[s]) for s, name in enumerate((*RETAIN, FORGET))}
    return [linear.train(stages, order, mu=PROBLEM.mu) for order in certified.ORDERS], case.X[-1]


def distances(seed):
    """‖Δ_t‖/‖Δ₀‖, t = 0..T, by the d×d matrix I + M."""
    (a, b), X = pair(seed)
    step = np.eye(PROBLEM.d) + 2 * PROBLEM.eta / len(X) * X.T @ X
    path = [a - b]
    for _ in range(SETTINGS.steps):
        path.append(step @ path[-1])
    return np.linalg.norm(path, axis=1) / np.linalg.norm(a - b)


def chosen(table, **settings):
    """Rows of the run with these settings; noise=None for the runs of an ε alone."""
    told = table.filter(pl.col("metric").str.starts_with("setting/")).pivot("metric", index="run", values="value")
    for name, value in settings.items():
        column = pl.col(f"setting/{name}")
        told = told.filter(column.is_null() if value is None else column == value)
    return told["run"].item()


@pytest.mark.parametrize("noise", SETTINGS.noises)
@pytest.mark.parametrize("epsilon", SETTINGS.epsilons)
def test_a_cell_is_that_of_the_textbook(result, noise, epsilon):
    run = chosen(result.tables.records, noise=noise, epsilon=epsilon)
    ratio = np.stack([distances(seed) for seed in range(6)]) / noise
    curve = result.tables.records.filter(run=run, metric="hockey_stick").sort("step")
    expected = np.median(library.hockey_stick(ratio, 1.0, 2 * epsilon), axis=0)[::4]
    np.testing.assert_allclose(curve["value"].to_numpy(), expected, rtol=1e-8, atol=1e-300)
    seen = library.hockey_stick(ratio, 1.0, 2 * epsilon) > (1 + np.exp(epsilon)) * SETTINGS.delta
    told = {
        name: part["value"].to_numpy()
        for (name,), part in result.tables.examples.filter(run=run).group_by("metric", maintain_order=True)
    }
    for seed in range(6):
        (a, b), X = pair(seed)
        first = library.first_violating_step(
            a - b, X, eta=PROBLEM.eta, noise=noise * np.linalg.norm(a - b), epsilon=epsilon, delta=SETTINGS.delta
        )
        assert told["first_step"][seed] == first
        stepped = seen[seed].argmax() if seen[seed].any() else np.nan
        np.testing.assert_equal(told["stepped"][seed], stepped)
    assert not told["relapses"].any()


def test_noise_needed_is_the_librarys_and_grows_by_the_largest_eigenvalue(result):
    run = chosen(result.tables.records, noise=None, epsilon=2.0)
    curve = result.tables.records.filter(run=run, metric="log_noise").sort("step")["value"].to_numpy()
    needed = []
    for seed in range(6):
        (a, b), X = pair(seed)
        at = range(0, 41, 4)
        told = library.log_noise_needed(a - b, X, eta=PROBLEM.eta, epsilon=2.0, delta=SETTINGS.delta, at=at)
        needed.append(told - np.log(np.linalg.norm(a - b)))
    np.testing.assert_allclose(curve, np.median(needed, axis=0), rtol=1e-9, atol=1e-12)
    assert result.tables.examples.filter(metric="slope_error")["value"].max() < 1e-9


def test_records_follow_the_contract_and_are_the_same_in_any_batch(result, monkeypatch):
    table = result.tables.records
    assert table["run"].n_unique() == 2 * 2 + 2
    assert table.select(pl.exclude("value")).is_duplicated().sum() == 0
    assert certified.run(SETTINGS, quiet).tables.records.equals(table)
    monkeypatch.setattr(certified, "BATCH", 4)
    again = certified.run(SETTINGS, quiet).tables
    np.testing.assert_allclose(again.records["value"], table["value"], rtol=1e-9, atol=1e-12)


def changed(result, metric, value):
    """The tables with one example of a metric replaced."""
    first = (pl.col("metric") == metric) & (pl.col("example") == 3)
    altered = pl.when(first).then(value).otherwise(pl.col("value")).alias("value")
    return records.Tables(result.tables.records, result.tables.examples.with_columns(altered))


@pytest.mark.parametrize(
    ("metric", "value", "verdicts"),
    [
        ("relapses", 1.0, ("fails", "holds")),
        ("first_step", float("inf"), ("fails", "holds")),
        ("stepped", 39.0, ("fails", "holds")),
        ("slope_error", 0.9e-6, ("holds", "holds")),
        ("slope_error", 1.1e-6, ("holds", "fails")),
    ],
)
def test_claims_from_both_sides(result, metric, value, verdicts):
    assert [claim.verdict for claim in claims.judge(result.tables)] == ["holds", "holds"]
    judged = claims.judge(changed(result, metric, value))
    assert [(claim.id, claim.verdict) for claim in judged] == list(zip(("C1", "C2"), verdicts, strict=True))
    assert claims.judge(records.Tables.concat([])) == []


def test_figure(result):
    drawn = figure.draw(result.tables)
    drawn.draw_without_rendering()
    left, middle, right = drawn.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["s = 0.01 ‖Δ₀‖", "s = 30 ‖Δ₀‖"]
    assert [line.get_ydata()[0] < line.get_ydata()[-1] for line in middle.get_lines()] == [True, True]
    assert len(right.containers) == 2
    assert figure.draw(records.Tables.concat([])) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instances": 0}, r"instances, steps, every: expected at least 1 of each; got \(0, "),
        ({"noises": (1.0, 0.0)}, r"noises, epsilons: expected some, noises > 0; got \(1.0, 0.0\)"),
        ({"epsilons": ()}, "noises, epsilons: expected some"),
        ({"delta": 0.4}, r"delta: expected \(1 \+ e\^ε\)δ < 1, or nothing is ever violated; got ε = 1"),
        ({"epsilons": (-1.0,)}, "epsilon: expected"),
    ],
)
def test_bad_settings_are_told(change, message):
    with pytest.raises(InputError, match=message):
        certified.Settings(**change)
