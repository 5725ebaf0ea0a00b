"""Stage nodes: the pretrained base and every prefix of an order, each trained once and kept in the stage store.

A node's key is the hash of its parent's key, the stage's settings, the digest of its rows, the seed and the numerics;
its randomness derives from (seed, stage), never from its position. So orders that begin alike share their beginning.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from llm import chat, corpora, models, trainer
from llm.randomness import derived_seed
from llm.settings import Settings
from llm.store import Store, produce
from protocol.orders import Order
from protocol.spec import Experiment, canonical, digest

# Raise the first number when a change of the code changes trained weights or measured values.
NUMERICS = f"1 torch {torch.__version__} transformers {transformers.__version__}"


@dataclass(frozen=True)
class Lab:
    """One model of an experiment under one shuffle seed, with the store its nodes live in."""

    experiment: Experiment
    seed: int
    store: Store

    @property
    def settings(self) -> Settings:
        """The language-model settings of the experiment."""
        return self.experiment.settings


@functools.cache
def _corpus(stage: str, base: int, train: int, held_out: int) -> corpora.Corpus:
    return corpora.stage_corpus(stage, base, train=train, held_out=held_out)


@functools.cache
def _digest(rows: tuple[corpora.Example, ...]) -> str:
    return digest(rows)


@functools.cache
def _pretraining_rows(base: int, rows: int) -> tuple[corpora.Example, ...]:
    return tuple(corpora.pretraining.corpus(f"base {base}", rows))


def stage_rows(lab: Lab, stage: str) -> corpora.Corpus:
    """The rows of a stage, the same for every seed and path of one base."""
    sizes = lab.settings.stages[stage]
    return _corpus(stage, lab.experiment.base, sizes.train, sizes.held_out)


def rows_digest(lab: Lab, stage: str, *, held_out: bool = False) -> str:
    """Hash of a stage's training or held-out rows."""
    return _digest(stage_rows(lab, stage).held_out if held_out else stage_rows(lab, stage).train)


def base_key(lab: Lab) -> str:
    """Key of the pretrained base and its tokenizer: everything but the shuffle seed."""
    settings = lab.settings
    return digest(
        {
            "kind": "base",
            "model": canonical(settings.architecture),
            "rows": settings.pretraining_rows,
            "training": canonical(settings.pretraining),
            "tokenizer": [[stage, rows_digest(lab, stage)] for stage in settings.stages],  # in the order it reads them
            "data": _digest(_pretraining_rows(lab.experiment.base, settings.pretraining_rows)),
            "base": lab.experiment.base,
            "numerics": NUMERICS,
        }
    )


def node_key(lab: Lab, order: Order) -> str:
    """Key of the model trained on `order`; the empty order is the base."""
    if not order:
        return base_key(lab)
    *before, stage = order
    return digest(
        {
            "parent": node_key(lab, tuple(before)),
            "stage": stage,
            "training": canonical(lab.settings.stages[stage].training),
            "data": rows_digest(lab, stage),
            "seed": lab.seed,
            "numerics": NUMERICS,
        }
    )


def _pretrain(lab: Lab, folder: Path) -> None:
    settings, base = lab.settings, lab.experiment.base
    examples = _pretraining_rows(base, settings.pretraining_rows)
    texts = [*examples[:4000]] + [row for stage in settings.stages for row in stage_rows(lab, stage).train]
    tokenizer = chat.train_tokenizer(
        (f"{row.prompt}\n{row.answer}" for row in texts), vocabulary=settings.architecture.vocabulary
    )
    model = models.build(settings.architecture, seed=derived_seed("base", base))
    rows = chat.encode_all(tokenizer, examples)
    trainer.train(model, rows, settings.pretraining, seed=("base", base, "pretraining"))
    chat.save_tokenizer(tokenizer, folder)
    models.save(model, folder)


def base_folder(lab: Lab) -> Path:
    """The pretrained base with its tokenizer, made if need be."""
    return produce(
        lab.store, base_key(lab), lambda folder: _pretrain(lab, folder),
        description=f"{lab.experiment.model}: pretraining",
    )  # fmt: skip


def tokenizer_of(lab: Lab) -> PreTrainedTokenizerFast:
    """The tokenizer trained with the base."""
    return chat.load_tokenizer(base_folder(lab))


def node_folder(lab: Lab, order: Order) -> Path:
    """The model trained on `order`, its missing ancestors trained first."""
    if not order:
        return base_folder(lab)
    *before, stage = order
    parent = node_folder(lab, tuple(before))

    def make(folder: Path) -> None:
        model = models.load(parent)
        rows = chat.encode_all(tokenizer_of(lab), stage_rows(lab, stage).train)
        trainer.train(model.train(), rows, lab.settings.stages[stage].training, seed=(lab.seed, stage))
        models.save(model, folder)

    name = f"{lab.experiment.model} seed {lab.seed}: {' > '.join(order)}"
    return produce(lab.store, node_key(lab, order), make, description=name)


def node(lab: Lab, order: Order) -> PreTrainedModel:
    """The model trained on `order`, loaded."""
    return models.load(node_folder(lab, order))
