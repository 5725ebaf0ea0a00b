"""Choices turned into an experiment: the preset of a model with each choice (`llm.config.choices`)
in its place.
"""

from dataclasses import replace
from pathlib import Path

from llm.config.choices import Options
from llm.config.placed import adapted, check_names, device_of, probes_of, stage_of, trained
from llm.config.presets import (
    METHODS_BY_DEFAULT,
    PRESET_METHODS,
    PRESETS,
    SYSTEM,
    on_generated_rows,
    table2,
)
from llm.config.settings import Settings
from llm.models import EMBEDDED, Architecture, Pretrained
from llm.models.catalogue import CATALOGUE, named
from llm.training.recipe import updates_of
from protocol.errors import InputError, known
from protocol.notices import notice
from protocol.spec import Experiment, named_methods

SEEDS = {"tiny-llama": 3, "tiny-qwen2": 2}  # shuffle seeds by default; 1 for any other model
DEFAULT_MODELS = tuple(SEEDS)

__all__ = [
    "DEFAULT_MODELS",
    "SEEDS",
    "Options",
    "base_experiment",
    "paths_of",
    "preset_of",
    "settings_of",
]


def _model(model: str, options: Options) -> Architecture | Pretrained:
    system = options.system or SYSTEM.get(preset_of(model, options))
    if model in EMBEDDED:
        for option in ("revision", "template", "system"):
            if getattr(options, option) is not None:
                raise InputError(
                    f"{option}: expected to be left out, as the embedded {model} has a format of "
                    f"its own"
                )
        return EMBEDDED[model]
    entry = named(model)
    if entry is None:
        return Pretrained(model, options.revision, options.template, system)
    paper = CATALOGUE[entry]
    if model.casefold() == paper.sibling.casefold():  # it has a template of its own
        return Pretrained(paper.sibling, options.revision, options.template, system)
    return Pretrained(paper.hub_id, options.revision, options.template or paper.sibling, system)


def _check_model(model: str) -> None:
    """InputError for a name that can be no model's."""
    if not (model in EMBEDDED or named(model) or Path(model).is_dir() or model.count("/") == 1):
        names = ", ".join([*EMBEDDED, *CATALOGUE])
        raise InputError(
            f"model: expected one of {names}, a directory, or a hub id OWNER/NAME; got {model!r}"
        )


def preset_of(model: str, options: Options) -> str:
    """The preset's name: the one chosen, else the paper's for its models, else embedded."""
    return known(
        "preset", options.preset or ("paper" if named(model) else "embedded"), list(PRESETS)
    )


def settings_of(model: str, options: Options) -> Settings:
    """The preset of a model with every choice put in its place; InputError for what cannot be
    chosen.
    """
    model = str(model)  # a notebook may name a directory by its Path
    _check_model(model)
    preset, entry = preset_of(model, options), named(model)
    settings = on_generated_rows(PRESETS[preset]) if model in EMBEDDED else PRESETS[preset]
    check_names(options, settings.stages)
    if entry and preset != "embedded":
        settings = table2(settings, CATALOGUE[entry], preset)
    probes = settings.probes
    if options.quick:
        probes = replace(probes, forget=8, tofu=16, distance=8, sums=min(40, probes.sums))
        settings = replace(settings, pretraining_rows=9600)
    stages = {name: stage_of(name, settings, model in EMBEDDED, options) for name in options.stages}
    if options.skip_bad_rows and not any(stage.files for stage in stages.values()):
        raise InputError(
            "skip-bad-rows: expected with --data; all rows are generated: leave it out"
        )
    return replace(
        settings,
        model=_model(model, options),
        adaptation=adapted(settings.adaptation, options),
        precision=options.precision or settings.precision,
        device=device_of(options.device),
        attention=options.attention,
        max_length=options.max_length,
        eval_batch=settings.eval_batch if options.eval_batch is None else options.eval_batch,
        stages=stages,
        unlearning=trained(settings.unlearning, options.unlearning_lr, options),
        probes=probes_of(probes, options),
    )


def _seeds(model: str, options: Options) -> tuple[int, ...]:
    if options.seed_list is not None:
        chosen = options.seed_list
        if options.seeds is not None:
            raise InputError("seed-list: expected in place of seeds; got both: leave one out")
        if not chosen or len(set(chosen)) < len(chosen) or min(chosen) < 0:
            raise InputError(
                f"seed-list: expected seeds from 0 on, each once; got "
                f"{', '.join(map(str, chosen)) or 'none'}"
            )
        return chosen
    count = (
        options.seeds if options.seeds is not None else 1 if options.quick else SEEDS.get(model, 1)
    )
    if count < 1:
        raise InputError(f"seeds: expected at least 1; got {count}")
    return tuple(range(count))


def _name(model: str) -> str:
    """A model's name in records: the catalogue's, whatever its case; no directory's place on a
    machine.
    """
    entry = named(model)
    if entry is None:
        return Path(model).name if Path(model).is_dir() else model
    sibling = CATALOGUE[entry].sibling
    return sibling if model.casefold() == sibling.casefold() else entry


def paths_of(model: str, options: Options) -> Experiment:
    """`base_experiment` without a word beside it: for an experiment that replaces what the preset
    trains with.
    """
    settings, preset = settings_of(model, options), preset_of(model, options)
    chosen = METHODS_BY_DEFAULT[preset] if options.methods is None else options.methods
    if preset != "embedded" and "SimNPO-beta1" in chosen:
        raise InputError(
            f"methods: expected SimNPO, whose β is 1 under the preset {preset}; got 'SimNPO-beta1'"
        )
    return Experiment(
        name="positions",
        world="llm",
        model=_name(model),
        retain=tuple(stage for stage in options.stages if stage != options.forget),
        forget=options.forget,
        methods=named_methods(chosen, PRESET_METHODS[preset]),
        steps=updates_of(settings.stages[options.forget].train, settings.unlearning),
        seeds=_seeds(model, options),
        settings=settings,
        base=options.base,
    )


def base_experiment(model: str, options: Options) -> Experiment:
    """The paths p = 1..P of one model under the chosen methods; every other experiment is made from
    it.

    model: embedded or one of the paper's by name or hub id (see `llm.models.catalogue`), a
    directory, or a hub id OWNER/NAME. A notice says what a preset of the paper takes for a model
    that Table 2 does not have. Raises InputError for an unknown model, preset, stage or method, a
    forget stage that is not among the stages, or fewer than one seed.
    """
    experiment, preset = paths_of(model, options), preset_of(model, options)
    if preset != "embedded" and model not in EMBEDDED and named(model) is None:
        notice(_taken(experiment, preset))
    return experiment


def _taken(experiment: Experiment, preset: str) -> str:
    """What the settings of a model outside Table 2 are, in one line."""
    settings: Settings = experiment.settings
    how, adapter = settings.unlearning, settings.adaptation
    rates = sorted({(stage.recipe.lr, stage.recipe.batch) for stage in settings.stages.values()})
    learned = ", ".join(f"lr {lr:g} in batches of {batch}" for lr, batch in rates)
    ranks = (
        "all weights" if adapter.kind == "full" else f"rank {adapter.rank}, alpha {adapter.alpha}"
    )
    return (
        f"preset {preset}: Table 2 has no {experiment.model}; taken: {ranks}; learning {learned}; "
        f"unlearning lr {how.lr:g} in batches of {how.batch}"
    )
