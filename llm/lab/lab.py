"""A lab: one model of an experiment under one shuffle seed, with its rows, base and nodes.

`stages` has rows and recipes (llm.lab.stages), `base` the model every order starts from
(llm.lab.base), `node` the model trained on an order (llm.lab.nodes). What is resolved once stays
with a lab and does not travel when the lab is pickled for a worker.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from transformers import PreTrainedModel

from llm.config.settings import Settings
from llm.corpora import Corpus
from llm.data.chat import Row
from llm.lab.base import Base
from llm.lab.nodes import Node
from llm.lab.stages import Stages
from llm.store.artifacts import Store
from llm.training.recipe import Recipe
from protocol.orders import Order, Phase
from protocol.spec import Experiment


@dataclass(frozen=True)
class Lab:
    """One model of an experiment under one shuffle seed, with the store its nodes are kept in."""

    experiment: Experiment
    seed: int
    store: Store

    def __reduce__(self) -> tuple[Callable[..., "Lab"], tuple[Experiment, int, Store]]:
        """Pickle the three fields only: not the base, whose tokenizer may have megabytes."""
        return Lab, (self.experiment, self.seed, self.store)

    @property
    def settings(self) -> Settings:
        """The language-model settings of the experiment."""
        return self.experiment.settings

    @cached_property
    def stages(self) -> Stages:
        """Rows and recipes of the stages."""
        return Stages(self.experiment)

    @cached_property
    def base(self) -> Base:
        """The base: `folder`, `format` and `context`."""
        return Base(self.stages, self.store)

    def rows(self, stage: str) -> Corpus:
        """The training and held-out rows of a stage, as text."""
        return self.stages.rows(stage)

    def recipe(self, phase: Phase) -> Recipe:
        """How a phase is trained."""
        return self.stages.recipe(phase)

    def learned(self, phase: Phase) -> list[Row]:
        """The rows a phase learns, as tokens fitted into the context."""
        return self.base.rows(phase)

    def node(self, order: Order) -> Node:
        """The model trained on an order, as a node of the store."""
        return Node(self.base, self.seed, order)

    def key(self, order: Order) -> str:
        """The key of the node of an order."""
        return self.node(order).key

    def folder(self, order: Order) -> Path:
        """The artifact of an order's node, trained if need be."""
        return self.node(order).folder

    def model(self, order: Order) -> PreTrainedModel:
        """The model trained on an order."""
        return self.node(order).model()

    def leaf(self, order: Order) -> PreTrainedModel:
        """The model trained on an order as unlearning begins: trainable, with any adapter fresh."""
        return self.node(order).leaf()

    def under(self, seed: int) -> "Lab":
        """The same experiment in the same store under another shuffle seed."""
        return replace(self, seed=seed)
