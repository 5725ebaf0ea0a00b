"""Depth of forgetting: softmax regression with shared features against NumPy, its limits, the
scores and claim L4.
"""

import numpy as np
import pytest

from protocol import metrics, records
from protocol.claims.paper import depth as claims
from protocol.errors import InputError
from protocol.progress import quiet
from theory.experiments import depth
from theory.networks import models, tasks, training
from theory.networks.models import Network
from theory.networks.training import Recipe
from theory.numerics import float64

SETTINGS = depth.Settings(
    seeds=2, steps=4, methods=("GA",), alike=0.6, inputs=5, rows=8, recipe=Recipe("sgd", 0.3, 4, 2)
)
C, R, U = range(3)


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def features(alike):
    """F with unit rows; C and U have correlation alike, R is orthogonal to both."""
    return np.array([[1, 0, 0], [0, 1, 0], [alike, 0, np.sqrt(1 - alike**2)]])


def step(F, W, b, x, y, size):
    """One gradient step down the mean of −log π(y|x), size < 0: up; z = F(Wx + b)."""
    error = (np.eye(3)[y] - softmax((x @ W + b) @ F.T)) @ F / len(y)
    return W + size * x.T @ error, b + size * error.sum(axis=0)


def by_hand(settings, order, seed):
    """Mean log π (answers, points) of one order."""
    network = Network("softmax", inputs=settings.inputs, classes=3, alike=settings.alike)
    task = tasks.answers(
        network, settings.base, rows=settings.rows, held_out=1, shared=settings.shared
    )
    with float64():
        head = models.initial(network, settings.base)["head"]
    F, W, b = features(settings.alike), np.array(head["kernel"]), np.array(head["bias"])
    rows, x = settings.rows, task.inputs[0]
    batches = training.stage_batches(
        depth.ANSWERS, rows, settings.recipe, base=settings.base, seed=seed
    )
    for answer in order:
        stage = depth.ANSWERS.index(answer)
        for chosen in batches[stage] - stage * rows:
            W, b = step(F, W, b, x[chosen], np.full(len(chosen), stage), settings.recipe.lr)
    points = []
    for _ in range(settings.steps + 1):
        points.append(np.log(softmax((x @ W + b) @ F.T)).mean(axis=0))
        W, b = step(F, W, b, x, np.full(rows, U), -settings.lr)
    return np.array(points).T


@pytest.mark.parametrize("number", [0, 3, 5])
def test_log_likelihoods_are_those_of_the_textbook(number):
    found = depth.log_likelihoods(SETTINGS)
    assert found.shape == (3, 2, 1, 6, 5)
    expected = by_hand(SETTINGS, depth.ORDERS[number], 1)
    np.testing.assert_allclose(found[:, 1, 0, number], expected, rtol=1e-10)


@pytest.mark.parametrize("alike", [-0.5, 0.0, 0.5, 0.9])
def test_depth_tends_to_half_of_one_plus_alike_where_the_unlike_answer_holds_the_mass(alike):
    long = depth.Settings(
        seeds=1, steps=30, methods=("GA",), alike=alike, recipe=Recipe("sgd", 1.0, 8, 200)
    )
    found = depth.log_likelihoods(long)[:, 0, 0]
    last = depth.ORDERS.index(("U", "C", "R"))
    assert found[R, last, 0] > -0.01
    score = metrics.depth_score(found[C, last], found[U, last])
    assert score == pytest.approx((1 + alike) / 2, abs=0.01)
    other = depth.ORDERS.index(("U", "R", "C"))  # C holds the mass, and gains what U loses
    assert metrics.depth_score(found[C, other], found[U, other]) <= 0


def test_answers_with_equal_features_cannot_be_told_apart():
    found = depth.log_likelihoods(depth.Settings(seeds=1, steps=5, methods=("NPO",), alike=1.0))
    np.testing.assert_allclose(found[C], found[U], rtol=1e-12)


def test_scores_by_hand_and_the_threshold_from_both_sides():
    c = np.array([[-1.0, -4.0], [-1.0, -3.9]])
    u, r = np.array([[-1.0, -5.0]] * 2), np.array([[-2.0, -4.5]] * 2)
    assert metrics.depth_score(c, u).tolist() == pytest.approx([0.75, 0.725])
    assert metrics.is_deep(metrics.depth_score(c, u)).tolist() == [True, False]
    assert metrics.ends_below(c - [0, 0.55], u, r).tolist() == [True, False]
    assert np.isnan(metrics.depth_score(c, u[:, ::-1])).all()  # U rose
    assert not metrics.is_deep(np.array(np.nan))


def tables(scores, start=0.0, method="GA"):
    """Records of seeds × orders with these depth scores: U falls by 2."""
    found = []
    for seed, row in enumerate(scores):
        for order, score in zip(("C>R>U", "U>C>R", "U>R>C"), row, strict=True):
            fall = {"C": 2 * score, "U": 2.0, "R": 0.0}
            values = [
                (t, f"answer_loglik/{a}", -1 - t * by - start * (a == "R"))
                for a, by in fall.items()
                for t in (0, 1)
            ]
            run = records.Run(
                f"{order} {seed}", "s", "depth", "network", "softmax", order, 1, "r", method, seed
            )
            found.append(records.tables(run, values))
    return records.Tables.concat(found)


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([[0.1, 0.9, 0.5], [0.11, 0.91, 0.49], [0.1, 0.9, 0.5]], "holds"),
        ([[0.1, 0.7, 0.5], [0.11, 0.71, 0.49], [0.1, 0.7, 0.5]], "fails"),  # all superficial
        (
            [[0.1, 0.5, 0.5], [0.1, 0.9, 0.5], [0.1, 0.8, 0.5]],
            "inconclusive",
        ),  # one undecided, none deep
        ([[0.1, 0.9, 0.5]], "not testable"),
    ],
)
def test_verdicts(scores, verdict):
    (claim,) = claims.judge(tables(scores))
    assert (claim.id, claim.verdict) == ("L4", verdict)
    assert ("needs at least 2 seeds" in claim.detail) == (len(scores) == 1)


def test_one_seed_has_classes_by_its_scores_alone():
    (claim,) = claims.judge(tables([[0.74, 0.75, 0.9]]))
    assert (
        "one run: C>R>U 0.74 (superficial), U>C>R 0.75 (deep), U>R>C 0.90 (deep); 3 of 3 classes as"
        in claim.detail
    )


def test_unequal_starts_are_told():
    scores = [[0.1, 0.9, 0.5], [0.11, 0.91, 0.49]]
    assert "within 5 nats, not in" not in claims.judge(tables(scores, start=4.9))[0].detail
    assert (
        "within 5 nats, not in C>R>U, U>C>R, U>R>C"
        in claims.judge(tables(scores, start=5.1))[0].detail
    )
    assert claims.judge(records.Tables.concat([])) == []


def test_records_follow_the_contract_and_are_the_same_every_time():
    result = depth.run(SETTINGS, quiet)
    table = result.tables.records
    assert table.height == 3 * 6 * 2 * 5
    assert table["value"].is_finite().all()
    assert set(table.filter(position=1)["order"]) == {"U>C>R", "U>R>C"}
    assert set(table.filter(order="C>U>R")["reference"]) == {"C>R"}
    assert depth.run(SETTINGS, quiet).tables.records.equals(table)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: depth.Settings(seeds=0),
            "seeds, steps: expected at least 1 of each; got 0 and 20",
        ),
        (
            lambda: Network("softmax", alike=1.5),
            "alike: expected a correlation from -1 to 1; got 1.5",
        ),
        (
            lambda: depth.log_likelihoods(depth.Settings(rows=30)),
            "batch: expected a divisor of the 30 rows",
        ),
        (lambda: depth.log_likelihoods(depth.Settings(methods=("G",))), "methods: expected one of"),
    ],
)
def test_bad_settings_are_told(make, message):
    with pytest.raises(InputError, match=message):
        make()
