"""Stage nodes: the base and every prefix of an order, each trained once and kept in the stage store.

A node's key is the hash of its parent's key, the stage's settings, the digest of its rows, the seed and the numerics;
its randomness derives from (seed, stage), never from its position. So orders that begin alike share their beginning.
A node holds the whole weights after full fine-tuning, and else the stage's adapter: one adapter goes through all stages
(a node's contains its parent's), or each stage has its own, added to the model with all earlier ones merged.
"""

from pathlib import Path

import torch
import transformers
from transformers import AutoConfig, PreTrainedModel

from llm import chat, models, trainer
from llm.chat import Format
from llm.checkpoint import Checkpoints
from llm.corpora import Example, pretraining
from llm.models import Architecture, Pretrained, adapters, loading
from llm.models.tokenizer import train_tokenizer
from llm.randomness import derived_seed
from llm.stages import Lab, describe, learned_rows, rows_digest, stage_rows
from llm.store import produce, scratch
from protocol.orders import Order
from protocol.spec import canonical, digest

# Raise the first number when a change of the code changes trained weights or measured values.
NUMERICS = f"2 torch {torch.__version__} transformers {transformers.__version__}"
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def _pretraining_rows(lab: Lab) -> list[Example]:
    return pretraining.corpus(f"base {lab.experiment.base}", lab.settings.pretraining_rows)


def base_key(lab: Lab) -> str:
    """Key of the base and its tokenizer: everything but the shuffle seed; of a pretrained one, its files and format."""
    settings = lab.settings
    if isinstance(settings.model, Pretrained):
        folder = base_folder(lab)
        form = [format_of(lab).template, settings.model.system]
        return digest({"kind": "pretrained", "files": loading.files_digest(folder), "format": form})
    return digest(
        {
            "kind": "base",
            "model": canonical(settings.model),
            "rows": settings.pretraining_rows,
            "training": canonical(settings.pretraining),
            "tokenizer": [[stage, rows_digest(lab, stage)] for stage in settings.stages],  # in the order it reads them
            "data": digest(_pretraining_rows(lab)),
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
            "adaptation": canonical(lab.settings.adaptation),
            "precision": lab.settings.precision,
            "data": rows_digest(lab, stage),
            "seed": lab.seed,
            "numerics": NUMERICS,
        }
    )


def _pretrain(lab: Lab, arch: Architecture, folder: Path) -> None:
    settings, base = lab.settings, lab.experiment.base
    examples = _pretraining_rows(lab)
    texts = [*examples[:4000]] + [row for stage in settings.stages for row in stage_rows(lab, stage).train]
    tokenizer = train_tokenizer((f"{row.prompt}\n{row.answer}" for row in texts), vocabulary=arch.vocabulary)
    model = models.build(arch, seed=derived_seed("base", base))
    rows = chat.encode_all(Format(tokenizer, tokenizer.chat_template), examples)
    trainer.train(model, rows, settings.pretraining, seed=("base", base, "pretraining"))
    tokenizer.save_pretrained(folder)
    models.save(model, folder)


def base_folder(lab: Lab) -> Path:
    """The base with its tokenizer: pretrained here, or fetched, if need be."""
    model = lab.settings.model
    if isinstance(model, Pretrained):
        return loading.snapshot(model.source, model.revision)
    return produce(
        lab.store, base_key(lab), lambda folder: _pretrain(lab, model, folder), description=describe(lab, "pretraining")
    )


def format_of(lab: Lab) -> Format:
    """The base's tokenizer and the chat template in use."""
    model = lab.settings.model
    tokenizer = loading.load_tokenizer(base_folder(lab))
    if isinstance(model, Pretrained):
        return Format(tokenizer, chat.template_of(tokenizer, model.template), model.system)
    return Format(tokenizer, tokenizer.chat_template)


def context_of(lab: Lab) -> int:
    """The most tokens the base takes."""
    return AutoConfig.from_pretrained(base_folder(lab), local_files_only=True).max_position_embeddings


def _train_node(lab: Lab, order: Order, folder: Path, checkpoints: Checkpoints) -> None:
    """Train the last stage of an order on its parent and write what changed: weights, or an adapter."""
    *before, stage = order
    how, parent = lab.settings.adaptation, tuple(before)
    one = how.kind != "full" and not how.anew
    model = node(lab, () if one else parent)
    goes_on = node_folder(lab, parent) if one and parent else None
    adapter = adapters.attach(model, how, seed=derived_seed(lab.seed, stage, "adapter"), parent=goes_on)
    rows = learned_rows(lab, format_of(lab), stage, context_of(lab))
    training = lab.settings.stages[stage].training
    trainer.train(model.train(), rows, training, seed=(lab.seed, stage), checkpoints=checkpoints)
    if adapter is None:
        models.save(model, folder)
    else:
        adapters.save(adapter, folder)


def node_folder(lab: Lab, order: Order) -> Path:
    """The artifact of the model trained on `order`, its missing ancestors trained first."""
    if not order:
        return base_folder(lab)
    node_folder(lab, order[:-1])
    key = node_key(lab, order)
    checkpoints = Checkpoints(scratch(lab.store, key))
    name = describe(lab, " > ".join(order), seed=lab.seed)
    return produce(
        lab.store, key, lambda folder: _train_node(lab, order, folder, checkpoints), description=name
    )  # fmt: skip


def node(lab: Lab, order: Order) -> PreTrainedModel:
    """The model trained on `order`, adapters merged in float32, then in the experiment's precision."""
    how = lab.settings.adaptation
    if how.kind == "full" or not order:
        model = models.load(node_folder(lab, order))
    else:
        model = models.load(base_folder(lab))
        for end in range(1 if how.anew else len(order), len(order) + 1):
            model = adapters.merged(model, node_folder(lab, order[:end]))
    if not order:
        loading.check_vocabulary(model, format_of(lab).tokenizer)
    return model.to(PRECISIONS[lab.settings.precision])


def leaf(lab: Lab, order: Order) -> PreTrainedModel:
    """The model trained on `order` as unlearning begins: a fresh adapter on it, on NF4 where the experiment has it."""
    model = node(lab, order)
    adapters.attach(model, lab.settings.adaptation, seed=derived_seed(lab.seed, "unlearning", "adapter"))
    return model.eval()
