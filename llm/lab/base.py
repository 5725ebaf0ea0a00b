"""The base that every order starts from: its folder, its chat format, its context and its key.

An embedded base is pretrained here, with a tokenizer of its own, and kept in the store. Any other
is a directory, or is fetched from the hub; its key derives from its files and its chat format.
"""

import functools
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from transformers import PreTrainedModel

from llm import models
from llm.config.settings import Settings
from llm.corpora import Example, depth, pretraining
from llm.data import chat
from llm.data.chat import Format, Row
from llm.lab.stages import Stages
from llm.models import Architecture, Pretrained, loading
from llm.models.randomness import derived_seed
from llm.models.tokenizer import train_tokenizer
from llm.store.artifacts import Store, produce, scratch
from llm.training import trainer
from llm.training.checkpoint import Checkpoints
from protocol.errors import InputError
from protocol.notices import notice
from protocol.orders import Phase
from protocol.spec import digest

# Raise the first number when a change of the code changes trained weights or measured values.
NUMERICS = (
    f"5 torch {torch.__version__} transformers {transformers.__version__} tokenizers "
    f"{tokenizers.__version__}"
)
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


@functools.cache
def _corpus(seed: str, rows: int, answers: bool) -> tuple[tuple[Example, ...], str]:
    """The pretraining corpus and its hash."""
    beside = depth.forms(seed, rows // 8) if answers else []
    corpus = tuple(pretraining.corpus(seed, rows, beside=beside))
    return corpus, digest(corpus)


@functools.cache
def _format(folder: Path, template: str | None, system: str | None) -> Format:
    tokenizer = loading.load_tokenizer(folder)
    return Format(tokenizer, chat.template_of(tokenizer, template), system)


def checkpoints_of(store: Store, spec: dict[str, Any]) -> Checkpoints:
    """Where the training of an artifact keeps its checkpoint until the artifact is finished."""
    return Checkpoints(scratch(store, digest(spec)), store.checkpoint_every)


@dataclass(frozen=True)
class Base:
    """The base of one experiment; each part is resolved once for a `Base`."""

    stages: Stages
    store: Store

    @property
    def settings(self) -> Settings:
        """The language-model settings of the experiment."""
        return self.stages.experiment.settings

    @cached_property
    def spec(self) -> dict[str, Any]:
        """What the base with its tokenizer depends on: all but the shuffle seed."""
        model = self.settings.model
        return self._pretrained_spec(model) if isinstance(model, Pretrained) else self._own_spec()

    def _pretrained_spec(self, model: Pretrained) -> dict[str, Any]:
        from llm.models import hub  # an embedded model needs no files of the hub

        form = self.format
        return {
            "kind": "pretrained",
            "files": hub.files_digest(self.folder),
            "format": [form.template, model.system, *form.frames],
        }

    def _own_spec(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "kind": "base",
            "model": asdict(settings.model),
            "rows": settings.pretraining_rows,
            "training": asdict(settings.pretraining),
            # in the order in which the tokenizer reads them
            "tokenizer": [[stage, self.stages.digest(stage)] for stage in settings.stages],
            "data": self.pretraining[1],
            "base": self.stages.experiment.base,
            "device": settings.device,
            "numerics": NUMERICS,
        }

    @property
    def key(self) -> str:
        """The key of the base in the store."""
        return digest(self.spec)

    @property
    def pretraining(self) -> tuple[tuple[Example, ...], str]:
        """The pretraining corpus and its hash.

        With the stages of the depth experiment an eighth of the corpus has their answers, on other
        objects.
        """
        answers = bool(set(depth.ANSWERS) & set(self.settings.stages))
        seed = f"base {self.stages.experiment.base}"
        return _corpus(seed, self.settings.pretraining_rows, answers)

    @cached_property
    def folder(self) -> Path:
        """The directory of the base with its tokenizer: pretrained here, or fetched, if need be."""
        model = self.settings.model
        if isinstance(model, Pretrained):
            from llm.models import hub

            return hub.snapshot(model.source, model.revision)

        def make(folder: Path) -> None:
            _pretrain(self, model, folder)

        description = self.stages.described("pretraining")
        return produce(self.store, self.spec, make, description=description)

    @property
    def format(self) -> Format:
        """The base's tokenizer with the chat template in use; loaded once in a process."""
        model = self.settings.model
        if isinstance(model, Pretrained):
            return _format(self.folder, model.template, model.system)
        return _format(self.folder, "own", None)

    @cached_property
    def model_context(self) -> int:
        """The most tokens that the model takes."""
        return loading.context_of(loading.configuration(self.folder))

    @property
    def context(self) -> int:
        """The most tokens of a row: what the model takes, or fewer if the settings say so."""
        longest = self.settings.max_length
        return self.model_context if longest is None else min(self.model_context, longest)

    def rows(self, phase: Phase) -> list[Row]:
        """A phase's training rows as tokens, cut to the context; a notice counts what is cut.

        Raises InputError if a prompt of the forget stage does not fit: the number of unlearning
        steps counts its rows.
        """
        context = self.context
        rows = chat.encode_all(self.format, self.stages.examples(phase))
        fitting, cut, left_out = chat.fit(rows, context)
        if left_out and self.stages.experiment.forget in phase.members:
            raise InputError(
                f"{phase.rows}: expected prompts of fewer than {context} tokens; {left_out} of "
                f"{len(rows)} are longer"
            )
        if cut or left_out:
            notice(
                f"{phase.rows}: {cut} of {len(rows)} rows cut to {context} tokens, {left_out} left "
                "out"
            )
        return fitting

    def load(self) -> PreTrainedModel:
        """The base's weights in float32 on the CPU; InputError if its tokenizer has other ids."""
        model = models.load(self.folder, attention=self.settings.attention)
        loading.check_vocabulary(model, self.format.tokenizer)
        return model

    def placed(self, model: PreTrainedModel) -> PreTrainedModel:
        """The model in the experiment's precision, on its device."""
        return model.to(device=self.settings.device, dtype=PRECISIONS[self.settings.precision])


def _pretrain(base: Base, arch: Architecture, folder: Path) -> None:
    """Train tokenizer and model of an embedded base and write both."""
    settings, number = base.settings, base.stages.experiment.base
    examples, _ = base.pretraining
    texts = list(examples[:4000])
    for stage in settings.stages:
        texts += base.stages.rows(stage).train
    lines = (f"{row.prompt}\n{row.answer}" for row in texts)
    tokenizer = train_tokenizer(lines, vocabulary=arch.vocabulary)
    model = models.build(arch, seed=derived_seed("base", number)).to(settings.device)
    rows = chat.encode_all(Format(tokenizer, tokenizer.chat_template), examples)
    trainer.train(
        model,
        rows,
        settings.pretraining,
        seed=("base", number, "pretraining"),
        checkpoints=checkpoints_of(base.store, base.spec),
    )
    tokenizer.save_pretrained(folder)
    models.save(model, folder)
