"""Experiment "rates": its rates against d×d formulas along real ascents, its records, the
half-diameter bound.
"""

import itertools

import numpy as np
import polars as pl
import pytest

from protocol import growth, metrics
from protocol.claims.rates import divergence
from protocol.errors import InputError
from protocol.progress import quiet
from protocol.readings.rates import tightness
from protocol.recorder import Recorder
from protocol.spec import METHODS
from theory import linear
from theory.experiments import rates
from theory.numerics import float64
from theory.problems import staged
from theory.theorem import divergence_bound

PROBLEM = staged.Problem(d=30, n=8, held_out=4, factors=3)
READING = growth.Reading(window=6, every=3, starts=(0, 4))
SETTINGS = rates.Settings(instances=5, steps=12, reading=READING, problem=PROBLEM)
STAGES = (*staged.RETAIN, staged.FORGET)
PAIRS = list(itertools.combinations(range(4), 2))


@pytest.fixture(scope="module")
def followed():
    with float64():
        cases = staged.draw_many(PROBLEM, 0, range(2))
        models = rates.trained(cases, PROBLEM.mu)
        found = rates.follow(cases, *models, METHODS["GA"], SETTINGS.steps, PROBLEM.eta)
        return rates.Followed(*map(np.asarray, found))


@pytest.fixture(scope="module")
def result():
    return rates.run(SETTINGS, quiet)


def paths_of(seed):
    case = staged.draw(PROBLEM, 0, seed)
    stages = {name: (case.X[s], case.y[s]) for s, name in enumerate(STAGES)}
    return case, [
        linear.train(stages, order, mu=PROBLEM.mu) for order in (*rates.ORDERS, staged.RETAIN)
    ]


def test_the_rates_of_an_ascent_are_rayleigh_quotients(followed):
    """ρ_t = ⟨Δ, MΔ⟩/‖Δ‖² with M = (2η/k)XᵀX in d×d and Δ from `linear.ascend`; PΔ₀ gives the
    theorem's ρ*.
    """
    for seed in range(2):
        case, (*starts, reference) = paths_of(seed)
        X, y = case.X[-1], case.y[-1]
        M = 2 * PROBLEM.eta / len(y) * X.T @ X
        P = X.T @ np.linalg.inv(X @ X.T) @ X
        theta = np.array(
            [linear.ascend(s, X, y, eta=PROBLEM.eta, steps=SETTINGS.steps) for s in starts]
        )
        np.testing.assert_allclose(followed.outputs[seed], theta @ case.X_test.T, rtol=1e-9)
        np.testing.assert_allclose(followed.reference[seed], case.X_test @ reference, rtol=1e-9)
        for i, (a, b) in enumerate(PAIRS):
            delta = theta[a] - theta[b]
            quotient = [v @ M @ v / (v @ v) for v in delta[:-1]]
            np.testing.assert_allclose(followed.secant_rate[seed, i], quotient, rtol=1e-9)
            part = P @ delta[0]
            np.testing.assert_allclose(
                followed.projected_rate[seed, i], part @ M @ part / (part @ part), rtol=1e-9
            )
            bound = divergence_bound(starts[a], starts[b], X, case.X_test, eta=PROBLEM.eta)
            assert followed.rho[seed, i] == pytest.approx(bound.rho, rel=1e-9)


def test_outputs_follow_the_matrix_of_the_ascent(followed):
    """r_t = ⟨X_test Δ, X_test MΔ⟩/‖X_test Δ‖² and d_t = ‖X_test (I + M)^t Δ₀‖²/m."""
    case, (*starts, _) = paths_of(1)
    X = case.X[-1]
    M = 2 * PROBLEM.eta / len(X) * X.T @ X
    for grown, (a, b) in zip(growth.grown(followed.outputs[1]), PAIRS, strict=True):
        for t in (0, 5, 11):
            delta = np.linalg.matrix_power(np.eye(30) + M, t) @ (starts[a] - starts[b])
            e = case.X_test @ delta
            assert grown.divergence[t] == pytest.approx(np.mean(e**2), rel=1e-9)
            assert grown.rate[t] == pytest.approx(e @ case.X_test @ M @ delta / (e @ e), rel=1e-8)


def test_the_rate_tends_to_the_largest_eigenvalue():
    """The limit of both rates is λ_max(M): after 1000 steps (exact ascent) within 1e-3 of it."""
    case, (a, b, *_) = paths_of(0)
    X, y = case.X[-1], case.y[-1]
    largest = 2 * PROBLEM.eta / len(y) * np.linalg.eigvalsh(X @ X.T)[-1]
    e = [
        linear.ascend(s, X, y, eta=PROBLEM.eta, at=[1000, 1001], readout=case.X_test)
        for s in (a, b)
    ]
    assert metrics.output_rate(*e)[0] == pytest.approx(largest, rel=1e-3)


def test_records_follow_the_contract(result):
    records = result.tables.records
    pairs, alls = records.filter(pl.col("position") > 0), records.filter(pl.col("position") == 0)
    assert pairs["run"].n_unique() == 5 * 6 * 3
    assert set(alls["metric"]) == {"half_diameter", "retrained_distance"}
    assert alls.height == 5 * 3 * 13 * 2
    steps = {name: sorted(part["step"].unique()) for (name,), part in pairs.group_by("metric")}
    assert steps["output_rate"] == steps["secant_rate"] == [0, 3, 6, 9]
    assert steps["log_divergence"] == [0, 3, 6, 9, 12]
    assert steps["horizon/rate"] == [0, 4]
    assert steps["growth/measured"] == steps["growth/theorem"] == [0]
    assert set(pairs.filter(metric="growth/theorem")["method"]) == {"GA"}
    assert records.select(pl.exclude("value")).is_duplicated().sum() == 0
    assert records["value"].is_finite().all()


def test_records_are_the_same_every_time_and_in_any_batch(result, monkeypatch):
    reports = []
    again = rates.run(SETTINGS, lambda *report: reports.append(report))
    assert again.tables.records.equals(result.tables.records)
    assert (again.specs, reports[-1]) == (result.specs, ("rates", 15, 15))
    monkeypatch.setattr(rates, "BATCH", 2)
    parts = rates.run(SETTINGS, quiet).tables.records
    difference = (parts["value"] - result.tables.records["value"]).abs()
    exact = ~pl.col("metric").str.contains("error")  # these are rounding
    assert parts.drop("value").equals(result.tables.records.drop("value"))
    assert parts.with_columns(difference=difference).filter(exact)["difference"].max() < 1e-9


def test_values_stand_with_their_run(result, followed):
    order = ">".join(rates.ORDERS[1]) + "|" + ">".join(rates.ORDERS[3])
    pair = result.tables.records.filter(seed=1, method="GA", order=order, position=2)
    value = {(m, s): v for m, s, v in pair.select("metric", "step", "value").iter_rows()}
    grown = growth.grown(followed.outputs[1])[PAIRS.index((1, 3))]
    log_d = np.log(grown.divergence)
    assert value["secant_rate", 6] == pytest.approx(
        followed.secant_rate[1, PAIRS.index((1, 3)), 6], rel=1e-9
    )
    assert value["output_rate", 9] == pytest.approx(grown.rate[9], rel=1e-9)
    assert value["growth/measured", 0] == pytest.approx(
        np.polyfit(np.arange(7), log_d[:7], 1)[0], rel=1e-9
    )
    assert value["growth/rate", 0] == pytest.approx(2 * np.log(1 + grown.rate[0]), rel=1e-9)
    assert value["growth/ratio", 0] == pytest.approx(log_d[1] - log_d[0], rel=1e-7)
    ahead = np.arange(9)
    kept = np.abs(log_d[4:] - log_d[4] - 2 * ahead * np.log(1 + grown.rate[4])) <= np.log(2)
    assert value["horizon/rate", 4] == (np.argmin(kept) - 1 if not kept.all() else 8)


def test_the_half_diameter_is_below_the_distance_to_the_retrained_model(result, followed):
    tight = tightness(result.tables.records.filter(method="GA"))
    for t in (0, 12):
        u = followed.outputs[1, :, t]
        apart = max(np.sqrt(np.mean((u[a] - u[b]) ** 2)) for a, b in PAIRS)
        far = max(np.sqrt(np.mean((path - followed.reference[1]) ** 2)) for path in u)
        row = tight.row(by_predicate=(pl.col("seed") == 1) & (pl.col("step") == t), named=True)
        assert (row["half_diameter"], row["retrained_distance"]) == pytest.approx(
            (apart / 2, far), rel=1e-9
        )
    assert tight["ratio"].max() <= 1


def test_claims_on_a_tiny_run(result):
    found = {(claim.id, claim.method): claim.verdict for claim in divergence.judge(result.tables)}
    assert found["G1", "GA + NPO + SimNPO"] == found["G3", "GA"] == "holds"
    assert [found["D1", method] for method in ("GA", "NPO", "SimNPO")] == ["holds"] * 3
    assert found["G2", "GA"] == "inconclusive"  # 12 steps cannot show 20


def test_any_models_logits_are_read_like_the_linear_models_outputs():
    """e_t = 1.05^t e_0 on 6 inputs and 3 classes, no retrained model: r = 0.05 at every step, exact
    to the end; d doubles after log 2/(2 log 1.05) = 7.1 steps; a seed's pairs differ by 1, 2, 3, …,
    so ½ max √d is that of 0 and 3.
    """
    base = np.random.default_rng(0).standard_normal((6, 6, 3))
    grown = 1.05 ** np.arange(31)[:, None, None]
    outputs = np.array([[p * grown * one + 7 for p in range(4)] for one in base])
    of_pairs, of_paths = growth.read_off(outputs, growth.Reading(every=10, starts=(0,)))
    recorder = Recorder("rates", "network", {}, model="mlp", reference=staged.RETAIN)
    growth.record(
        recorder, rates.ORDERS, range(6), method="GA", of_pairs=of_pairs, of_paths=of_paths
    )
    tables = recorder.tables()
    np.testing.assert_allclose(of_pairs["output_rate"][1], 0.05, rtol=1e-9)
    np.testing.assert_allclose(of_pairs["growth/measured"][1], 2 * np.log(1.05), rtol=1e-9)
    assert (
        set(of_pairs["horizon/rate"][1].ravel())
        == set(of_pairs["horizon/ratio"][1].ravel())
        == {30}
    )
    assert set(of_pairs["horizon/constant"][1].ravel()) == {7}
    apart = 3 / 2 * np.sqrt(np.sum(base**2, axis=(1, 2)) / 6)
    np.testing.assert_allclose(
        of_paths["half_diameter"][1], apart[:, None] * grown.ravel(), rtol=1e-12
    )
    assert {(c.id, c.world, c.verdict) for c in divergence.judge(tables)} == {
        ("G1", "network", "holds"),
        ("G2", "network", "holds"),
    }


def test_settings_that_leave_nothing_to_read_are_refused():
    with pytest.raises(
        InputError,
        match=r"at least 1 instance and more steps than 40, .*; got 64 instances, 40 steps",
    ):
        rates.Settings(steps=40)
    with pytest.raises(
        InputError,
        match=r"reading: expected .* 0 among them; got window 20, every 5, starts \(3,\)",
    ):
        growth.Reading(starts=(3,))
