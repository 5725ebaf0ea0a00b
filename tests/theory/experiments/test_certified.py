"""Experiment "certified" against d×d ascents and the library's own entry points; its claims and its
figure.
"""

import dataclasses
import itertools
import math

import numpy as np
import polars as pl
import pytest
from scipy import integrate

from paper_figs.figures import certified as figure
from protocol import records
from protocol.claims.linear import certified as claims
from protocol.errors import InputError
from protocol.progress import quiet
from theory import certified as library
from theory import linear
from theory.experiments import certified
from theory.problems.staged import FORGET, RETAIN, Problem, draw

PROBLEM = Problem(d=20, n=5, held_out=4, factors=3)
SETTINGS = certified.Settings(
    instances=6,
    steps=40,
    every=4,
    noises=(0.01, 30.0),
    epsilons=(0.5, 2.0),
    delta=1e-4,
    problem=PROBLEM,
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


def integrated(ratio, epsilon):
    """∫ max(p − e^ε q, 0), p = N(D/s, 1), q = N(0, 1), from where p = e^ε q on; p is below e^{−800}
    beyond 40.
    """
    low, high = max(epsilon / ratio + ratio / 2, ratio - 40), ratio + 40
    if low >= high:
        return 0.0
    cuts = sorted({low, min(low + 5, high), max(low, ratio - 8), high})

    def excess(z):
        return (math.exp(-((z - ratio) ** 2) / 2) - math.exp(epsilon - z**2 / 2)) / math.sqrt(
            2 * math.pi
        )

    return sum(
        integrate.quad(excess, *ends, epsabs=0, epsrel=1e-10)[0]
        for ends in itertools.pairwise(cuts)
    )


def chosen(table, **settings):
    """Rows of the run with these settings; noise=None for the runs of an ε alone."""
    told = table.filter(pl.col("metric").str.starts_with("setting/")).pivot(
        "metric", index="run", values="value"
    )
    for name, value in settings.items():
        column = pl.col(f"setting/{name}")
        told = told.filter(column.is_null() if value is None else column == value)
    return told["run"].item()


@pytest.mark.parametrize("noise", SETTINGS.noises)
@pytest.mark.parametrize("epsilon", SETTINGS.epsilons)
def test_a_cell_is_that_of_the_textbook(result, noise, epsilon):
    run = chosen(result.tables.records, noise=noise, epsilon=epsilon)
    ratio = np.stack([distances(seed) for seed in range(6)]) / noise
    divergence = np.array([[integrated(x, 2 * epsilon) for x in row] for row in ratio.tolist()])
    for ending, share in {"_low": 0.25, "": 0.5, "_high": 0.75}.items():
        curve = result.tables.records.filter(run=run, metric=f"hockey_stick{ending}").sort("step")
        assert curve["step"].to_list() == list(range(0, 41, 4))
        expected = np.quantile(divergence, share, axis=0)[::4]
        np.testing.assert_allclose(curve["value"].to_numpy(), expected, rtol=1e-8, atol=1e-250)
    seen = divergence > (1 + np.exp(epsilon)) * SETTINGS.delta
    told = {
        name: part["value"].to_numpy()
        for (name,), part in result.tables.examples.filter(run=run).group_by(
            "metric", maintain_order=True
        )
    }
    for seed in range(6):
        (a, b), X = pair(seed)
        first = library.first_violating_step(
            a - b,
            X,
            eta=PROBLEM.eta,
            noise=noise * np.linalg.norm(a - b),
            epsilon=epsilon,
            delta=SETTINGS.delta,
        )
        assert told["first_step"][seed] == first
        stepped = seen[seed].argmax() if seen[seed].any() else np.nan
        np.testing.assert_equal(told["stepped"][seed], stepped)
    assert not told["relapses"].any()


def test_noise_needed_is_the_librarys_and_grows_by_the_largest_eigenvalue(result):
    run = chosen(result.tables.records, noise=None, epsilon=2.0)
    curve = (
        result.tables.records.filter(run=run, metric="log_noise").sort("step")["value"].to_numpy()
    )
    needed = []
    for seed in range(6):
        (a, b), X = pair(seed)
        at = range(0, 41, 4)
        told = library.log_noise_needed(
            a - b, X, eta=PROBLEM.eta, epsilon=2.0, delta=SETTINGS.delta, at=at
        )
        needed.append(told - np.log(np.linalg.norm(a - b)))
    np.testing.assert_allclose(curve, np.median(needed, axis=0), rtol=1e-9, atol=1e-12)
    examples = result.tables.examples.filter(run=run).sort("example")
    largest = [
        np.linalg.eigvalsh(np.eye(20) + 2 * PROBLEM.eta / 5 * X.T @ X)[-1]
        for _, X in map(pair, range(6))
    ]
    for name in ("slope", "promised"):
        np.testing.assert_allclose(
            examples.filter(metric=name)["value"], np.log(largest), rtol=1e-9
        )


def test_records_follow_the_contract_and_are_the_same_in_any_batch(result, monkeypatch):
    table = result.tables.records
    assert table["run"].n_unique() == 2 * 2 + 2
    assert table.select(pl.exclude("value")).is_duplicated().sum() == 0
    assert certified.run(SETTINGS, quiet).tables.records.equals(table)
    monkeypatch.setattr(certified, "BATCH", 4)
    again = certified.run(SETTINGS, quiet).tables
    np.testing.assert_allclose(again.records["value"], table["value"], rtol=1e-9, atol=1e-12)


def made(first=7.0, stepped=7.0, relapses=0.0, slope=1.0):
    """Two instances at one noise and 40 steps: one that does as promised, violated at 0, and one as
    given.
    """

    def run(name, settings, examples):
        told = [(0, f"setting/{metric}", value) for metric, value in settings.items()]
        rows = [
            (0, metric, i, value)
            for metric, values in examples.items()
            for i, value in enumerate(values)
        ]
        head = records.Run(name, "s", "certified", "linear", "linear", "a|b", 0, "r", "GA", 0)
        return records.tables(head, [*told, (0, "level", 0.5)], rows)

    first_steps = {
        "first_step": (0.0, first),
        "stepped": (0.0, stepped),
        "relapses": (0.0, relapses),
    }
    yield run("cell", {"noise": 2.0, "epsilon": 1.0, "steps": 40.0}, first_steps)
    yield run("budget", {"epsilon": 1.0}, {"slope": (0.05, 0.05 * slope), "promised": (0.05, 0.05)})


@pytest.mark.parametrize(
    ("options", "verdicts", "share"),
    [
        ({}, ("holds", "holds"), 1.0),
        ({"relapses": 1.0}, ("fails", "holds"), 0.5),
        ({"first": math.inf}, ("fails", "holds"), 0.5),
        (
            {"first": math.inf, "stepped": math.nan},
            ("fails", "holds"),
            0.5,
        ),  # never, and not seen either
        ({"stepped": 8.0}, ("fails", "holds"), 0.5),
        (
            {"first": 40.0, "stepped": math.nan},
            ("fails", "holds"),
            0.5,
        ),  # due within the steps made
        ({"first": 41.0, "stepped": math.nan}, ("inconclusive", "holds"), 0.5),
        ({"slope": 1 + 0.9e-6}, ("holds", "holds"), 1.0),
        ({"slope": 1 - 0.9e-6}, ("holds", "holds"), 1.0),
        ({"slope": 1 + 1.1e-6}, ("holds", "fails"), 1.0),
        ({"slope": 1 - 1.1e-6}, ("holds", "fails"), 1.0),
    ],
)
def test_claims_from_both_sides(options, verdicts, share):
    judged = claims.judge(records.Tables.concat(made(**options)))
    assert [(claim.id, claim.verdict) for claim in judged] == list(
        zip(("C1", "C2"), verdicts, strict=True)
    )
    assert judged[0].value == share
    assert judged[1].value == pytest.approx(abs(options.get("slope", 1.0) - 1), abs=1e-12)


def test_claims_of_a_run(result):
    """Some cells at 30 ‖Δ₀‖ are violated beyond the 40 steps made, which decides nothing; 1 ‖Δ₀‖ is
    overcome.
    """
    assert claims.judge(records.Tables.concat([])) == []
    assert [claim.verdict for claim in claims.judge(result.tables)] == ["inconclusive", "holds"]
    overcome = certified.run(dataclasses.replace(SETTINGS, noises=(0.01, 1.0)), quiet)
    assert [claim.verdict for claim in claims.judge(overcome.tables)] == ["holds", "holds"]


def test_figure(result):
    drawn = figure.draw(result.tables)
    drawn.draw_without_rendering()
    left, middle, right = drawn.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == [
        "s = 0.01 ‖Δ₀‖",
        "s = 30 ‖Δ₀‖",
        "(1 + e^ε)δ",
    ]
    *_, slope = middle.get_lines()
    promised = np.median(result.tables.examples.filter(metric="promised")["value"])
    assert np.diff(np.log(slope.get_ydata()))[0] == pytest.approx(
        promised * np.diff(slope.get_xdata())[0]
    )
    assert len(right.containers) == 2
    assert figure.draw(records.Tables.concat([])) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instances": 0}, r"instances, steps, every: expected at least 1 of each; got \(0, "),
        ({"noises": (1.0, 0.0)}, r"noises, epsilons: expected some, noises > 0; got \(1.0, 0.0\)"),
        ({"epsilons": ()}, "noises, epsilons: expected some"),
        (
            {"delta": 0.4},
            r"delta: expected \(1 \+ e\^ε\)δ < 1, or nothing is ever violated; got ε = 1",
        ),
        ({"epsilons": (-1.0,)}, "epsilon: expected"),
    ],
)
def test_bad_settings_are_told(change, message):
    with pytest.raises(InputError, match=message):
        certified.Settings(**change)
