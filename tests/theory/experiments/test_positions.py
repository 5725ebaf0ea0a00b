"""The positions experiment: GA is the theorem's ascent, NPO and SimNPO follow their gradients, the
records judge.
"""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from protocol.claims import judge
from protocol.errors import InputError
from protocol.progress import quiet
from protocol.spec import METHODS
from theory import linear
from theory.experiments import positions
from theory.numerics import float64
from theory.problems import staged

PROBLEM = staged.Problem(d=30, n=8, held_out=4, factors=3)
SETTINGS = positions.Settings(instances=3, steps=6, problem=PROBLEM)
SPEC = positions.experiment(SETTINGS)
STAGES = (*SPEC.retain, SPEC.forget)


@pytest.fixture(scope="module")
def measured():
    with float64():
        cases = staged.draw_many(PROBLEM, 0, SPEC.seeds)
        return {
            m.name: [np.asarray(part) for part in positions.unlearn_many(cases, SPEC, m)]
            for m in SPEC.methods
        }


def trained(case):
    stages = {name: (case.X[s], case.y[s]) for s, name in enumerate(STAGES)}
    return [linear.train(stages, order, mu=1.0) for order in (*SPEC.orders, SPEC.retain)]


def expected_curves(case, path, reference):
    """The five metrics along a given path of parameters, but for the gradient."""
    X, y = case.X[-1], case.y[-1]
    return [
        -np.mean((path @ X.T - y) ** 2, axis=1),
        -np.mean((path @ case.X_test.T - case.y_test) ** 2, axis=1),
        np.mean(((path - reference) @ case.X_test.T) ** 2, axis=1),
        np.mean(((path - reference) @ X.T) ** 2, axis=1),
    ]


def test_gradient_ascent_is_the_theorems(measured):
    label, retained, gradient, test, forget = measured["GA"]
    assert label.shape == (3, 4, 7)
    for seed in SPEC.seeds:
        case = staged.draw(PROBLEM, 0, seed)
        *starts, reference = trained(case)
        X, y = case.X[-1], case.y[-1]
        for p, start in enumerate(starts):
            path = linear.ascend(start, X, y, eta=PROBLEM.eta, steps=SPEC.steps)
            for got, expected in zip(
                (label, retained, test, forget), expected_curves(case, path, reference), strict=True
            ):
                assert np.allclose(got[seed, p], expected, rtol=1e-9, atol=0)
            norms = np.linalg.norm(2 / len(y) * (path @ X.T - y) @ X, axis=1)
            assert np.allclose(gradient[seed, p], norms, rtol=1e-9, atol=0)


@pytest.mark.parametrize(
    ("name", "beta", "relative"),
    [("NPO", 0.5, 1.0), ("SimNPO", 0.2, 0.0), ("SimNPO-beta1", 1.0, 0.0)],
)
def test_npo_and_simnpo_follow_their_gradients(measured, name, beta, relative):
    """∇L = mean_i 2σ(β[log π_i − log π_ref,i]) ∇log π_i for NPO, without the reference for SimNPO;
    stepped by hand.
    """
    case = staged.draw(PROBLEM, 0, 0)
    *starts, reference = trained(case)
    X, y = case.X[-1], case.y[-1]
    for p, start in enumerate(starts):
        theta = start
        before, path, norms = -((X @ theta - y) ** 2), [], []
        for _ in range(SPEC.steps + 1):
            residual = X @ theta - y
            weight = 2 / (1 + np.exp(-beta * (-(residual**2) - relative * before)))
            gradient = X.T @ (weight * -2 * residual) / len(y)
            path.append(theta)
            norms.append(np.linalg.norm(gradient))
            theta = theta - PROBLEM.eta * gradient
        got = [part[0, p] for part in measured[name]]
        expected = expected_curves(case, np.array(path), reference)
        assert np.allclose(got[2], norms, rtol=1e-9, atol=0)
        for one, other in zip((got[0], got[1], got[3], got[4]), expected, strict=True):
            assert np.allclose(one, other, rtol=1e-9, atol=0)


def test_npo_starts_with_the_gradient_of_ascent(measured):
    assert np.allclose(measured["NPO"][2][..., 0], measured["GA"][2][..., 0], rtol=1e-12, atol=0)


def test_records_follow_the_contract():
    progress = []
    result = positions.run(SETTINGS, lambda *report: progress.append(report))
    records, examples = result.tables.records, result.tables.examples
    assert records.height == 3 * 4 * 4 * 7 * 5
    assert examples.height == 3 * 4 * 4 * 2
    assert progress[-1] == ("linear positions", 12, 12)
    assert set(records["metric"]) == set(positions.METRICS)
    last = records.filter(position=4)
    assert set(last["order"]) == {"inst>tofu>math>safety"}
    assert set(records["reference"]) == {"inst>tofu>math"}
    assert records.select(pl.exclude("value")).is_duplicated().sum() == 0
    assert records["value"].is_finite().all()
    ends = records.filter(pl.col("metric") == "retain_loglik", pl.col("step").is_in([0, 6]))
    assert examples.drop("example").equals(ends)
    again = positions.run(SETTINGS, quiet)
    assert again.tables.records.equals(records)
    assert again.specs == result.specs
    assert {claim.id for claim in judge(result.tables)} == {"L1", "L2", "L3", "L6e", "E1", "N1"}


def test_values_stand_with_their_run(measured):
    records = positions.run(SETTINGS, quiet).tables.records
    row = records.filter(seed=2, position=3, method="NPO", step=4, metric="re_distance/test")
    assert row["value"].to_list() == [measured["NPO"][3][2, 2, 4]]


def test_an_instance_depends_on_its_seed_alone():
    few, many = staged.draw_many(PROBLEM, 0, (1,)), staged.draw_many(PROBLEM, 0, (0, 1, 2))
    assert all(np.array_equal(a[0], b[1]) for a, b in zip(few, many, strict=True))
    with float64():
        alone = positions.unlearn_many(few, SPEC, METHODS["GA"])
        together = positions.unlearn_many(many, SPEC, METHODS["GA"])
    assert all(np.allclose(a[0], b[1], rtol=1e-10) for a, b in zip(alone, together, strict=True))


def test_too_few_held_out_rows_are_refused():
    with pytest.raises(
        InputError,
        match=r"held_out: expected more than n/3 rows .* so that m > k; got 5 for n = 15",
    ):
        staged.Problem(n=15, held_out=5)


def test_importing_the_theory_changes_nothing():
    code = (
        "import sys, jax, theory; assert 'torch' not in sys.modules; import jax.numpy as jnp, "
        "numpy as np;"
        "theory.linear.train({'A': (np.ones((1, 2)), np.ones(1))}, ('A',), mu=1.0);"
        "assert not jax.config.jax_enable_x64; assert jnp.ones(1).dtype == jnp.float32"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
