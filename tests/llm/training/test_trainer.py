"""The trainer: schedules, optimizers, retained rows, stopping and resuming, bad input; see also
test_invariants.py.
"""

import itertools
import math

import pytest
import torch

from llm.data import chat
from llm.data.chat import Row
from llm.lab.lab import Lab
from llm.models.adapters import Adaptation, attach, trainable
from llm.training import logprobs, trainer
from llm.training.checkpoint import Checkpoints
from llm.training.recipe import OPTIMIZERS, Recipe, batches, updates_of
from llm.training.trainer import Objective
from protocol.errors import InputError
from protocol.objectives import gradient_ascent

SEED = (0, "test")
ASCENT = Objective(gradient_ascent, "mean")


@pytest.fixture
def rows(lab: Lab):
    return chat.encode_all(lab.base.format, lab.rows("safety").train[:8])


def weights(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def gradient(model, rows, aim, *, micro_batch=8) -> torch.Tensor:
    """The gradient of the aim on all rows, by the trainer's own sum over micro-batches; it keeps
    float64.
    """
    reference, _ = logprobs.row_logprobs(model, rows, pad=0)
    model.zero_grad()
    trainer._backward(model, rows, reference, aim, micro_batch=micro_batch)
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def test_the_gradient_against_a_central_difference(lab: Lab, rows) -> None:
    model = lab.model(("inst",)).double()
    exact = gradient(model, rows, ASCENT)
    direction = torch.randn(
        exact.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    direction /= direction.norm()
    # transformers' norms round to float32 whatever the weights' type, so the step is not smaller
    start, h, values = weights(model), 1e-3, []
    for sign in (1, -1):
        torch.nn.utils.vector_to_parameters(start + sign * h * direction, model.parameters())
        values.append(float(logprobs.row_logprobs(model, rows, pad=0)[0].mean()))
    assert (values[0] - values[1]) / (2 * h) == pytest.approx(float(exact @ direction), rel=1e-3)


def test_learning_raises_the_likelihood_and_ascent_lowers_it(lab: Lab, rows) -> None:
    before = logprobs.row_logprobs(lab.model(("inst",)), rows, pad=0)[0].mean()
    learned, unlearned = lab.model(("inst",)), lab.model(("inst",))
    trainer.train(learned, rows, Recipe(lr=1e-3, epochs=5), seed=SEED)
    list(trainer.updates(unlearned, rows, Recipe(lr=1e-3), aim=ASCENT, seed=SEED))
    assert logprobs.row_logprobs(learned, rows, pad=0)[0].mean() > before
    assert logprobs.row_logprobs(unlearned, rows, pad=0)[0].mean() < before


def test_training_is_the_same_to_the_bit_and_depends_on_the_seed(lab: Lab, rows) -> None:
    results = []
    for seed in (SEED, SEED, (1, "test")):
        model = lab.model(("inst",))
        trainer.train(model, rows, Recipe(lr=1e-3, epochs=2, batch=3), seed=seed)
        results.append(weights(model))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_the_gradient_norm_is_that_of_the_step_it_belongs_to(lab: Lab, rows) -> None:
    model = lab.model(("inst",))
    expected = float(gradient(lab.model(("inst",)), rows, ASCENT).norm())
    first = next(trainer.updates(model, rows, Recipe(lr=1e-3), aim=ASCENT, seed=SEED))
    assert first == pytest.approx(expected, rel=1e-4)


def test_every_row_is_seen_once_an_epoch() -> None:
    training = Recipe(lr=1.0, epochs=2, batch=4)
    plan = batches(10, training, seed=SEED)
    assert len(plan) == updates_of(10, training) == 6
    for epoch in (plan[:3], plan[3:]):
        assert sorted(torch.cat(epoch).tolist()) == list(range(10))


def scored(monkeypatch) -> list[list[Row]]:
    """The rows of every batch the trainer scores from now on."""
    seen, score = [], trainer._backward

    def keep(model, rows, *rest, **named):
        seen.append(list(rows))
        return score(model, rows, *rest, **named)

    monkeypatch.setattr(trainer, "_backward", keep)
    return seen


def test_beside_every_batch_as_many_retained_rows_each_as_often_as_the_others(
    lab: Lab, rows, monkeypatch
) -> None:
    """8 rows by 3, 3 and 2 beside 4 retained ones: all four once before one comes again."""
    seen, kept = scored(monkeypatch), [Row(row.answer, row.prompt) for row in rows[:4]]
    training, model = Recipe(lr=1e-3, batch=3), lab.model(("inst",))
    list(trainer.updates(model, rows, training, aim=ASCENT, retained=(kept, 1.0), seed=SEED))
    assert [len(batch) for batch in seen] == [3, 3, 3, 3, 2, 2]
    assert sorted(itertools.chain(*seen[::2])) == sorted(rows)
    drawn = [row for batch in seen[1::2] for row in batch]
    assert sorted(drawn[:4]) == sorted(drawn[4:]) == sorted(kept)


def test_retained_rows_do_not_run_out_over_epochs(lab: Lab, rows, monkeypatch) -> None:
    seen = scored(monkeypatch)
    training, model = Recipe(lr=1e-3, epochs=3, batch=4), lab.model(("inst",))
    list(
        trainer.updates(model, rows[:5], training, aim=ASCENT, retained=(rows[5:], 1.0), seed=SEED)
    )
    assert (
        [len(batch) for batch in seen[1::2]]
        == [len(batch) for batch in seen[::2]]
        == [4, 1, 4, 1, 4, 1]
    )


def test_no_weight_on_retained_rows_is_none_at_all(lab: Lab, rows) -> None:
    """To the bit: ∇L + 0·∇L_retain = ∇L; with weight 1 it is another training."""
    results = []
    for retained in (([], 0.0), (rows[4:], 0.0), (rows[4:], 1.0)):
        model = lab.model(("inst",))
        training = Recipe(lr=1e-3, batch=2)
        list(trainer.updates(model, rows[:4], training, aim=ASCENT, retained=retained, seed=SEED))
        results.append(weights(model))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_stopped_is_the_beginning_of_the_whole(lab: Lab, rows, optimizer) -> None:
    """3 of 8 updates leave, to the bit, the weights that all 8 have after 3: the schedule is the
    whole's.
    """
    training = Recipe(lr=1e-2, epochs=4, batch=4, optimizer=optimizer)
    stopped, whole = lab.model(("inst",)), lab.model(("inst",))
    assert len(list(trainer.updates(stopped, rows, training, stop=3, seed=SEED))) == 3
    for _ in itertools.islice(trainer.updates(whole, rows, training, seed=SEED), 3):
        pass
    assert torch.equal(weights(stopped), weights(whole))


@pytest.mark.parametrize("stop", [0, -1, 9])
def test_a_stop_that_is_not_in_the_stage_is_named(lab: Lab, rows, stop) -> None:
    training, model = Recipe(lr=1e-3, epochs=4, batch=4), lab.model(("inst",))
    message = rf"stage: expected to stop after 1 to 8 updates, as many as it has; got {stop}$"
    with pytest.raises(InputError, match=message):
        trainer.train(model, rows, training, stop=stop, seed=SEED)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"schedule": "linear"}, "schedule: expected one of wsd, cosine, constant; got 'linear'"),
        ({"optimizer": "adam"}, "optimizer: expected one of adamw, sgd, normalized; got 'adam'"),
        ({"lr": 0.0}, "lr: expected a number > 0; got 0.0"),
        ({"lr": math.inf}, "lr: expected a number > 0; got inf"),
        ({"epochs": 0}, "epochs: expected at least 1; got 0"),
        ({"micro_batch": 0}, "micro-batch: expected at least 1; got 0"),
    ],
)
def test_a_training_that_cannot_be_is_named(wrong, message) -> None:
    with pytest.raises(InputError, match=message):
        Recipe(**{"lr": 1e-3, **wrong})


def test_nothing_to_learn_is_named(lab: Lab, rows) -> None:
    model = lab.model(("inst",))
    with pytest.raises(InputError, match="rows: expected at least one training row; got none"):
        trainer.train(model, [], Recipe(lr=1e-3), seed=SEED)
    with pytest.raises(
        FloatingPointError, match=r"update 1 of 1: the loss is nan on the rows \[.*\]; lower lr"
    ):
        aim = Objective(lambda p, r, n: p * float("nan"))
        list(trainer.updates(model, rows, Recipe(lr=1e-3), aim=aim, seed=SEED))
    model.requires_grad_(False)
    with pytest.raises(InputError, match="model: expected trainable parameters; all are frozen"):
        trainer.train(model, rows, Recipe(lr=1e-3), seed=SEED)
    model.requires_grad_(True)
    with pytest.raises(InputError, match="rows: expected an answer in every row; 1 of 2 have none"):
        trainer.train(model, [rows[0], Row((5,), ())], Recipe(lr=1e-3), seed=SEED)
    with pytest.raises(
        InputError,
        match="rows: expected at most 512 tokens, the model's context; got 601; cut them",
    ):
        trainer.train(model, [Row((5,), (6,) * 600)], Recipe(lr=1e-3), seed=SEED)


def test_a_gradient_that_is_not_finite_is_named(lab: Lab, rows) -> None:
    """The loss is finite, its gradient is not: 0 · ∞ at one weight."""
    model = lab.model(("inst",))
    weight = model.lm_head.weight
    weight.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(
        FloatingPointError,
        match=r"update 1 of \d+: the norm of the gradient is (nan|inf) on the rows",
    ):
        next(trainer.updates(model, rows, Recipe(lr=1e-3), seed=SEED))


def test_an_update_that_changes_nothing_ends_the_training(lab: Lab, rows) -> None:
    with pytest.raises(
        InputError,
        match=r"expected the first update to change a weight; its gradient of norm .* none",
    ):
        trainer.train(lab.model(("inst",)), rows, Recipe(lr=1e-30), seed=SEED)


@pytest.mark.parametrize(
    ("how", "optimizer"),
    [
        (Adaptation(), "adamw"),
        (Adaptation(), "sgd"),
        (Adaptation(), "normalized"),
        (Adaptation("lora", rank=4, dropout=0.2), "adamw"),
        (Adaptation("lora", rank=4, dropout=0.2), "sgd"),
        (Adaptation("qlora", rank=4), "adamw"),
    ],
)
def test_resumed_in_the_middle_equals_unbroken_to_the_bit(
    lab: Lab, rows, tmp_path, how, optimizer
) -> None:
    training = Recipe(lr=1e-2, epochs=3, batch=3, optimizer=optimizer)

    def fresh():
        model = lab.model(("inst",))
        attach(model, how, seed=(1,))
        return model.train()

    def learn(model, checkpoints=None):
        torch.manual_seed(7)  # dropout's
        return trainer.updates(model, rows, training, seed=SEED, checkpoints=checkpoints)

    unbroken, broken, resumed, place = fresh(), fresh(), fresh(), Checkpoints(tmp_path, every=2)
    assert len(list(learn(unbroken))) == 9
    for _ in itertools.islice(
        learn(broken, place), 5
    ):  # killed after update 5, one after the checkpoint
        pass
    assert len(list(learn(resumed, place))) == 5
    for whole, pieces in zip(trainable(unbroken), trainable(resumed), strict=True):
        assert torch.equal(whole, pieces)
