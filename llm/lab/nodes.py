"""Nodes: every prefix of an order is a model, trained once on its parent and kept in the store.

A node is specified by its parent's key, the stage's settings, the hash of its rows, the seed and
the numerics; its randomness derives from (seed, stage), never from its position. So orders that
begin alike share their beginning. After full fine-tuning a node holds the whole weights, else the
stage's adapter: one adapter goes through all stages (a node's adapter contains its parent's), or
each stage has its own, added to the model with all earlier adapters merged.
"""

from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from llm import models
from llm.config.settings import Settings
from llm.lab.base import NUMERICS, Base, checkpoints_of
from llm.models import adapters
from llm.models.adapters import Adaptation
from llm.store.artifacts import produce
from llm.training import trainer
from protocol.orders import Order, Phase, phases
from protocol.spec import digest


def adaptation_spec(how: Adaptation) -> dict[str, Any]:
    """What weights depend on of an adaptation; of an adapter also the libraries that make it."""
    if how.kind == "full":
        return {"kind": "full"}
    libraries = ("peft", "bitsandbytes") if how.kind == "qlora" else ("peft",)
    return {**asdict(how), "libraries": {name: version(name) for name in libraries}}


@dataclass(frozen=True)
class Node:
    """The model trained on an order under a shuffle seed; the empty order is the base itself."""

    base: Base
    seed: int
    order: Order

    @property
    def settings(self) -> Settings:
        """The language-model settings of the experiment."""
        return self.base.settings

    @property
    def parent(self) -> "Node":
        """The node before the last stage."""
        return Node(self.base, self.seed, self.order[:-1])

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """What the names of the order say."""
        return phases(self.order)

    @cached_property
    def spec(self) -> dict[str, Any]:
        """What the node's weights depend on."""
        if not self.order:
            return self.base.spec
        settings, stages, phase = self.settings, self.base.stages, self.phases[-1]
        return {
            "kind": "stage",
            "parent": self.parent.key,
            "stage": phase.rows,
            "stop": phase.stop,
            "training": asdict(stages.recipe(phase)),
            "adaptation": adaptation_spec(settings.adaptation),
            "precision": settings.precision,
            "attention": settings.attention,
            "max_length": settings.max_length,
            "data": stages.data(phase),
            "seed": self.shuffle_seed,
            "device": settings.device,
            "numerics": NUMERICS,
        }

    @property
    def key(self) -> str:
        """The node's key in the store."""
        return digest(self.spec)

    @property
    def shuffle_seed(self) -> tuple[int, str]:
        """What the order of the last stage's rows derives from: its name, or the epochs before it.

        See `Settings.shuffle`; a mixture always derives its order from its name.
        """
        *before, phase = self.phases
        if self.settings.shuffle == "stage" or phase.shuffle is not None:
            return self.seed, phase.rows
        epochs = [self.base.stages.recipe(earlier).epochs for earlier in before]
        return self.seed, f"epoch {sum(epochs)}"

    @property
    def folder(self) -> Path:
        """The node's artifact in the store; the node and its ancestors are trained if need be."""
        if not self.order:
            return self.base.folder
        self.parent.folder  # noqa: B018 (trained first, so that its lock is not held in this one's)
        description = self.base.stages.described(" > ".join(self.order), seed=self.seed)
        return produce(self.base.store, self.spec, self._train, description=description)

    @property
    def keeps_adapters(self) -> bool:
        """Whether learned adapters stay outside the base's weights, which are not merged with them.

        In four bits and in bfloat16 the sum would be rounded, and what is unlearned would not be
        what was trained.
        """
        return self.settings.adaptation.kind == "qlora" or self.settings.precision == "bf16"

    @property
    def adapters(self) -> list[Path]:
        """The adapters that make the base the node: the last, or all if each stage has one."""
        if not self.order:
            return []
        if not self.settings.adaptation.new_adapter_each_stage:
            return [self.folder]
        return [*self.parent.adapters, self.folder]

    def _train(self, folder: Path) -> None:
        """Train the last stage on the parent and write what changed: weights, or an adapter."""
        how, base, parent, phase = self.settings.adaptation, self.base, self.parent, self.phases[-1]
        shared = how.kind != "full" and not how.new_adapter_each_stage  # an adapter of all stages
        root = Node(base, self.seed, ())
        model = (root if shared or self.keeps_adapters else parent).model()
        adapter = adapters.attach(
            model,
            how,
            seed=(self.seed, phase.rows, "adapter"),
            parent=parent.folder if shared and parent.order else None,
            learned=parent.adapters if self.keeps_adapters and not shared else (),
        )
        trainer.train(
            model.train(),
            base.rows(phase),
            base.stages.recipe(phase),
            stop=phase.stop,
            seed=self.shuffle_seed,
            checkpoints=checkpoints_of(base.store, self.spec),
        )
        if adapter is None:
            models.save(model, folder)
        else:
            adapters.save(adapter, folder)

    def model(self) -> PreTrainedModel:
        """The trained model, adapters merged in float32, in the experiment's precision and device.

        Under QLoRA: the weights that were trained, those of the base rounded to NF4 with the
        adapters' products.
        """
        how, base = self.settings.adaptation, self.base
        if not self.order:
            return base.placed(base.load())
        if how.kind == "full":
            whole = models.load(self.folder, attention=self.settings.attention)
            return base.placed(whole)
        model = base.load()
        if how.kind == "qlora":
            from llm.models import nf4, targets

            model = base.placed(model)
            nf4.quantize(model, targets.targets_of(model, how.targets).layers)
            model = nf4.dequantized(model)
        for folder in self.adapters:
            model = adapters.merged(model, folder)
        return base.placed(model)

    def leaf(self) -> PreTrainedModel:
        """The model as unlearning begins: with a fresh adapter, or trainable as a whole.

        The fresh adapter lies on the merged weights, or next to the learned adapters if merging
        would round them.
        """
        whole = Node(self.base, self.seed, ()) if self.keeps_adapters else self
        model = whole.model()
        learned = self.adapters if self.keeps_adapters else ()
        seed = (self.seed, "unlearning", "adapter")
        adapters.attach(model, self.settings.adaptation, seed=seed, learned=learned)
        return model.eval()
