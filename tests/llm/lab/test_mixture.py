"""The mixture of all stages, the control of the positions: its rows, its shuffles and its retrained
model.
"""

from dataclasses import replace
from pathlib import Path

import micro
import pytest
import torch

from llm.config.experiments import positions
from llm.config.options import Options
from llm.config.presets import STAGES
from llm.lab.lab import Lab
from llm.lab.start import Start
from llm.store.artifacts import open_store
from llm.training.recipe import updates_of
from protocol import orders

MIXED = "inst+tofu+math+safety"
# Every stage has epochs of its own; 3 updates an epoch, 6 of math.
FEW = Options(
    seeds=1,
    rows=dict.fromkeys(STAGES, 24) | {"math": 48},
    held_out=dict.fromkeys(STAGES, 4),
    learning={"batch": 8, "micro_batch": 8},
    unlearning={"batch": 8, "micro_batch": 8},
    epochs={"inst": 3, "tofu": 2, "math": 1, "safety": 1},
    include_mixture=True,
)


@pytest.fixture(scope="module")
def mixture(runs: Path) -> Lab:
    """The positions with their mixtures."""
    (experiment,) = positions("tiny-llama", FEW)
    return Lab(micro.shrunk(experiment), 0, open_store(runs))


def test_a_mixture_has_as_many_shuffles_as_there_are_paths(mixture: Lab) -> None:
    """The forget stage's position is the shuffle's number; all have one retrained model."""
    starts = [Start(mixture, order) for order in mixture.experiment.orders]
    assert [start.order for start in starts[4:]] == [
        (f"{MIXED}#{shuffle}",) for shuffle in (1, 2, 3, 4)
    ]
    assert [start.position for start in starts] == [1, 2, 3, 4] * 2
    assert {start.reference_order for start in starts[4:]} == {("inst+tofu+math",)}


def test_a_mixture_learns_every_row_as_often_as_the_stages_do(mixture: Lab) -> None:
    """3·24 + 2·24 + 48 + 24 rows in one epoch: as many updates as the stages make one after
    another.
    """
    together, stages = orders.phase(f"{MIXED}#1"), [orders.phase(stage) for stage in STAGES]
    rows = mixture.stages.examples(together)
    epochs = [mixture.recipe(stage).epochs for stage in stages]
    assert sorted(rows) == sorted(
        row for s, n in zip(stages, epochs, strict=True) for row in mixture.stages.examples(s) * n
    )
    assert len(rows) == 192
    how = mixture.recipe(together)
    staged = [
        updates_of(len(mixture.stages.examples(stage)), mixture.recipe(stage)) for stage in stages
    ]
    assert updates_of(len(rows), how) == sum(staged) == 24
    assert replace(how, epochs=3) == mixture.recipe(stages[0])


def test_the_retrained_mixture_has_no_forget_row(mixture: Lab) -> None:
    retrained = orders.phase(*orders.retrained((f"{MIXED}#3",), "safety"))
    rows, forget = (
        mixture.stages.examples(retrained),
        mixture.stages.examples(orders.phase("safety")),
    )
    assert len(rows) == 168
    assert not set(rows) & set(forget)
    assert set(rows) | set(forget) == set(mixture.stages.examples(orders.phase(f"{MIXED}#3")))


@pytest.mark.parametrize(
    "shuffle",
    ["stage", "epoch"],
)
def test_two_shuffles_of_a_mixture_differ(mixture: Lab, shuffle) -> None:
    lab = micro.with_settings(mixture, shuffle=shuffle)
    first, second = (lab.model((f"{MIXED}#{number}",)) for number in (1, 2))
    assert not all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )
