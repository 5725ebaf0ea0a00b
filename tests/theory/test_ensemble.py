"""The ensemble's checks against the entry points, its records, its determinism; the program on
which JAX 0.10 hung.
"""

import subprocess
import sys

import jax
import numpy as np
import polars as pl
import pytest

from protocol.claims import judge
from protocol.errors import InputError
from protocol.progress import quiet
from theory import kernels, linear
from theory.experiments import instance_checks
from theory.experiments import theorem as ensemble
from theory.experiments import theorem_curves as curves
from theory.numerics import float64
from theory.problems import instances
from theory.theorem import divergence_bound

SHAPE = instances.Shape(14, 4, 3, 6)
SMALL = ensemble.Settings(shapes=(SHAPE, instances.Shape(20, 6, 5, 5)), instances=6, lemma_steps=50)


def case_and_paths(index):
    case = instances.draw(0, index, SHAPE)
    stages = {"A": (case.X_a, case.y_a), "B": (case.X_b, case.y_b)}
    mu = {"A": float(case.mu_a), "B": float(case.mu_b)}
    return case, [linear.train(stages, order, mu=mu) for order in (("A",), ("A", "B"), ("B", "A"))]


@pytest.mark.parametrize("index", range(len(instances.FAMILIES)))
def test_checks_are_those_of_the_entry_points(index):
    """t₀, σ_U and the log margins from `divergence_bound` and `ascend`, at times where float64
    still holds them.
    """
    case, (theta_a, theta_ab, theta_ba) = case_and_paths(index)
    with float64():
        paths = jax.jit(instance_checks.trained)(case)
        checked = jax.jit(instance_checks.bound)(
            paths.ab - paths.ba, case.X_b, case.X_test, case.eta
        )
        violated = jax.jit(instance_checks.violation)(paths, checked, case)
    eta = float(case.eta)
    expected = divergence_bound(theta_ab, theta_ba, case.X_b, case.X_test, eta=eta)
    assert np.isclose(checked.terms.sigma, expected.sigma, rtol=1e-9)
    assert float(checked.t0) == expected.t0
    assert float(violated.steps[0]) == expected.violation_step(float(case.epsilon))

    def distance(one, other, time, moving):
        ends = [
            linear.ascend(theta, case.X_b, case.y_b, eta=eta, at=[time], readout=case.X_test)
            for theta in (one, other)
        ]
        target = ends[1] if moving else other @ case.X_test.T
        return np.mean((ends[0] - target) ** 2)

    for time, slack in zip(np.asarray(checked.steps), np.asarray(checked.slack), strict=True):
        measured = np.log(distance(theta_ab, theta_ba, int(time), True)) - expected.log_lower_bound(
            time
        )
        assert slack == pytest.approx(measured, abs=1e-7)
    for time, margin in zip(np.asarray(violated.steps), np.asarray(violated.margin), strict=True):
        farther = max(distance(theta, theta_a, int(time), False) for theta in (theta_ab, theta_ba))
        assert margin == pytest.approx(np.log(farther / case.epsilon), abs=1e-7)


def test_log_distance_survives_what_overflows():
    """One mode, amplitude 1, rate 1, at t = 1e5: log[(e^t − 1)²/1] = 2e5; nothing growing leaves
    log of start².
    """
    one = np.ones(1)
    with float64():
        grown = kernels.log_distance(0 * one, np.ones((1, 1)), one, one, 1e5)
        still = kernels.log_distance(3 * one, np.ones((1, 1)), 0 * one, one, 1e5)
    assert float(grown) == pytest.approx(2e5, rel=1e-14)
    assert float(still) == pytest.approx(2 * np.log(3), rel=1e-14)


def test_log_distance_keeps_what_does_not_grow():
    """start 5, amplitudes 2 and −1 at rates log 2 and log 3, t = 3: 5 + 2·7 − 26 = −7."""
    with float64():
        rate = np.log(np.array([2.0, 3.0]))
        got = kernels.log_distance(
            np.array([5.0]), np.ones((1, 2)), np.array([2.0, -1.0]), rate, 3.0
        )
    assert float(got) == pytest.approx(2 * np.log(7), rel=1e-13)


def test_lemma_error_is_rounding_and_sees_a_wrong_closed_form(monkeypatch):
    """With a step size wrong by 1e-6 in the closed form alone the error is of that order, not
    1e-11.
    """
    case, (theta_a, theta_ab, theta_ba) = case_and_paths(0)
    paths = instance_checks.Paths(*(np.asarray(theta) for theta in (theta_a, theta_ab, theta_ba)))
    right = kernels.ascent
    with float64():
        assert float(instance_checks.lemma_error(paths, case, 30)) < 1e-11
        monkeypatch.setattr(
            kernels, "ascent", lambda theta, X, y, eta: right(theta, X, y, eta * (1 + 1e-6))
        )
        assert 1e-8 < float(instance_checks.lemma_error(paths, case, 30)) < 1e-3


def test_records_follow_the_contract_and_do_not_depend_on_the_call():
    progress = []
    first = ensemble.run(SMALL, lambda *report: progress.append(report))
    again = ensemble.run(SMALL, quiet)
    assert first.tables.examples.equals(again.tables.examples)
    assert progress[-1] == ("theorem ensemble", 12, 12)
    examples = first.tables.examples
    counts = dict(examples.group_by("metric").len().iter_rows())
    assert counts == {
        "bound_log_slack": 12 * 6,
        "violation_log_margin": 12 * 3,
        "lemma_error": 12,
        "t0": 24,
        "sigma": 24,
        "projected_difference": 24,
    }
    assert examples.select(pl.exclude("value")).is_duplicated().sum() == 0
    assert examples["example"].n_unique() == 12
    assert {claim.id: claim.verdict for claim in judge(first.tables)} == dict.fromkeys(
        ("T1", "T2", "T3"), "holds"
    )


def test_an_instance_is_the_same_in_any_batch():
    one, many = instances.draw(3, 5, SHAPE), instances.draw_many(3, range(4, 7), SHAPE)
    assert all(np.array_equal(a, b[1]) for a, b in zip(one, many, strict=True))
    assert not np.array_equal(one.X_a, instances.draw(4, 5, SHAPE).X_a)


def test_rows_have_unit_mean_square_and_the_stated_overlap():
    """E‖x‖² = 1; with overlap o, E⟨x, x'⟩² is far larger along the factors: their span holds o of
    the variance.
    """
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((4, 300))
    X = instances.rows(rng, 4000, factors, instances.Family(overlap=0.6))
    basis = np.linalg.qr(factors.T)[0]
    assert np.mean(np.sum(X**2, axis=1)) == pytest.approx(1, abs=0.05)
    assert np.mean(np.sum((X @ basis) ** 2, axis=1)) == pytest.approx(0.6, abs=0.05)


def test_curves_show_the_bound_from_before_its_threshold():
    settings = curves.Settings(instances=(9, 35), steps=12)
    table = curves.run(settings, quiet).tables.records
    t0 = dict(table.filter(metric="t0").select("seed", "value").iter_rows())
    assert t0 == {9: -38.0, 35: 5.0}
    wide = table.filter(pl.col("metric") != "t0").pivot(
        "metric", index=["seed", "step"], values="value"
    )
    assert wide.height == 2 * 13
    assert (
        wide.filter(pl.col("step") >= 5)
        .select((pl.col("log_divergence") >= pl.col("log_bound")).all())
        .item()
    )
    assert table.equals(curves.run(settings, quiet).tables.records)


def test_settings_without_instances_are_refused():
    with pytest.raises(
        InputError,
        match="expected at least 1 shape and 1 instance of each; got 1 shapes, 0 instances",
    ):
        ensemble.Settings(shapes=(SHAPE,), instances=0)
    with pytest.raises(
        InputError, match="expected at least 1 step and 1 instance; got 0 steps, 6 instances"
    ):
        curves.Settings(steps=0)


SOLVES = """
import jax, jax.numpy as jnp
with jax.enable_x64(True):
    def solves(key):
        keys = jax.random.split(key, 8)
        systems = [jax.random.normal(k, (40, 40)) + 40 * jnp.eye(40) for k in keys]
        return sum(jnp.linalg.solve(system, jnp.ones(40)).sum() for system in systems)
    print(float(jax.jit(jax.vmap(solves))(jax.random.split(jax.random.key(0), 512)).sum()))
"""


def test_independent_batched_solves_return():
    """8 solves of 512 40×40 systems in one program: seconds, but for ever under jax 0.10 on two
    cores.
    """
    done = subprocess.run(
        [sys.executable, "-c", SOLVES], capture_output=True, text=True, timeout=120, check=True
    )
    assert np.isfinite(float(done.stdout))
