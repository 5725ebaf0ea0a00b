"""The ensemble in one program: what it measures, step by step by hand; together or alone; on one
device or four.
"""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from protocol import orders
from protocol.spec import METHODS
from theory.networks import ensemble, models, tasks
from theory.networks.ensemble import Plan
from theory.networks.models import Network
from theory.networks.training import Recipe
from theory.numerics import float64

KEPT, FORGET = ("A", "B"), "U"
NAMES = (*KEPT, FORGET)
ORDERS = orders.positions(KEPT, FORGET)
NETWORK = Network(model="mlp", inputs=5, classes=3, width=4)
RECIPE = Recipe(optimizer="sgd", lr=0.2, batch=4, epochs=3)
PLAN = Plan(
    NETWORK, RECIPE, tuple(METHODS[name] for name in ("GA", "NPO", "SimNPO")), steps=4, lr=0.1
)
TASK = tasks.clusters(NETWORK, 0, stages=3, rows=8, held_out=6, shared=0.5)


def computed(plan=PLAN, seeds=(0, 1), chosen=ORDERS, task=TASK):
    with float64():
        paths = ensemble.staged_paths(NAMES, chosen, KEPT, 8, plan.recipe, base=0, seeds=seeds)
        return jax.tree.map(
            np.asarray, ensemble.run(plan, ensemble.data(plan.network, task, 0), paths)
        )


@pytest.fixture(scope="module")
def measured():
    return computed()


def softmax(logits):
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def forward(model, x):
    hidden = np.tanh(x @ model["hidden"]["kernel"] + model["hidden"]["bias"])
    return hidden, hidden @ model["head"]["kernel"] + model["head"]["bias"]


def gradient(model, x, y, weight):
    """∇ of (1/k)Σ w_i log π(y_i|x_i) by hand, w_i constant: ∂log π/∂logits = onehot(y) − π."""
    hidden, logits = forward(model, x)
    error = (np.eye(logits.shape[1])[y] - softmax(logits)) * weight[:, None] / len(y)
    back = (error @ model["head"]["kernel"].T) * (1 - hidden**2)
    return {
        "head": {"bias": error.sum(axis=0), "kernel": hidden.T @ error},
        "hidden": {"bias": back.sum(axis=0), "kernel": x.T @ back},
    }


def by_hand(start, retrained, weigh):
    """Metrics at steps 0..T with SGD on losses whose gradient is mean_i weigh(log π_i, log
    π_ref,i)∇log π_i.
    """
    model, x, y = start, TASK.inputs[-1], TASK.answers[-1]
    prompts = {"test": TASK.test_inputs[:-1].reshape(-1, 5), "forget": TASK.test_inputs[-1]}
    answers, rows = TASK.test_answers[:-1].ravel(), []

    def loglik(model, x, y):
        return np.log(softmax(forward(model, x)[1])[np.arange(len(y)), y])

    before = loglik(model, x, y)
    for _ in range(PLAN.steps + 1):
        change = gradient(model, x, y, weigh(loglik(model, x, y), before))
        row = {
            "label_loglik": loglik(model, x, y).mean(),
            "retain_loglik": loglik(model, prompts["test"], answers).mean(),
        }
        row["retain_accuracy"] = np.mean(
            forward(model, prompts["test"])[1].argmax(axis=1) == answers
        )
        row["grad_norm"] = np.sqrt(sum(np.sum(leaf**2) for leaf in jax.tree.leaves(change)))
        for part, ask in prompts.items():
            ours, theirs = forward(model, ask)[1], forward(retrained, ask)[1]
            row[f"re_distance/{part}"] = np.mean(
                np.sum((softmax(ours) - softmax(theirs)) ** 2, axis=1)
            )
            apart = (ours - theirs) - (ours - theirs).mean(axis=1, keepdims=True)
            row[f"logit_distance/{part}"] = np.mean(np.sum(apart**2, axis=1))
        for part, ask in {"label": x, **prompts}.items():
            told = forward(model, ask)[1]
            row[f"outputs/{part}"] = told - told.mean(axis=1, keepdims=True)
        rows.append(row)
        model = jax.tree.map(lambda leaf, change: leaf - PLAN.lr * change, model, change)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("number", "weigh"),
    [
        (0, lambda logp, ref: np.ones_like(logp)),
        (1, lambda logp, ref: 2 * sigmoid(0.5 * (logp - ref))),
        (2, lambda logp, ref: 2 * sigmoid(0.2 * logp)),
    ],
    ids=["GA", "NPO", "SimNPO"],
)
def test_every_metric_by_hand(measured, number, weigh):
    trained, found = measured
    for seed in range(2):
        for path in range(3):
            start, retrained = (
                jax.tree.map(lambda leaf, at=(seed, i): leaf[at], trained.models)
                for i in (path, -1)
            )
            expected = by_hand(start, retrained, weigh)
            assert set(expected) == set(found)
            for name, values in expected.items():
                assert np.allclose(
                    found[name][seed, number, path], values, rtol=1e-9, atol=1e-13
                ), name


def test_one_seed_and_one_path_alone_are_the_same(measured):
    trained, found = measured
    alone, few = computed(seeds=(1,), chosen=ORDERS[1:2])
    # a single path is as long as the others, so only the number of models differs
    assert all(
        np.allclose(few[name][0, :, 0], found[name][1, :, 1], rtol=1e-10, atol=1e-14)
        for name in found
    )
    assert np.allclose(alone.logits["test"][0, -1], trained.logits["test"][1, -1], rtol=1e-10)


def test_the_last_leaf_begins_as_the_retrained_model(measured):
    """U last, trained for no step of its own, is the retrained model: its path begins with the
    retrained one's.
    """
    paths = ensemble.staged_paths(NAMES, ORDERS, KEPT, 8, RECIPE, base=0, seeds=(0,))
    last, retrained = paths.rows[0, 2], paths.rows[0, 3]
    kept = len(KEPT) * 6
    assert np.array_equal(last[:kept], retrained[:kept]) and (retrained[kept:] == -1).all()
    assert (last[kept:] >= 16).all()


def test_renaming_classes_changes_no_probability():
    """A relabelled answer with the head's columns relabelled alike: the same models, so the same
    metrics.
    """
    swap = np.array([2, 0, 1])
    task = TASK._replace(answers=swap[TASK.answers], test_answers=swap[TASK.test_answers])
    with float64():
        given = ensemble.data(NETWORK, task, 0)
        head = {"bias": given.start["head"]["bias"], "kernel": jnp.asarray(np.argsort(swap))}
        head["kernel"] = given.start["head"]["kernel"][:, np.argsort(swap)]
        given = given._replace(start=given.start | {"head": head})
        paths = ensemble.staged_paths(NAMES, ORDERS, KEPT, 8, RECIPE, base=0, seeds=(0,))
        found = ensemble.run(PLAN, given, paths)[1]
    plain = computed(seeds=(0,))[1]
    for name, values in plain.items():
        expected = values[..., np.argsort(swap)] if name.startswith("outputs/") else values
        assert np.allclose(found[name], expected, rtol=1e-9, atol=1e-13), name


@pytest.mark.parametrize("model", ["softmax", "transformer"])
def test_the_other_models_run_and_start_alike(model):
    network = Network(model=model, inputs=15 if model == "transformer" else 5, classes=3, width=4)
    draw = tasks.associations if model == "transformer" else tasks.clusters
    task = draw(network, 0, stages=3, rows=8, held_out=6, shared=0.5)
    _, found = computed(Plan(network, RECIPE, PLAN.methods[:2], steps=1), task=task, seeds=(0,))
    assert all(np.isfinite(values).all() for values in found.values())
    assert np.allclose(
        found["grad_norm"][:, 0, :, 0], found["grad_norm"][:, 1, :, 0]
    )  # NPO starts as GA
    assert models.apply(network) is models.apply(Network(**vars(network)))  # compiled once


SHARDED = """
import json, sys, jax, numpy as np
sys.path.insert(0, {folder!r})
from test_ensemble import NAMES, ORDERS, KEPT, PLAN, RECIPE, NETWORK, TASK, ensemble
paths = ensemble.staged_paths(NAMES, ORDERS, KEPT, 8, RECIPE, base=0, seeds=range({seeds}))
trained, found = ensemble.run(PLAN, ensemble.data(NETWORK, TASK, 0), paths)
leaf = trained.models["head"]["kernel"]
seeds = [shard.data.shape[0] for shard in leaf.addressable_shards]
distances = np.asarray(found["re_distance/test"]).tolist()
print(json.dumps([len(jax.devices()), len(leaf.sharding.device_set), seeds, distances]))
"""


@pytest.mark.parametrize("seeds", [8, 3])
def test_four_devices_share_the_seeds(seeds):
    code = SHARDED.format(folder=__file__.rpartition("/")[0], seeds=seeds)
    four = {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "PATH": "",
        "PYTHONPATH": ":".join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=four,
        check=True,
        capture_output=True,
        text=True,
        timeout=200,
    )
    count, used, shards, values = json.loads(done.stdout)
    assert count == 4
    if seeds == 8:
        assert used == 4 and shards == [2, 2, 2, 2]
    paths = ensemble.staged_paths(NAMES, ORDERS, KEPT, 8, RECIPE, base=0, seeds=range(seeds))
    one = ensemble.run(PLAN, ensemble.data(NETWORK, TASK, 0), paths)[1]["re_distance/test"]
    assert np.allclose(values, one, rtol=1e-4, atol=1e-7)  # float32
