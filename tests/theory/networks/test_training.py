"""Training in stages: against plain NumPy, against a plain loop, and what an order may and may not
change.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import InputError
from theory.networks import models, tasks, training
from theory.networks.models import Network
from theory.networks.training import Recipe
from theory.numerics import float64

NAMES = ("A", "B", "U")
MLP = Network(model="mlp", inputs=5, classes=3, width=4)
SOFTMAX = Network(model="softmax", inputs=5, classes=3)
TRANSFORMER = Network(model="transformer", inputs=3 + 8 + 4, classes=3, width=8)
RECIPE = Recipe(optimizer="sgd", lr=0.1, batch=4, epochs=2)
ROWS = 8


def problem(network):
    draw = tasks.associations if network.model == "transformer" else tasks.clusters
    task = draw(network, 0, stages=3, rows=ROWS, held_out=4, shared=0.5)
    inputs = task.inputs.reshape(3 * ROWS, *task.inputs.shape[2:])
    return inputs, task.answers.ravel(), training.stage_batches(NAMES, ROWS, RECIPE, base=0, seed=1)


def path_of(batches, order=(0, 1, 2), length=3):
    return training.staged_path(batches, order, length=length)


def trained(network, path, recipe=RECIPE):
    """Parameters after a path as one float64 vector."""
    inputs, answers, _ = problem(network)
    with float64():
        start = models.initial(network, 0)
        run = jax.jit(
            lambda path: training.train(models.apply(network), start, *data, path, recipe)
        )
        data = (jnp.asarray(inputs), jnp.asarray(answers))
        return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(run(path))])


def numpy_sgd(network, batches, lr):
    """Softmax regression and the MLP by hand: ∂(−log π)/∂logits = π − onehot(y)."""
    inputs, answers, _ = problem(network)
    with float64():
        start = jax.tree.map(np.array, models.initial(network, 0))
    head, hidden = start["head"], start.get("hidden")
    for rows in batches.reshape(-1, batches.shape[-1]):
        x, y = inputs[rows], answers[rows]
        h = x if hidden is None else np.tanh(x @ hidden["kernel"] + hidden["bias"])
        logits = h @ head["kernel"] + head["bias"]
        error = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        error[np.arange(len(y)), y] -= 1
        error /= len(y)
        if hidden is not None:
            back = (error @ head["kernel"].T) * (1 - h**2)
            hidden["kernel"] -= lr * x.T @ back
            hidden["bias"] -= lr * back.sum(axis=0)
        head["kernel"] -= lr * h.T @ error
        head["bias"] -= lr * error.sum(axis=0)
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(start)])


@pytest.mark.parametrize("network", [SOFTMAX, MLP], ids=["softmax", "mlp"])
def test_training_by_hand(network):
    batches = problem(network)[2]
    assert np.allclose(
        trained(network, path_of(batches)), numpy_sgd(network, batches, 0.1), rtol=1e-9, atol=1e-14
    )
    shorter = path_of(batches, order=(2, 0))  # filled up with batches that train nothing
    assert np.allclose(
        trained(network, shorter), numpy_sgd(network, batches[[2, 0]], 0.1), rtol=1e-9, atol=1e-14
    )


def test_a_stage_begins_with_a_fresh_optimizer():
    """Adam in a plain loop over stages and steps, its state made anew in each stage."""
    recipe = Recipe(optimizer="adam", lr=0.01, batch=4, epochs=2)
    inputs, answers, batches = problem(MLP)
    apply = models.apply(MLP)
    with float64():
        parameters = models.initial(MLP, 0)
        adam = optax.adam(0.01)

        @jax.jit
        def step(parameters, state, rows):
            def loss(parameters):
                picked = jnp.asarray(inputs)[rows], jnp.asarray(answers)[rows]
                return -jnp.mean(models.log_likelihood(apply, parameters, *picked))

            change, state = adam.update(jax.grad(loss)(parameters), state)
            return optax.apply_updates(parameters, change), state

        for stage in batches:
            state = adam.init(parameters)
            for rows in stage:
                parameters, state = step(parameters, state, rows)
        looped = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(parameters)])
    assert np.allclose(trained(MLP, path_of(batches), recipe), looped, rtol=1e-9, atol=1e-14)


def test_orders_as_data_equal_each_order_alone():
    orders = [(0, 1, 2), (2, 1, 0), (1, 2)]
    inputs, answers, batches = problem(MLP)
    with float64():
        start, data = models.initial(MLP, 0), (jnp.asarray(inputs), jnp.asarray(answers))
        run = jax.jit(
            jax.vmap(lambda path: training.train(models.apply(MLP), start, *data, path, RECIPE))
        )
        together = run(training.stacked([path_of(batches, order) for order in orders]))
        flat = [
            np.concatenate([np.ravel(leaf[i]) for leaf in jax.tree.leaves(together)])
            for i in range(3)
        ]
    for vector, order in zip(flat, orders, strict=True):
        assert np.allclose(
            vector, trained(MLP, path_of(batches, order, len(order))), rtol=1e-11, atol=1e-15
        )
    assert not np.allclose(flat[0], flat[1], rtol=1e-3)


def test_no_token_sees_the_next():
    """What the first block gives at a place does not depend on later tokens."""
    block = models.Block(8, 2, rngs=models.nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (4, 8))
    changed = block(x.at[2, 0].add(1.0))
    assert np.allclose(changed[:2], block(x)[:2], atol=1e-6)
    assert not np.allclose(changed[3], block(x)[3], atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), place=st.integers(0, 2), epochs=st.integers(1, 3))
def test_the_rows_of_a_stage_follow_seed_and_name_alone(seed, place, epochs):
    recipe = Recipe(batch=4, epochs=epochs)
    ours = training.stage_batches(NAMES, ROWS, recipe, base=0, seed=seed)
    others = training.stage_batches(NAMES[place:] + NAMES[:place], ROWS, recipe, base=0, seed=seed)
    assert np.array_equal(
        ours % ROWS, np.roll(others % ROWS, place, axis=0)
    )  # relabelled, not reshuffled
    for stage, batches in enumerate(ours):
        for epoch in batches.reshape(epochs, -1):
            assert sorted(epoch) == list(range(stage * ROWS, (stage + 1) * ROWS))
    assert not np.array_equal(
        ours, training.stage_batches(NAMES, ROWS, recipe, base=0, seed=seed + 1)
    )


def test_the_mixture_holds_the_same_rows_and_is_as_long():
    staged = training.stage_batches(NAMES, ROWS, RECIPE, base=0, seed=0)
    mixture = partial(training.mixture_path, rows=ROWS, recipe=RECIPE, base=0, seed=0, length=3)
    mixed, other = (mixture(NAMES, shuffle=p) for p in range(2))
    assert mixed.rows.shape == path_of(staged).rows.shape
    assert np.array_equal(np.sort(mixed.rows.ravel()), np.sort(staged.ravel()))
    assert not np.array_equal(mixed.rows, other.rows)
    assert mixed.begins.tolist() == [True] + [False] * 11
    without = mixture(NAMES[:-1], shuffle=0).rows
    assert np.array_equal(np.sort(without[:8].ravel()), np.sort(staged[:-1].ravel()))
    assert (without[8:] == training.NOTHING).all()


def test_tasks_share_what_they_promise():
    net = Network(model="transformer", inputs=2 + 8 + 40, classes=50, width=8)
    draw = {
        s: tasks.associations(net, 0, stages=2, rows=1000, held_out=10, shared=s)
        for s in (0.0, 1.0)
    }
    for shared, task in draw.items():
        tables = [
            dict(zip(x[:, 2].tolist(), y.tolist(), strict=True))
            for x, y in zip(task.inputs, task.answers, strict=True)
        ]
        agree = np.mean([tables[0][key] == tables[1][key] for key in tables[0]])
        assert agree == 1 if shared else agree < 0.2
        held = {tuple(x) for x in task.test_inputs[0]}
        assert not held & {tuple(x) for x in task.inputs[0]}  # other wordings
        assert all(
            tables[0][x[2]] == y
            for x, y in zip(task.test_inputs[0], task.test_answers[0], strict=True)
        )
    depth = tasks.answers(
        Network(model="softmax", inputs=6, classes=3), 0, rows=5, held_out=2, shared=0.5
    )
    assert np.array_equal(depth.inputs[0], depth.inputs[2])
    assert depth.answers.tolist() == [[s] * 5 for s in range(3)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Recipe(lr=0.0), r"lr: expected a finite number > 0; got 0\.0"),
        (lambda: Recipe(lr=float("nan")), "lr: expected a finite number > 0; got nan"),
        (lambda: Recipe(optimizer="lion"), "optimizer: .*lion"),
        (lambda: Recipe(epochs=0), "batch, epochs: expected at least 1"),
        (
            lambda: training.stage_batches(NAMES, 9, RECIPE, base=0, seed=0),
            "batch: expected a divisor of the 9 rows",
        ),
        (lambda: Network(model="cnn"), "model: .*cnn"),
        (
            lambda: Network(model="transformer", width=9),
            "heads: expected a divisor of width = 9; got 2",
        ),
        (lambda: Network(classes=1), "at least 2 classes"),
        (
            lambda: tasks.clusters(MLP, 0, stages=2, rows=0, held_out=1, shared=0.5),
            "at least 1 row",
        ),
        (
            lambda: tasks.clusters(MLP, 0, stages=2, rows=4, held_out=1, shared=1.5),
            "shared: expected a share",
        ),
        (
            lambda: tasks.associations(TRANSFORMER, 0, stages=3, rows=300, held_out=1, shared=0.5),
            "at most 256 prompts",
        ),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
