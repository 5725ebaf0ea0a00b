"""Invariants of training: accumulation, schedules, objectives through a model, bad input."""

import itertools

import pytest
import torch

from llm import chat, scoring, trainer
from llm.checkpoint import Checkpoints
from llm.models.adapters import Adaptation, attach, trainable
from llm.nodes import format_of, node
from llm.stages import Lab, stage_rows
from llm.trainer import Training
from protocol.errors import InputError
from protocol.objectives import gradient_ascent, npo

SEED = (0, "test")


@pytest.fixture
def rows(lab: Lab):
    return chat.encode_all(format_of(lab), stage_rows(lab, "safety").train[:8])


def weights(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def gradient(model, rows, loss, *, reduction="mean", micro_batch=8) -> torch.Tensor:
    reference, _ = scoring.row_logprobs(model, rows, pad=0)
    model.zero_grad()
    trainer._backward(model, rows, reference, loss, reduction=reduction, micro_batch=micro_batch)
    return torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.mark.parametrize("reduction", ["mean", "tokens"])
def test_eight_rows_at_once_or_one_by_one_give_one_gradient(lab: Lab, rows, reduction) -> None:
    model = node(lab, ("inst",)).double()
    whole = gradient(model, rows, gradient_ascent, reduction=reduction, micro_batch=8)
    for size in (1, 3):
        part = gradient(model, rows, gradient_ascent, reduction=reduction, micro_batch=size)
        torch.testing.assert_close(part, whole, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("beta", [0.1, 0.5, 2.0])
def test_ga_and_npo_have_equal_gradients_at_step_0_under_mean(lab: Lab, rows, beta) -> None:
    model = node(lab, ("inst",)).double()
    ascent = gradient(model, rows, gradient_ascent)
    preference = gradient(model, rows, lambda p, r, n: npo(p, r, n, beta=beta))
    torch.testing.assert_close(preference, ascent, rtol=1e-8, atol=1e-12)
    assert float(ascent.norm()) > 1e-3


def test_the_gradient_against_a_central_difference(lab: Lab, rows) -> None:
    model = node(lab, ("inst",)).double()
    exact = gradient(model, rows, gradient_ascent)
    direction = torch.randn(exact.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    direction /= direction.norm()
    # transformers' norms round to float32 whatever the weights' type, so the step is not smaller
    start, h, values = weights(model), 1e-3, []
    for sign in (1, -1):
        torch.nn.utils.vector_to_parameters(start + sign * h * direction, model.parameters())
        values.append(float(scoring.row_logprobs(model, rows, pad=0)[0].mean()))
    assert (values[0] - values[1]) / (2 * h) == pytest.approx(float(exact @ direction), rel=1e-3)


def test_learning_raises_the_likelihood_and_ascent_lowers_it(lab: Lab, rows) -> None:
    before = scoring.row_logprobs(node(lab, ("inst",)), rows, pad=0)[0].mean()
    learned, unlearned = node(lab, ("inst",)), node(lab, ("inst",))
    trainer.train(learned, rows, Training(lr=1e-3, epochs=5), seed=SEED)
    list(trainer.updates(unlearned, rows, Training(lr=1e-3), loss=gradient_ascent, reduction="mean", seed=SEED))
    assert scoring.row_logprobs(learned, rows, pad=0)[0].mean() > before
    assert scoring.row_logprobs(unlearned, rows, pad=0)[0].mean() < before


def test_training_is_the_same_to_the_bit_and_depends_on_the_seed(lab: Lab, rows) -> None:
    results = []
    for seed in (SEED, SEED, (1, "test")):
        model = node(lab, ("inst",))
        trainer.train(model, rows, Training(lr=1e-3, epochs=2, batch=3), seed=seed)
        results.append(weights(model))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_the_gradient_norm_is_that_of_the_step_it_belongs_to(lab: Lab, rows) -> None:
    model = node(lab, ("inst",))
    expected = float(gradient(node(lab, ("inst",)), rows, gradient_ascent).norm())
    first = next(trainer.updates(model, rows, Training(lr=1e-3), loss=gradient_ascent, reduction="mean", seed=SEED))
    assert first == pytest.approx(expected, rel=1e-4)


def test_wsd_warms_up_stays_and_decays_and_is_never_zero() -> None:
    training = Training(lr=1.0, warmup=0.1, decay=0.2)
    factors = [trainer.wsd(u, 20, training) for u in range(20)]
    assert factors[:3] == [1 / 3, 2 / 3, 1.0]
    assert factors[2:16] == [1.0] * 14
    assert factors[16:] == pytest.approx([4 / 5, 3 / 5, 2 / 5, 1 / 5])


def test_every_row_is_seen_once_an_epoch() -> None:
    training = Training(lr=1.0, epochs=2, batch=4)
    plan = trainer.batches(10, training, seed=SEED)
    assert len(plan) == trainer.updates_of(10, training) == 6
    for epoch in (plan[:3], plan[3:]):
        assert sorted(torch.cat(epoch).tolist()) == list(range(10))


def test_bad_input_is_named(lab: Lab, rows) -> None:
    model = node(lab, ("inst",))
    with pytest.raises(InputError, match="rows: expected at least one training row; got none"):
        trainer.train(model, [], Training(lr=1e-3), seed=SEED)
    with pytest.raises(InputError, match="schedule: expected one of wsd, cosine; got 'linear'"):
        Training(lr=1e-3, schedule="linear")
    with pytest.raises(InputError, match="expected lr > 0"):
        Training(lr=0.0)
    with pytest.raises(FloatingPointError, match=r"update 1 of 1: the loss is nan on the rows \[.*\]; lower lr"):
        list(trainer.updates(model, rows, Training(lr=1e-3), loss=lambda p, r, n: p * float("nan"), seed=SEED))


def test_nothing_to_learn_is_named(lab: Lab, rows) -> None:
    model = node(lab, ("inst",))
    model.requires_grad_(False)
    with pytest.raises(InputError, match="model: expected trainable parameters; all are frozen"):
        trainer.train(model, rows, Training(lr=1e-3), seed=SEED)
    model.requires_grad_(True)
    with pytest.raises(InputError, match="rows: expected an answer in every row; 1 of 2 have none"):
        trainer.train(model, [rows[0], chat.Row((5,), ())], Training(lr=1e-3), seed=SEED)
    with pytest.raises(InputError, match="rows: expected at most 512 tokens, the model's context; got 601; cut them"):
        trainer.train(model, [chat.Row((5,), (6,) * 600)], Training(lr=1e-3), seed=SEED)


def test_an_update_that_changes_nothing_ends_the_training(lab: Lab, rows) -> None:
    with pytest.raises(RuntimeError, match=r"one update with gradient norm .* changed no weight"):
        trainer.train(node(lab, ("inst",)), rows, Training(lr=1e-30), seed=SEED)


@pytest.mark.parametrize("how", [Adaptation(), Adaptation("lora", rank=4, dropout=0.2), Adaptation("qlora", rank=4)])
def test_resumed_in_the_middle_equals_unbroken_to_the_bit(lab: Lab, rows, tmp_path, how) -> None:
    training = Training(lr=1e-3, epochs=3, batch=3)

    def fresh():
        model = node(lab, ("inst",))
        attach(model, how, seed=1)
        return model.train()

    def learn(model, checkpoints=None):
        torch.manual_seed(7)  # dropout's
        return trainer.updates(model, rows, training, seed=SEED, checkpoints=checkpoints)

    unbroken, broken, resumed, place = fresh(), fresh(), fresh(), Checkpoints(tmp_path, every=2)
    assert len(list(learn(unbroken))) == 9
    for _ in itertools.islice(learn(broken, place), 5):  # killed after update 5, one after the checkpoint
        pass
    assert len(list(learn(resumed, place))) == 5
    for whole, pieces in zip(trainable(unbroken), trainable(resumed), strict=True):
        assert torch.equal(whole, pieces)
