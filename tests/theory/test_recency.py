"""Growth of the forget loss in eigencoordinates against stepping in d×d, the dominance criteria,
and the experiment.
"""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import InputError
from protocol.progress import quiet
from protocol.readings.recency import cells as cells_of
from theory import linear, recency
from theory.experiments import recency as experiment
from theory.filters import GradientDescent, MinimumNorm
from theory.problems import staged

D, K, ETA = 11, 5, 0.2


def instance(seed=0, models=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(models, D)), rng.normal(size=(K, D)), rng.normal(size=K)


def stepped_loss(theta, X, y, steps, eta=ETA):
    """f(0..steps) by θ ← (I + (2η/k)XᵀX)θ − (2η/k)Xᵀy in d×d."""
    losses, gain = [], 2 * eta / len(y)
    for _ in range(steps + 1):
        losses.append(np.mean((X @ theta - y) ** 2))
        theta = (np.eye(len(theta)) + gain * X.T @ X) @ theta - gain * X.T @ y
    return np.array(losses)


@pytest.mark.parametrize("rows", [K, D + 4])  # more rows than parameters: directions with λ = 0
def test_growth_is_that_of_the_stepped_loss(rows):
    rng = np.random.default_rng(rows)
    thetas, X, y = rng.normal(size=(3, D)), rng.normal(size=(rows, D)), rng.normal(size=rows)
    times = [0, 1, 7, 30]
    loss = recency.log_forget_loss(thetas, X, y, eta=ETA, at=times)
    growth = recency.log_forget_growth(thetas, X, y, eta=ETA, at=times)
    for p, theta in enumerate(thetas):
        expected = stepped_loss(theta, X, y, 30)
        np.testing.assert_allclose(np.exp(loss[p]), expected[times], rtol=1e-9)
        np.testing.assert_allclose(
            np.exp(growth[p, 1:]), expected[times[1:]] - expected[0], rtol=1e-9
        )
    assert np.all(growth[:, 0] == -np.inf)


def test_components_rebuild_the_residual():
    thetas, X, y = instance()
    found = recency.residual_components(thetas, X, y)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(X.T @ X)[::-1][:K], rtol=1e-9)
    np.testing.assert_allclose(
        np.sum(found.components**2, axis=1), np.sum((thetas @ X.T - y) ** 2, axis=1), rtol=1e-9
    )
    for power in (1, 3):  # Σ λ^s c² = rᵀK^s r: components stand with their eigenvalues
        residual = thetas @ X.T - y
        expected = np.einsum(
            "pi,ij,pj->p", residual, np.linalg.matrix_power(X @ X.T, power), residual
        )
        np.testing.assert_allclose(
            found.components**2 @ found.eigenvalues**power, expected, rtol=1e-9
        )


def test_logarithms_outlive_the_loss_and_small_growth_is_exact():
    """One row (s), y = 0: f(t) = (1 + 2ηs²)^{2t} s²θ²; far past overflow, and with 2ηs² = 1e-14 a
    step.
    """
    far = recency.log_forget_growth(
        np.array([[3.0]]), np.array([[2.0]]), [0.0], eta=0.5, at=[10**5]
    )
    assert far[0, 0] == pytest.approx(2e5 * math.log(5) + math.log(36), rel=1e-14)
    near = recency.log_forget_growth(np.ones((1, 1)), np.array([[1e-7]]), [0.0], eta=0.5, at=[3])
    assert near[0, 0] == pytest.approx(math.log(6e-14 * 1e-14), rel=1e-13)


def test_a_fitted_forget_set_is_never_forgotten():
    theta, X = np.array([[1.0, 2.0, 3.0]]), np.eye(2, 3)
    assert recency.log_forget_growth(theta, X, X @ theta[0], eta=0.1, at=[10**6])[0, 0] == -np.inf
    assert recency.log_forget_loss(theta, X, X @ theta[0], eta=0.1, at=[1])[0, 0] == -np.inf


@pytest.mark.parametrize(
    "options", [{"mu": 0.7}, {"filters": GradientDescent(9, 0.1)}, {"filters": MinimumNorm()}]
)
def test_learning_shrinks_each_component(options):
    (theta, *_), X, y = instance(3)
    after = linear.train({"U": (X, y)}, ("U",), start=theta, **options)
    before, learned = recency.residual_components(np.stack([theta, after]), X, y).components
    np.testing.assert_allclose(learned, recency.shrinkage(X, **options) * before, atol=1e-10)
    if "mu" in options:
        eigenvalues = np.sort(np.linalg.eigvalsh(X @ X.T))[::-1]
        np.testing.assert_allclose(
            recency.shrinkage(X, mu=0.7), 0.7 / (0.7 + eigenvalues), rtol=1e-9
        )


def models_with(components, eigenvalues=(4.0, 2.0, 1.0)):
    """Models with these components on a diagonal X, y = 0."""
    root = np.sqrt(np.array(eigenvalues))
    return np.array(components) / root, np.diag(root), np.zeros(len(root))


def test_both_criteria_from_both_sides():
    """b against a = (1, 1, 1): below in each component; only in sums from the top; in neither."""
    thetas, X, y = models_with([[1, 1, 1], [0.9, -1, 1], [0.5, 1.2, -1], [0.5, 1.35, 0]])
    found = recency.residual_components(thetas, X, y)
    assert recency.dominates(found)[:, 0].tolist() == [True, True, False, False]
    # 0.25 + 1.44 ≤ 2 and + 1 ≤ 3; 0.25 + 1.8225 > 2
    assert recency.dominates(found, summed=True)[:, 0].tolist() == [True, True, True, False]
    assert not recency.dominates(found, summed=True)[0, 1:].any()
    growth = recency.log_forget_growth(thetas, X, y, eta=0.01, at=[1, 10, 100, 10**4])
    assert np.all(growth[1:3] < growth[0])


def test_the_top_direction_decides_in_the_limit():
    """a forgets faster at first (27.04 against 4.02) and slower in the end; where the top agrees
    the next decides.
    """
    thetas, X, y = models_with([[0.1, 3, 3], [1, 0.1, 0], [1, 0.2, 0]])
    found = recency.residual_components(thetas, X, y)
    limit = recency.slower_in_the_limit(found)
    assert limit.tolist() == [[False, True, True], [False, False, True], [False, False, False]]
    growth = recency.log_forget_growth(thetas, X, y, eta=0.01, at=[1, 300])
    assert growth[0, 0] > growth[1, 0]
    assert growth[0, 1] < growth[1, 1] < growth[2, 1]


def test_bases_within_an_eigenspace_and_flat_directions_do_not_matter():
    """λ = (1, 1, 0): only c_1² + c_2² counts. (1, 0) and (0, 1) are equal; what is left along λ = 0
    never moves.
    """
    thetas, y = np.array([[1.0, 0, 9], [0, 1.0, 0], [0.5, 0.5, 0]]), np.array([0.0, 0.0, 0.0])
    found = recency.residual_components(thetas, np.diag([1.0, 1.0, 0.0]), y)
    for summed in (False, True):
        assert recency.dominates(found, summed=summed).tolist() == [[True, True, False]] * 2 + [
            [True] * 3
        ]
    assert recency.slower_in_the_limit(found)[2].tolist() == [True, True, False]
    flat = recency.residual_components(thetas, np.zeros((3, 3)), y)
    assert recency.dominates(flat).all()
    assert not recency.slower_in_the_limit(flat).any()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 5))
def test_what_is_below_is_slower_in_any_basis_and_unit(seed, scale):
    """Turning inputs and rows changes nothing; X → cX, θ → θ/c, η → η/c² neither; y, θ → c· shifts
    logarithms.
    """
    thetas, X, y = instance(seed)
    rng = np.random.default_rng(seed)
    turn, mix = (np.linalg.qr(rng.normal(size=(n, n)))[0] for n in (D, K))
    times = [1, 5, 50, 2000]
    growth = recency.log_forget_growth(thetas, X, y, eta=ETA, at=times)
    for same in ((thetas @ turn, X @ turn, y), (thetas, mix @ X, mix @ y)):
        np.testing.assert_allclose(
            recency.log_forget_growth(*same, eta=ETA, at=times), growth, atol=1e-8
        )
    longer = recency.log_forget_growth(thetas / scale, scale * X, y, eta=ETA / scale**2, at=times)
    np.testing.assert_allclose(longer, growth, atol=1e-8)
    louder = recency.log_forget_growth(scale * thetas, X, scale * y, eta=ETA, at=times)
    np.testing.assert_allclose(louder, growth + 2 * math.log(scale), atol=1e-8)
    below = recency.dominates(recency.residual_components(thetas, X, y), summed=True)
    assert all(np.all(growth[a] <= growth[b] + 1e-9) for a, b in np.argwhere(below))


GOOD = (np.ones((1, 3)), np.eye(2, 3), np.ones(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: recency.residual_components(np.ones(3), *GOOD[1:]),
            r"thetas: expected a matrix \(n, d\)",
        ),
        (
            lambda: recency.residual_components([[1, np.nan, 0]], *GOOD[1:]),
            "thetas: expected finite numbers; got 1",
        ),
        (
            lambda: recency.residual_components(*GOOD[:2], np.ones(3)),
            r"y: expected a vector of shape \(2,\).*\(3,\)",
        ),
        (
            lambda: recency.log_forget_growth(*GOOD, eta=0.0, at=[1]),
            "eta: expected a finite number > 0; got 0.0",
        ),
        (
            lambda: recency.log_forget_loss(*GOOD, eta=0.1, at=[-1]),
            "at: expected at least one integer step ≥ 0",
        ),
        (lambda: recency.shrinkage(GOOD[1], mu=-1.0), "mu: expected a finite number > 0; got -1.0"),
        (lambda: recency.shrinkage(GOOD[1]), "mu: expected either mu .* got both or neither"),
        (
            lambda: experiment.Settings(times=(0, 1)),
            r"settings: expected .* times ≥ 1 .* got 256 instances, times \(0",
        ),
    ],
)
def test_bad_input_says_what_was_expected(call, message):
    with pytest.raises(InputError, match=message):
        call()


PROBLEM = staged.Problem(d=30, n=8, held_out=4, factors=3)
SMALL = experiment.Settings(
    instances=5,
    times=(1, 40),
    mus=(1.0, 9.0),
    overlaps=(0.3,),
    teachers=(1.0,),
    stages=(4, 3),
    problem=PROBLEM,
)


@pytest.fixture(scope="module")
def result():
    return experiment.run(SMALL, quiet)


def test_ranks_are_those_of_the_stepped_losses(result):
    """Cell μ = 9 by hand: stages trained one by one, ranks by the growth of the stepped loss."""
    run = cells_of(result.tables).filter(mu=9.0)["run"][0]
    ranks = result.tables.examples.filter(run=run, metric="recency_rank").sort("example", "step")
    assert ranks["step"].to_list() == [1, 40] * 5
    names = (*staged.RETAIN, staged.FORGET)
    for seed in range(5):
        case = staged.draw(PROBLEM, 0, seed)
        stages = {name: (case.X[i], case.y[i]) for i, name in enumerate(names)}
        orders = [[*staged.RETAIN[:p], staged.FORGET, *staged.RETAIN[p:]] for p in range(4)]
        losses = [
            stepped_loss(t, case.X[-1], case.y[-1], 40, 0.3)
            for t in linear.train_orders(stages, orders, mu=9.0)
        ]
        for step in (1, 40):
            growth = [loss[step] - loss[0] for loss in losses]
            expected = sum(value <= growth[-1] for value in growth)
            assert ranks.filter(example=seed, step=step)["value"].item() == expected


def test_records_follow_the_contract(result):
    cells, examples = cells_of(result.tables), result.tables.examples
    assert cells["run"].n_unique() == 4  # base, μ = 9, teacher 1, three stages: no cell twice
    assert cells.filter(base=1.0)["run"].n_unique() == 1
    assert sorted(cells.filter(metric="last_slowest", stages=3.0)["step"]) == [1, 40]
    share = (
        examples.filter(metric="recency_rank")
        .group_by("run", "step")
        .agg(mean=(pl.col("value") == 1).mean())
    )
    joined = cells.filter(metric="last_slowest").join(share, on=["run", "step"])
    assert joined.height == 8
    assert joined["value"].equals(joined["mean"].alias("value"))
    spectra = examples.filter(metric="squared_component")
    assert (spectra.height, set(spectra["position"])) == (5 * 8, {0, 1, 2, 3, 4})
    ordered = cells.filter(metric="dominated/summed").sort("run")["value"]
    assert ordered.to_list() == cells.filter(metric="obeyed/summed").sort("run")["value"].to_list()
    assert ordered.sum() > 0


def test_records_are_the_same_every_time_and_in_any_batch(result, monkeypatch):
    monkeypatch.setattr(experiment, "BATCH", 2)
    reports = []
    again = experiment.run(SMALL, lambda *report: reports.append(report))
    assert (again.specs, reports[-1]) == (result.specs, ("recency", 4, 4))
    assert again.tables.records.equals(result.tables.records)
    ranks = [found.tables.examples.filter(metric="recency_rank") for found in (result, again)]
    assert ranks[0].equals(ranks[1])
    monkeypatch.undo()
    assert experiment.run(SMALL, quiet).tables.examples.equals(result.tables.examples)
