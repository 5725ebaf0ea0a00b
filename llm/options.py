"""The choices that turn a preset into an experiment: the options of the command line, and of a notebook.

A choice left open (None, or nothing by name) is the preset's.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from llm.methods import METHODS
from llm.models import EMBEDDED, Architecture, Pretrained
from llm.models.adapters import Adaptation
from llm.models.catalogue import CATALOGUE
from llm.presets import PRESET_METHODS, PRESETS, STAGES, SYSTEM, table2
from llm.settings import Files, Probes, Settings, Stage
from llm.training import Training, updates_of
from protocol.errors import InputError, known
from protocol.spec import Experiment, named_methods

METHODS_BY_DEFAULT = ("GA", "NPO", "SimNPO", "SimNPO-original", "SimNPO-beta1")
SEEDS = {"tiny-llama": 3, "tiny-qwen2": 2}  # shuffle seeds by default; 1 for any other model
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
    """Stages in the order the retained ones are trained; the forget stage is among them. One of a name of its own needs
    its file and its number of rows."""
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
    precision: str | None = None
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
        for option in ("revision", "template", "system"):
            if getattr(options, option) is not None:
                raise InputError(f"{option}: expected to be left out, as the embedded {name} has a format of its own")
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


def _own(name: str, settings: Settings, options: Options) -> Stage:
    """A stage the preset does not have: its rows from a file, learned once, the way the others are."""
    if name not in options.rows:
        raise InputError(f"rows: expected a number for {name}, as the preset has none; got none")
    others = next(iter(settings.stages.values()))
    return Stage(options.rows[name], 32, replace(others.training, epochs=1))


def _stage(name: str, settings: Settings, options: Options) -> Stage:
    stage = settings.stages[name] if name in settings.stages else _own(name, settings, options)
    training = _trained(stage.training, options.lr, options)
    test = (options.test_data[name],) if name in options.test_data else ()
    files = Files((options.data[name],), test) if name in options.data else None
    return Stage(
        options.rows.get(name, stage.train), options.held_out.get(name, stage.held_out),
        replace(training, epochs=options.epochs.get(name, training.epochs)), files,
    )  # fmt: skip


def _probes(probes: Probes, options: Options) -> Probes:
    """The preset's probes with the chosen numbers in their place."""
    kinds = {name: type(value) for name, value in vars(probes).items() if isinstance(value, int | float)}
    chosen: dict[str, Any] = {}
    for name, number in options.probes.items():
        kind = kinds[known("probes", name, list(kinds))]
        if not math.isfinite(number) or (kind is not float and number != int(number)):
            wanted = "a number" if kind is float else "a whole number"
            raise InputError(f"probes: expected {wanted} for {name}; got {number:g}")
        chosen[name] = kind(number)
    if options.math_prompt is not None:
        chosen["prompt"] = options.math_prompt
    return replace(probes, **chosen)


def _check_names(options: Options, there: Mapping[str, Stage]) -> None:
    """InputError for stages that neither the preset (`there`) nor a file has, or that no order could name."""
    for name in options.stages:
        known("stages", name, list(dict.fromkeys([*there, *options.data])))
        if not re.fullmatch(r"[\w.-]+", name):
            raise InputError(f"stages: expected names of letters, digits, dots, - and _; got {name!r}")
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


def adapted(adaptation: Adaptation, options: Options) -> Adaptation:
    """A preset's adaptation with the chosen kind, rank and way through the stages; InputError for what has no use."""
    adaptation = replace(adaptation, kind=options.adaptation or adaptation.kind, anew=options.anew)
    for name, given in (("rank", options.rank is not None), ("anew", options.anew)):
        if given and adaptation.kind == "full":
            raise InputError(f"{name}: expected with --adaptation lora or qlora; all weights are trained: leave it out")
    return adaptation if options.rank is None else replace(adaptation, rank=options.rank, alpha=2 * options.rank)


def settings_of(model: str, options: Options) -> Settings:
    """The preset of a model with every choice put in its place; InputError for what cannot be chosen."""
    preset = preset_of(model, options)
    settings = PRESETS[preset]
    _check_names(options, settings.stages)
    if model in CATALOGUE and preset != "embedded":
        settings = table2(settings, model, preset)
    probes = settings.probes
    if options.quick:
        probes = replace(probes, forget=8, tofu=16, distance=8, sums=min(40, probes.sums))
        settings = replace(settings, pretraining_rows=9600)
    return replace(
        settings,
        model=_model(model, options),
        adaptation=adapted(settings.adaptation, options),
        precision=options.precision or settings.precision,
        device=_device(options.device),
        stages={name: _stage(name, settings, options) for name in options.stages},
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
    chosen = METHODS_BY_DEFAULT if options.methods is None else options.methods
    seeds = options.seeds if options.seeds is not None else 1 if options.quick else SEEDS.get(model, 1)
    if seeds < 1:
        raise InputError(f"seeds: expected at least 1; got {seeds}")
    return Experiment(
        name="positions",
        world="llm",
        model=Path(model).name if Path(model).is_dir() else model,  # records name no place of a machine
        retain=tuple(stage for stage in options.stages if stage != options.forget),
        forget=options.forget,
        methods=named_methods(chosen, PRESET_METHODS.get(preset_of(model, options), METHODS)),
        steps=updates_of(settings.stages[options.forget].train, settings.unlearning),
        seeds=tuple(range(seeds)),
        settings=settings,
        base=options.base,
    )
