"""Experiment "networks": records against the ensemble's results, by explicit loops; its claims."""

import itertools
from dataclasses import replace

import jax
import numpy as np
import polars as pl
import pytest

from protocol import records
from protocol.claims import judge
from protocol.claims.controls import mixture
from protocol.errors import InputError
from protocol.growth import Reading
from protocol.progress import quiet
from protocol.spec import canonical, digest
from theory.experiments import networks
from theory.networks import ensemble
from theory.networks.models import Network
from theory.networks.training import Recipe

WORLD = networks.Setup(
    Network("mlp", inputs=5, classes=3, width=4),
    Recipe("adam", 0.02, 4, 4),
    lr=0.1,
    rows=8,
    held_out=6,
)
READING = Reading(window=4, every=2, starts=(0, 2))
SETTINGS = networks.Settings(
    models=("mlp",),
    seeds=3,
    steps=4,
    ahead=8,
    reading=READING,
    methods=("GA", "NPO"),
    mlp=WORLD,
    bases=2,
)


@pytest.fixture(scope="module")
def result():
    return networks.run(SETTINGS, quiet)


@pytest.fixture(scope="module")
def computed():
    plan, given, paths = networks.prepared(networks.experiment(SETTINGS, WORLD), SETTINGS.ahead)
    trained, found = ensemble.run(plan, given, paths)
    return jax.tree.map(lambda leaf: np.asarray(leaf, float), (trained.logits, found))


def values(result, **chosen):
    return (
        result.tables.records.filter(**chosen)
        .sort("seed", "position", "order", "step")["value"]
        .to_numpy()
    )


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


def distance(a, b):
    return np.mean(np.sum((softmax(a) - softmax(b)) ** 2, axis=-1))


@pytest.mark.parametrize(
    "metric", ["label_loglik", "re_distance/forget", "grad_norm", "retain_accuracy"]
)
def test_positions_stop_at_the_last_step(result, computed, metric):
    _, found = computed
    told = values(result, experiment="positions", method="NPO", metric=metric).reshape(3, 4, 5)
    np.testing.assert_allclose(told, found[metric][:, 1, :, :5], rtol=1e-6)


def test_floor_and_accuracy_of_the_retrained_models(result, computed):
    logits, _ = computed
    retrained = logits["forget"][:, -1]
    expected = [distance(retrained[a], retrained[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    told = values(result, method="floor", metric="re_distance/forget")
    np.testing.assert_allclose(told, expected, rtol=1e-5)
    given = networks.prepared(networks.experiment(SETTINGS, WORLD), 1)[1]
    right = logits["test"][:, -1].argmax(axis=-1) == np.asarray(given.prompts.test_answers)
    np.testing.assert_allclose(
        values(result, method="retrained", metric="retain_accuracy"), right.mean(axis=-1)
    )


def test_distances_between_paths(result, computed):
    _, found = computed
    z = found["outputs/test"][1, 0]  # seed 1, GA: (paths, points, prompts, classes)
    expected = [
        np.mean([distance(z[a, t], z[b, t]) for a, b in itertools.combinations(range(4), 2)])
        for t in range(5)
    ]
    told = values(
        result,
        experiment="mixture",
        order="staged",
        seed=1,
        method="GA",
        metric="path_distance/test",
    )
    np.testing.assert_allclose(told, expected, rtol=1e-6)
    spread = values(
        result, experiment="mixture", order="staged", seed=1, method="GA", metric="label_variance"
    )
    np.testing.assert_allclose(
        spread, found["label_loglik"][1, 0, :, :5].var(axis=0, ddof=1), rtol=1e-5
    )
    mixed = values(
        result,
        experiment="mixture",
        order="mixture",
        seed=1,
        method="GA",
        metric="path_distance/test",
    )
    assert 0 < mixed[0] < told[0]


def test_rates_go_ahead_on_centred_logits(result, computed):
    _, found = computed
    z = found["outputs/test"][2, 1]  # seed 2, NPO
    pair = result.tables.records.filter(
        experiment="rates", seed=2, method="NPO", position=1, metric="log_divergence"
    )
    orders = ["|".join(map(records.order_name, (networks.ORDERS[0], networks.ORDERS[3])))]
    told = pair.filter(pl.col("order").is_in(orders)).sort("step")
    assert told["step"].to_list() == [0, 2, 4, 6, 8]
    expected = np.log(np.mean(np.sum((z[0] - z[3]) ** 2, axis=-1), axis=-1))[::2]
    np.testing.assert_allclose(told["value"].to_numpy(), expected, rtol=1e-9)


def test_rates_in_parameters(result, computed):
    """ρ_t = ⟨Δ_t, Δ_{t+1} − Δ_t⟩/‖Δ_t‖² at every second step, and log (1 + ρ_0)² at step 0."""
    _, found = computed
    theta = found["parameters"][1, 0]  # seed 1, GA: (paths, points, parameters)
    delta = theta[1] - theta[3]
    expected = [delta[t] @ (delta[t + 1] - delta[t]) / (delta[t] @ delta[t]) for t in range(8)]
    names = "|".join(map(records.order_name, (networks.ORDERS[1], networks.ORDERS[3])))
    pair = {"experiment": "rates", "seed": 1, "method": "GA", "order": names}
    np.testing.assert_allclose(
        values(result, metric="secant_rate", **pair), expected[::2], rtol=1e-9
    )
    promised = values(result, metric="growth/secant", **pair)
    np.testing.assert_allclose(promised, [2 * np.log(1 + expected[0])], rtol=1e-9)
    start = delta[0] @ delta[0]
    assert (
        delta[1] @ delta[1] > start * (1 + 2 * expected[0]) > start
    )  # ascent parts them, by more than the rate


def test_another_base_is_the_same_experiment_on_it(result):
    other = networks.run(replace(SETTINGS, base=1, bases=1), quiet)
    assert not any(name.startswith("bases") for name in other.tables.records["experiment"].unique())
    for experiment, expected in (("bases/0", result), ("bases/1", other)):
        told = values(result, experiment=experiment, metric="label_loglik", method="GA")
        assert told.size == 3 * 4 * 5
        assert np.array_equal(
            told, values(expected, experiment="positions", metric="label_loglik", method="GA")
        )


def test_records_follow_the_contract(result):
    table = result.tables.records
    assert set(table["experiment"]) == {"positions", "mixture", "rates", "bases/0", "bases/1"}
    assert set(table["world"]) == {"network"}
    assert table.select(pl.exclude("value")).is_duplicated().sum() == 0
    assert set(table["spec"]) == set(result.specs)
    assert digest(networks.experiment(SETTINGS, WORLD)) in result.specs
    assert canonical(READING) in "".join(result.specs.values()).replace("\\", "")
    assert networks.run(SETTINGS, quiet).tables.records.equals(table)


def test_every_claim_on_paths_speaks_of_networks(result):
    found = {(claim.id, claim.method) for claim in judge(result.tables) if claim.world == "network"}
    for name in ("L1", "L1b", "L2", "L3", "E1", "K1", "G2", "D1"):
        assert {(name, "GA"), (name, "NPO")} <= found
    assert ("G1", "GA + NPO") in found


def control(ratios, seeds=6):
    """Records of experiment "mixture": staged distance 1, mixed as given by step."""
    found = []
    for seed, order in itertools.product(range(seeds), ("staged", "mixture")):
        run = records.Run(
            f"{order} {seed}", "s", "mixture", "network", "mlp", order, 0, "r", "GA", seed
        )
        curve = [1.0] * 3 if order == "staged" else [r * (1 + 0.001 * seed) for r in ratios]
        told = [
            (t, f"path_distance/{part}", v)
            for part in ("test", "forget")
            for t, v in enumerate(curve)
        ]
        found.append(records.tables(run, told))
    return records.Tables.concat(found)


@pytest.mark.parametrize(
    ("ratios", "seeds", "verdict"),
    [
        ((0.5, 0.09, 0.099), 6, "holds"),  # step 0 is told, not judged
        ((0.01, 0.09, 0.11), 6, "fails"),
        ((0.01, 0.05, 0.0998), 6, "inconclusive"),  # the threshold lies among the seeds
        ((0.01, 0.05, 0.05), 4, "inconclusive"),  # too few seeds for an interval
    ],
)
def test_the_control_from_both_sides(ratios, seeds, verdict):
    (claim,) = mixture.judge(control(ratios, seeds))
    assert (claim.id, claim.verdict) == ("K1", verdict)
    assert mixture.judge(records.Tables.concat([])) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": 1}, "seeds: expected at least 2, or there is no noise floor; got 1"),
        ({"ahead": 19}, "ahead: expected at least steps = 20 and more than 40"),
        ({"ahead": 40}, "ahead: expected at least steps = 20 and more than 40"),
        ({"models": ()}, "models: expected mlp, transformer or both; got none"),
        ({"models": ("mpl",)}, "models: expected one of mlp, transformer"),
    ],
)
def test_bad_settings_are_told(change, message):
    with pytest.raises(InputError, match=message):
        networks.Settings(**change)
