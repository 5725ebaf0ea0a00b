"""Stage nodes: the base and every prefix of an order, each trained once and kept in the stage
store.

A node is specified by its parent's key, the stage's settings, the digest of its rows, the seed and
the numerics; its randomness derives from (seed, stage), never from its position. So orders that
begin alike share their beginning. A node holds the whole weights after full fine-tuning, and else
the stage's adapter: one adapter goes through all stages (a node's contains its parent's), or each
stage has its own, added to the model with all earlier ones merged.
"""

import functools
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from transformers import PreTrainedModel

from llm import models
from llm.corpora import Example, depth, pretraining
from llm.data import chat
from llm.data.chat import Format
from llm.lab.lab import Lab, describe, learned_rows, rows_digest, stage_rows, training_of
from llm.models import Architecture, Pretrained, adapters, loading, nf4, parts, targets
from llm.models.adapters import Adaptation
from llm.models.randomness import derived_seed
from llm.models.tokenizer import train_tokenizer
from llm.store.artifacts import produce, scratch
from llm.training import trainer
from llm.training.checkpoint import Checkpoints
from protocol import orders
from protocol.orders import Order
from protocol.spec import digest

# Raise the first number when a change of the code changes trained weights or measured values.
NUMERICS = (
    f"5 torch {torch.__version__} transformers {transformers.__version__} tokenizers "
    f"{tokenizers.__version__}"
)
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def _pretraining_rows(lab: Lab) -> tuple[tuple[Example, ...], str]:
    """The pretraining corpus and its digest; beside the depth's stages an eighth is their answers
    on other objects.
    """
    answers = bool(set(depth.ANSWERS) & set(lab.settings.stages))
    return _pretraining_corpus(
        f"base {lab.experiment.base}", lab.settings.pretraining_rows, answers
    )


@functools.cache
def _pretraining_corpus(seed: str, rows: int, answers: bool) -> tuple[tuple[Example, ...], str]:
    corpus = tuple(
        pretraining.corpus(seed, rows, beside=depth.forms(seed, rows // 8) if answers else [])
    )
    return corpus, digest(corpus)


def base_spec(lab: Lab) -> dict[str, Any]:
    """What a base with its tokenizer depends on, all but the shuffle seed; a pretrained one on
    files and format.
    """
    settings = lab.settings
    if isinstance(settings.model, Pretrained):
        form = format_of(lab)
        said = [form.template, settings.model.system, *form.frames]
        return {
            "kind": "pretrained",
            "files": loading.files_digest(base_folder(lab)),
            "format": said,
        }
    return {
        "kind": "base",
        "model": asdict(settings.model),
        "rows": settings.pretraining_rows,
        "training": asdict(settings.pretraining),
        "tokenizer": [
            [stage, rows_digest(lab, stage)] for stage in settings.stages
        ],  # in the order it reads them
        "data": _pretraining_rows(lab)[1],
        "base": lab.experiment.base,
        "device": settings.device,
        "numerics": NUMERICS,
    }


def node_spec(lab: Lab, order: Order) -> dict[str, Any]:
    """What the model trained on `order` depends on; the empty order is the base."""
    if not order:
        return base_spec(lab)
    phase = orders.phase(order[-1])
    return {
        "kind": "stage",
        "parent": digest(node_spec(lab, order[:-1])),
        "stage": phase.rows,
        "stop": phase.stop,
        "training": asdict(training_of(lab, phase)),
        "adaptation": adaptation_spec(lab.settings.adaptation),
        "precision": lab.settings.precision,
        "attention": lab.settings.attention,
        "max_length": lab.settings.max_length,
        "data": [
            [rows_digest(lab, each), lab.settings.stages[each].recipe.epochs]
            for each in phase.members
        ],
        "seed": _seed(lab, order),
        "device": lab.settings.device,
        "numerics": NUMERICS,
    }


def adaptation_spec(how: Adaptation) -> dict[str, Any]:
    """What weights depend on of the way a model is trained: of an adapter also the libraries that
    make it.
    """
    if how.kind == "full":
        return {"kind": "full"}
    libraries = ("peft", "bitsandbytes") if how.kind == "qlora" else ("peft",)
    return {**asdict(how), "libraries": {name: version(name) for name in libraries}}


def node_key(lab: Lab, order: Order) -> str:
    """Key of the model trained on `order`."""
    return digest(node_spec(lab, order))


def _seed(lab: Lab, order: Order) -> tuple[int, str]:
    """What the order of the last stage's rows derives from: its name, or the epochs before it (see
    `Settings`).
    """
    phase = orders.phase(order[-1])
    if lab.settings.shuffle == "stage" or phase.shuffle is not None:
        return lab.seed, phase.rows
    before = [training_of(lab, orders.phase(stage)).epochs for stage in order[:-1]]
    return lab.seed, f"epoch {sum(before)}"


def _pretrain(lab: Lab, arch: Architecture, folder: Path, checkpoints: Checkpoints) -> None:
    settings, base = lab.settings, lab.experiment.base
    examples, _ = _pretraining_rows(lab)
    texts = [*examples[:4000]] + [
        row for stage in settings.stages for row in stage_rows(lab, stage).train
    ]
    tokenizer = train_tokenizer(
        (f"{row.prompt}\n{row.answer}" for row in texts), vocabulary=arch.vocabulary
    )
    model = models.build(arch, seed=derived_seed("base", base)).to(settings.device)
    rows = chat.encode_all(Format(tokenizer, tokenizer.chat_template), examples)
    trainer.train(
        model,
        rows,
        settings.pretraining,
        seed=("base", base, "pretraining"),
        checkpoints=checkpoints,
    )
    tokenizer.save_pretrained(folder)
    models.save(model, folder)


def _checkpoints(lab: Lab, spec: dict[str, Any]) -> Checkpoints:
    return Checkpoints(scratch(lab.store, digest(spec)), lab.store.checkpoint_every)


def base_folder(lab: Lab) -> Path:
    """The base with its tokenizer: pretrained here, or fetched, if need be."""
    model = lab.settings.model
    if isinstance(model, Pretrained):
        return loading.snapshot(model.source, model.revision)
    spec = base_spec(lab)

    def make(folder: Path) -> None:
        _pretrain(lab, model, folder, _checkpoints(lab, spec))

    return produce(lab.store, spec, make, description=describe(lab, "pretraining"))


def format_of(lab: Lab) -> Format:
    """The base's tokenizer and the chat template in use."""
    model = lab.settings.model
    if isinstance(model, Pretrained):
        return _format(base_folder(lab), model.template, model.system)
    return _format(base_folder(lab), "own", None)


@functools.cache
def _format(folder: Path, template: str | None, system: str | None) -> Format:
    tokenizer = loading.load_tokenizer(folder)
    return Format(tokenizer, chat.template_of(tokenizer, template), system)


def model_context(lab: Lab) -> int:
    """The most tokens that the base takes."""
    return parts.context_of(loading.configuration(base_folder(lab)))


def context_of(lab: Lab) -> int:
    """The most tokens of a row: what the base takes, or fewer where the settings say so."""
    longest = lab.settings.max_length
    return model_context(lab) if longest is None else min(model_context(lab), longest)


def _train_node(lab: Lab, order: Order, folder: Path, checkpoints: Checkpoints) -> None:
    """Train the last stage of an order on its parent and write what changed: weights, or an
    adapter.
    """
    how, parent, phase = lab.settings.adaptation, order[:-1], orders.phase(order[-1])
    one = how.kind != "full" and not how.new_adapter_each_stage
    model = node(lab, ()) if one or _stays_beside(lab) else node(lab, parent)
    adapter = adapters.attach(
        model,
        how,
        seed=(lab.seed, phase.rows, "adapter"),
        parent=node_folder(lab, parent) if one and parent else None,
        learned=_adapter_folders(lab, parent) if _stays_beside(lab) and not one else (),
    )
    rows = learned_rows(lab, format_of(lab), phase, context_of(lab))
    trainer.train(
        model.train(),
        rows,
        training_of(lab, phase),
        stop=phase.stop,
        seed=_seed(lab, order),
        checkpoints=checkpoints,
    )
    if adapter is None:
        models.save(model, folder)
    else:
        adapters.save(adapter, folder)


def node_folder(lab: Lab, order: Order) -> Path:
    """The artifact of the model trained on `order`, its missing ancestors trained first."""
    if not order:
        return base_folder(lab)
    node_folder(lab, order[:-1])
    spec = node_spec(lab, order)

    def make(folder: Path) -> None:
        _train_node(lab, order, folder, _checkpoints(lab, spec))

    return produce(
        lab.store, spec, make, description=describe(lab, " > ".join(order), seed=lab.seed)
    )


def _stays_beside(lab: Lab) -> bool:
    """Whether learned adapters stay beside the base's weights instead of being merged into them: in
    four bits and in bfloat16 the sum would be rounded, and what is unlearned would not be what was
    trained.
    """
    return lab.settings.adaptation.kind == "qlora" or lab.settings.precision == "bf16"


def _adapter_folders(lab: Lab, order: Order) -> list[Path]:
    """The adapters that make the node out of the base: the last, or, if every stage has its own,
    all of them.
    """
    ends = (
        range(1, len(order) + 1)
        if lab.settings.adaptation.new_adapter_each_stage
        else [len(order)]
        if order
        else []
    )
    return [node_folder(lab, order[:end]) for end in ends]


def _placed(lab: Lab, model: PreTrainedModel) -> PreTrainedModel:
    return model.to(device=lab.settings.device, dtype=PRECISIONS[lab.settings.precision])


def _base(lab: Lab) -> PreTrainedModel:
    model = models.load(base_folder(lab), attention=lab.settings.attention)
    loading.check_vocabulary(model, format_of(lab).tokenizer)
    return model


def node(lab: Lab, order: Order) -> PreTrainedModel:
    """The model trained on `order`, adapters merged in float32, then in the experiment's precision,
    on its device.

    Under QLoRA: the weights that were trained, those of the base rounded to NF4 with the adapters'
    products.
    """
    how = lab.settings.adaptation
    if not order:
        return _placed(lab, _base(lab))
    if how.kind == "full":
        return _placed(lab, models.load(node_folder(lab, order), attention=lab.settings.attention))
    model = _base(lab)
    if how.kind == "qlora":
        model = _placed(lab, model)
        nf4.quantize(model, targets.targets_of(model, how.targets).layers)
        model = nf4.dequantized(model)
    for folder in _adapter_folders(lab, order):
        model = adapters.merged(model, folder)
    return _placed(lab, model)


def leaf(lab: Lab, order: Order) -> PreTrainedModel:
    """The model trained on `order` as unlearning begins: with a fresh adapter, or trainable as a
    whole.

    The fresh adapter lies on the merged weights, or beside the learned adapters where merging would
    round.
    """
    beside = _stays_beside(lab)
    model = node(lab, () if beside else order)
    learned = _adapter_folders(lab, order) if beside else ()
    adapters.attach(
        model, lab.settings.adaptation, seed=(lab.seed, "unlearning", "adapter"), learned=learned
    )
    return model.eval()
