"""How far an update goes: schedules, warm-ups and floors, plain and normalized gradient descent."""

import math
from dataclasses import replace

import pytest
import torch

from llm.data import chat
from llm.lab.lab import Lab
from llm.training import trainer
from llm.training.recipe import SCHEDULES, Recipe
from llm.training.trainer import Objective

SEED = (0, "test")


@pytest.fixture
def rows(lab: Lab):
    return chat.encode_all(lab.base.format, lab.rows("safety").train[:8])


def weights(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def factors(schedule: str, updates: int, **how: float) -> list[float]:
    training = Recipe(lr=1.0, schedule=schedule, **how)
    return [SCHEDULES[schedule](update, updates, training) for update in range(updates)]


@pytest.mark.parametrize(("warmup", "decay"), [(0.1, 0.2), (2, 4)])
def test_wsd_warms_up_stays_and_decays_and_is_never_zero(warmup, decay) -> None:
    """Two updates up and four down of 20, as shares and as numbers."""
    found = factors("wsd", 20, warmup=warmup, decay=decay)
    assert found[:3] == [1 / 3, 2 / 3, 1.0]
    assert found[2:16] == [1.0] * 14
    assert found[16:] == pytest.approx([4 / 5, 3 / 5, 2 / 5, 1 / 5])


def test_the_decay_ends_towards_the_floor() -> None:
    """f + (1 − f)·x where the decay without a floor is x; the warm-up starts from 0 whatever the
    floor.
    """
    expected = [1 / 3, 2 / 3, *[1.0] * 14, *(0.5 + 0.5 * x for x in (4 / 5, 3 / 5, 2 / 5, 1 / 5))]
    assert factors("wsd", 20, warmup=2, decay=4, floor=0.5) == pytest.approx(expected)
    half = [0.5 + 0.5 * x for x in factors("cosine", 20, warmup=2)[2:]]
    assert factors("cosine", 20, warmup=2, floor=0.5) == pytest.approx([1 / 3, 2 / 3, *half])


def test_cosine_is_half_a_cosine_after_its_warm_up() -> None:
    """Update w + k of w + n: ½(1 + cos πk/n), 1 at k = 0 and ½ in the middle."""
    found = factors("cosine", 10, warmup=2)
    assert found[:3] == [1 / 3, 2 / 3, 1.0]
    assert found[6] == pytest.approx(0.5)
    assert found[9] == pytest.approx(0.5 * (1 + math.cos(math.pi * 7 / 8)))


def test_constant_warms_up_and_stays() -> None:
    assert factors("constant", 8, warmup=3, decay=0.5, floor=0.5) == [
        1 / 4,
        2 / 4,
        3 / 4,
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
    ]
    assert factors("constant", 8, warmup=0) == [0.5, *[1.0] * 7], "at least one update"


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_plain_gradient_descent_goes_lr_times_factor_down_the_gradient(
    lab: Lab, rows, schedule
) -> None:
    """Δθ = −lr·f_t·g at every update, with the schedule's factor f_t over three updates of one in
    the warm-up.
    """
    model, training = (
        lab.model(("inst",)),
        Recipe(lr=0.1, epochs=3, schedule=schedule, optimizer="sgd"),
    )
    before = weights(model)
    for factor, norm in zip(
        factors(schedule, 3), trainer.updates(model, rows, training, seed=SEED), strict=True
    ):
        after, slope = weights(model), torch.cat([p.grad.flatten() for p in model.parameters()])
        torch.testing.assert_close(after - before, -0.1 * factor * slope, rtol=1e-4, atol=1e-7)
        assert norm == pytest.approx(float(slope.norm()), rel=1e-5)
        before = after


def test_a_step_on_the_normalized_gradient_is_lr_times_factor_long(lab: Lab, rows) -> None:
    """‖Δθ‖ = lr·f_t exactly, whatever the gradient's norm, and against it; the norm yielded is the
    true one.
    """
    model, training = (
        lab.model(("inst",)).double(),
        Recipe(lr=0.5, epochs=3, batch=4, optimizer="normalized"),
    )
    norms, before = [], weights(model)
    twin = lab.model(("inst",)).double()
    next(trainer.updates(twin, rows, replace(training, optimizer="sgd"), seed=SEED))
    expected = torch.cat([p.grad.flatten() for p in twin.parameters()])
    for factor, norm in zip(
        factors("wsd", 6), trainer.updates(model, rows, training, seed=SEED), strict=True
    ):
        moved, before = weights(model) - before, weights(model)
        assert float(moved.norm()) == pytest.approx(0.5 * factor, rel=1e-10)
        if not norms:
            torch.testing.assert_close(
                moved / moved.norm(), -expected / expected.norm(), rtol=1e-6, atol=1e-9
            )
        norms.append(norm)
    assert norms[0] == pytest.approx(float(expected.norm()), rel=1e-6)
    assert max(norms) / min(norms) > 1.01


def test_no_gradient_is_no_step_and_no_division(lab: Lab, rows) -> None:
    """A gradient of 0 has no direction: under "normalized", too, the weights stay."""
    model = lab.model(("inst",))
    before = weights(model)
    aim = Objective(lambda p, r, n: 0 * p, "mean")
    assert list(
        trainer.updates(model, rows, Recipe(lr=1.0, optimizer="normalized"), aim=aim, seed=SEED)
    ) == [0.0]
    assert torch.equal(weights(model), before)
