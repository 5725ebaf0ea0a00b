"""Named configurations, and the choices that turn one into an experiment.

embedded: sizes measured to fit 2 cores · paper: Section 4 and Table 2 of arXiv 2510.16629 · authors-code: what the
published code and its configurations do where they differ from the text. A choice left open (None) is the preset's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from llm.methods import METHODS
from llm.models import EMBEDDED, Architecture, Pretrained
from llm.models.adapters import Adaptation
from llm.models.catalogue import CATALOGUE
from llm.settings import Files, Probes, Settings, Stage
from llm.trainer import Training, updates_of
from protocol.errors import InputError, known
from protocol.spec import Experiment, named_methods

STAGES = ("inst", "tofu", "math", "safety")
METHODS_BY_DEFAULT = ("GA", "NPO", "SimNPO", "SimNPO-original", "SimNPO-beta1")
SEEDS = {"tiny-llama": 3, "tiny-qwen2": 2}  # shuffle seeds by default; 1 for any other model
STEPS_PROMPT = "{question}\nReason step by step and end with a line '#### ' and the final number."


def _stages(rows: Sequence[int], epochs: Sequence[int], held_out: Sequence[int], how: Training) -> dict[str, Stage]:
    return {
        name: Stage(train, held, replace(how, epochs=times))
        for name, train, times, held in zip(STAGES, rows, epochs, held_out, strict=True)
    }


EMBEDDED_SIZE = Settings(
    EMBEDDED["tiny-llama"],
    stages=_stages((320, 400, 1600, 640), (6, 4, 2, 1), (32, 32, 100, 32), Training(lr=5e-4)),
)
PAPER = Settings(
    EMBEDDED["tiny-llama"],
    adaptation=Adaptation("lora"),
    stages=_stages(
        (4000, 4000, 8000, 4500), (10, 4, 2, 2), (200, 200, 1319, 200), Training(1e-5, batch=128, micro_batch=8)
    ),
    unlearning=Training(1e-5, batch=128, micro_batch=8),
    probes=Probes(sums=1319, max_tokens=512, prompt=STEPS_PROMPT),
)
AUTHORS_CODE = replace(
    PAPER,
    adaptation=Adaptation("lora", targets=("q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")),
    stages=_stages(
        (4000, 4000, 8000, 4500), (8, 2, 2, 5), (200, 200, 1319, 200),
        Training(5e-5, batch=64, micro_batch=8, schedule="cosine", warmup=10),
    ),
    unlearning=Training(1e-5, batch=160, micro_batch=8, warmup=5, decay=0.8, floor=0.1),
    shuffle="epoch",
    probes=replace(PAPER.probes, label="Sorry, I can not assist"),
)  # fmt: skip
PRESETS = {"embedded": EMBEDDED_SIZE, "paper": PAPER, "authors-code": AUTHORS_CODE}
# The depth experiment: how C, U and R are learned, how U is unlearned, and through what; by preset.
DEPTH = {
    "embedded": (Training(lr=0.02, epochs=5, batch=8, schedule="cosine", warmup=0.03, optimizer="sgd"),
                 Training(lr=5e-4, epochs=20, batch=40, schedule="constant", optimizer="sgd"), Adaptation()),
    "paper": (Training(1e-5, epochs=5, batch=8, micro_batch=8, schedule="cosine", warmup=0.03, optimizer="sgd"),
              Training(5e-5, epochs=20, batch=40, micro_batch=8, schedule="constant", optimizer="sgd"),
              Adaptation("qlora", 16, 32, dropout=0.05)),
}  # fmt: skip
SYSTEM = {"authors-code": "You are a helpful assistant."}  # message before every conversation, by preset


DEFAULT_MODELS = tuple(SEEDS)


@dataclass(frozen=True)
class Options:
    """What is chosen: the data, how a model is trained and unlearned, and what is measured."""

    preset: str | None = None
    """embedded, paper or authors-code; by default the paper's for its models, else embedded."""
    revision: str | None = None
    """Revision of a hub id."""
    template: str | None = None
    """Chat template: own, plain, a .jinja file, or a directory or hub id whose tokenizer has one."""
    system: str | None = None
    """System message before every conversation."""
    stages: tuple[str, ...] = STAGES
    """Stages in the order the retained ones are trained; the forget stage is among them."""
    forget: str = "safety"
    """The stage to be unlearned."""
    data: dict[str, str] = field(default_factory=dict)
    """Files by stage: STAGE FILE …; the generated corpora for the others."""
    test_data: dict[str, str] = field(default_factory=dict)
    """Files of held-out rows by stage; by default they are drawn from the training file."""
    rows: dict[str, int] = field(default_factory=dict)
    """Training rows by stage."""
    held_out: dict[str, int] = field(default_factory=dict)
    """Held-out rows by stage."""
    epochs: dict[str, int] = field(default_factory=dict)
    """Epochs by stage."""
    lr: float | None = None
    """Learning rate of all stages."""
    unlearning_lr: float | None = None
    """Learning rate of unlearning."""
    batch: int | None = None
    """Rows of an update, in learning and unlearning."""
    micro_batch: int | None = None
    """Rows of one forward pass; smaller ones accumulate to the same update."""
    adaptation: str | None = None
    """full, lora, or qlora (LoRA on NF4)."""
    rank: int | None = None
    """LoRA rank; alpha is twice the rank."""
    anew: bool = False
    """Merge the adapter after every stage and start a new one, instead of one through all stages."""
    methods: tuple[str, ...] | None = None
    """Unlearning methods; by default the experiment's."""
    include_mixture: bool = False
    """Train the i.i.d. mixture of all stages, too: as many shuffles as there are paths."""
    seeds: int | None = None
    """Shuffle seeds; by default 3 for tiny-llama, 2 for tiny-qwen2, else 1."""
    base: int = 0
    """Seed of pretraining and generated corpora."""
    precision: str = "fp32"
    """fp32, or bf16 for models with an adapter."""
    device: str = "auto"
    """cpu, cuda, or auto: cuda where there is one."""
    probes: dict[str, float] = field(default_factory=dict)
    """Numbers of the probes by name: every, forget, tofu, distance, fixed, parameters, sums, samples, temperature,
    max_tokens."""
    math_prompt: str | None = None
    """How a sum is asked, with {question} in it."""
    quick: bool = False
    """One seed, half the pretraining, and few probe questions."""


def _model(name: str, options: Options) -> Architecture | Pretrained:
    system = options.system or SYSTEM.get(preset_of(name, options))
    if name in EMBEDDED:
        return EMBEDDED[name]
    if name in CATALOGUE:
        paper = CATALOGUE[name]
        return Pretrained(paper.hub_id, options.revision, options.template or paper.sibling, system)
    if Path(name).is_dir() or name.count("/") == 1:
        return Pretrained(name, options.revision, options.template, system)
    names = ", ".join([*EMBEDDED, *CATALOGUE])
    raise InputError(f"model: expected one of {names}, a directory, or a hub id OWNER/NAME; got {name!r}")


def _device(chosen: str) -> str:
    known("device", chosen, ["auto", "cpu", "cuda"])
    there = torch.cuda.is_available()
    if chosen == "cuda" and not there:
        raise InputError("device: expected a CUDA GPU; torch finds none: take cpu")
    return "cuda" if chosen != "cpu" and there else "cpu"


def _trained(training: Training, lr: float | None, options: Options) -> Training:
    changes = {"lr": lr, "batch": options.batch, "micro_batch": options.micro_batch}
    return replace(training, **{name: value for name, value in changes.items() if value is not None})  # type: ignore


def _stage(name: str, stage: Stage, options: Options) -> Stage:
    training = _trained(stage.training, options.lr, options)
    files = Files(options.data[name], options.test_data.get(name)) if name in options.data else None
    return Stage(
        options.rows.get(name, stage.train), options.held_out.get(name, stage.held_out),
        replace(training, epochs=options.epochs.get(name, training.epochs)), files,
    )  # fmt: skip


def _probes(probes: Probes, options: Options) -> Probes:
    """The preset's probes with the chosen numbers in their place."""
    kinds = {name: type(value) for name, value in vars(probes).items() if not isinstance(value, str)}
    chosen: dict[str, Any] = {}
    for name, number in options.probes.items():
        kind = kinds[known("probes", name, list(kinds))]
        if kind is not float and number != int(number):
            raise InputError(f"probes: expected a whole number for {name}; got {number:g}")
        chosen[name] = kind(number)
    if options.math_prompt is not None:
        chosen["prompt"] = options.math_prompt
    return replace(probes, **chosen)


def _check_names(options: Options) -> None:
    for name in options.stages:
        known("stages", name, list(STAGES))
    if len(options.stages) < 2:
        chosen = ", ".join(options.stages) or "none"
        raise InputError(f"stages: expected the forget stage and at least one other; got {chosen}")
    known("forget", options.forget, list(options.stages))
    named: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("data", options.data), ("test-data", options.test_data), ("rows", options.rows),
        ("held-out", options.held_out), ("epochs", options.epochs),
    )  # fmt: skip
    for argument, by_stage in named:
        for name in by_stage:
            known(argument, name, list(options.stages))
    alone = [name for name in options.test_data if name not in options.data]
    if alone:
        raise InputError(f"test-data: expected training rows in data, too; {', '.join(alone)} has none")


def preset_of(model: str, options: Options) -> str:
    """The preset's name: the one chosen, else the paper's for its models, else embedded."""
    return known("preset", options.preset or ("paper" if model in CATALOGUE else "embedded"), list(PRESETS))


def _table2(settings: Settings, model: str) -> Settings:
    """Learning rates, batches and adapter of one of the paper's models, as its Table 2 has them."""
    paper = CATALOGUE[model]
    stages = {
        name: replace(stage, training=replace(stage.training, lr=paper.lr, batch=paper.batch))
        for name, stage in settings.stages.items()
    }
    unlearning = replace(settings.unlearning, lr=paper.unlearning_lr, batch=paper.unlearning_batch)
    adapter = replace(settings.adaptation, rank=paper.rank, alpha=paper.alpha)
    return replace(settings, stages=stages, unlearning=unlearning, adaptation=adapter)


def settings_of(model: str, options: Options) -> Settings:
    """The preset of a model with every choice put in its place; InputError for what cannot be chosen."""
    _check_names(options)
    preset = preset_of(model, options)
    settings = PRESETS[preset]
    if preset == "paper" and model in CATALOGUE:
        settings = _table2(settings, model)
    adapter = replace(settings.adaptation, kind=options.adaptation or settings.adaptation.kind, anew=options.anew)
    if options.rank is not None:
        adapter = replace(adapter, rank=options.rank, alpha=2 * options.rank)
    probes = settings.probes
    if options.quick:
        probes = replace(probes, forget=8, tofu=16, distance=8, sums=min(40, probes.sums))
        settings = replace(settings, pretraining_rows=9600)
    return replace(
        settings,
        model=_model(model, options),
        adaptation=adapter,
        precision=options.precision,
        device=_device(options.device),
        stages={name: _stage(name, settings.stages[name], options) for name in options.stages},
        unlearning=_trained(settings.unlearning, options.unlearning_lr, options),
        probes=_probes(probes, options),
    )


def base_experiment(model: str, options: Options) -> Experiment:
    """The paths p = 1..P of one model under the chosen methods; every other experiment is made from it.

    model: embedded or one of the paper's by name (see `llm.models.catalogue`), a directory, or a hub id OWNER/NAME.
    Raises InputError for an unknown model, preset, stage or method, a forget stage that is not among the stages, or
    fewer than one seed.
    """
    settings = settings_of(model, options)
    seeds = options.seeds if options.seeds is not None else 1 if options.quick else SEEDS.get(model, 1)
    if seeds < 1:
        raise InputError(f"seeds: expected at least 1; got {seeds}")
    return Experiment(
        name="positions",
        world="llm",
        model=model,
        retain=tuple(stage for stage in options.stages if stage != options.forget),
        forget=options.forget,
        methods=named_methods(METHODS_BY_DEFAULT if options.methods is None else options.methods, METHODS),
        steps=updates_of(settings.stages[options.forget].train, settings.unlearning),
        seeds=tuple(range(seeds)),
        settings=settings,
        base=options.base,
    )
