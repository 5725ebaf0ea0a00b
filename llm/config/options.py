"""The options of an experiment, and the settings and the experiment that are made of them.

`Options` adds changes of the settings to `RunOptions`: a mapping for each nested dataclass of
`llm.config.settings`, a value for each other field. A setting that is left out is the preset's.
Whatever cannot be chosen is an InputError that names the option.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llm.config.presets import (
    METHODS_BY_DEFAULT,
    PRESET_METHODS,
    PRESETS,
    SYSTEM,
    on_generated_rows,
    table2,
)
from llm.config.run_options import (
    DEFAULT_MODELS,
    RunOptions,
    check_model,
    check_stages,
    device_of,
    files_of,
    name_of,
    own_stage,
    phrases_of,
    seeds_of,
)
from llm.config.settings import Probes, Settings, Stage, option, replaced
from llm.corpora.refusals import LABEL
from llm.models import EMBEDDED, Architecture, Pretrained
from llm.models.adapters import Adaptation
from llm.models.catalogue import CATALOGUE, named
from llm.training.recipe import Recipe, updates_of
from protocol.errors import InputError, known
from protocol.notices import notice
from protocol.spec import Experiment, named_methods

__all__ = ["DEFAULT_MODELS", "Options", "base_experiment", "paths_of", "preset_of", "settings_of"]

Changes = Mapping[str, Any]  # values by field; None or no entry: the preset's value
# The options that are changes of a dataclass; `learning` changes the recipes of all stages.
GROUPS: dict[str, type] = {
    "learning": Recipe,
    "unlearning": Recipe,
    "pretraining": Recipe,
    "adaptation": Adaptation,
    "probes": Probes,
}
READ_FROM_FILES = ("paraphrases",)  # fields of the groups that `RunOptions` reads from a file


@dataclass(frozen=True)
class Options(RunOptions):
    """What is chosen: the data, how a model is trained and unlearned, and what is measured.

    The docstrings of the settings are those of the fields in llm.config.settings.
    """

    learning: Changes = field(default_factory=dict)
    unlearning: Changes = field(default_factory=dict)
    pretraining: Changes = field(default_factory=dict)
    adaptation: Changes = field(default_factory=dict)
    probes: Changes = field(default_factory=dict)
    precision: str | None = None
    device: str | None = None
    attention: str | None = None
    max_length: int | None = None
    eval_batch: int | None = None
    retained: int | None = None
    shuffle: str | None = None
    pretraining_rows: int | None = None


# The options that are one field of `Settings` each.
SCALARS = tuple(name for name in Options.__annotations__ if name not in GROUPS)


def changes_of(options: Options, group: str) -> dict[str, Any]:
    """The changes of a group without the fields that are left open."""
    changes = getattr(options, group)
    if not isinstance(changes, Mapping):
        raise InputError(f"{group}: expected values by field, as in {{'…': 1}}; got {changes!r}")
    return {name: value for name, value in changes.items() if value is not None}


def _model(model: str, options: Options) -> Architecture | Pretrained:
    if model in EMBEDDED:
        for name in ("revision", "template", "system"):
            if getattr(options, name) is not None:
                why = f"the embedded {model} has a format of its own"
                raise InputError(f"{name}: expected to be left out, as {why}")
        return EMBEDDED[model]
    for name in ("pretraining", "pretraining_rows"):
        if getattr(options, name) not in (None, {}):
            why = f"{model} is pretrained already"
            raise InputError(f"{option(name)}: expected to be left out, as {why}")
    system, entry = options.system or SYSTEM.get(preset_of(model, options)), named(model)
    if entry is None:
        return Pretrained(model, options.revision, options.template, system)
    paper = CATALOGUE[entry]
    if model.casefold() == paper.sibling.casefold():  # it has a template of its own
        return Pretrained(paper.sibling, options.revision, options.template, system)
    return Pretrained(paper.hub_id, options.revision, options.template or paper.sibling, system)


def _stage(name: str, settings: Settings, embedded: bool, options: Options) -> Stage:
    """A stage of the preset, or a stage with a name of its own, with the chosen rows and recipe."""
    stage = settings.stages[name] if name in settings.stages else own_stage(name, settings, options)
    recipe = replaced(stage.recipe, options.learning, "learning")
    return Stage(
        options.rows.get(name, stage.train),
        options.held_out.get(name, stage.held_out),
        replace(recipe, epochs=options.epochs.get(name, recipe.epochs)),
        files_of(name, stage, embedded, options),
    )


def adapted(adaptation: Adaptation, options: Options) -> Adaptation:
    """A preset's adaptation with the chosen fields; alpha is twice a chosen rank by default."""
    changes = changes_of(options, "adaptation")
    changed = replaced(adaptation, changes, "adaptation")
    unused = [name for name in changes if name != "kind"]
    if unused and changed.kind == "full":
        raise InputError(
            f"adaptation.{option(unused[0])}: expected with --adaptation.kind lora or qlora; all "
            "weights are trained: leave it out"
        )
    alpha = 2 * changed.rank if "rank" in changes and "alpha" not in changes else changed.alpha
    return replace(changed, alpha=alpha)


def _probes(probes: Probes, options: Options) -> Probes:
    """The preset's probes with the chosen fields, label and paraphrases.

    The label and the paraphrases of a preset are refusals, which answer no other stage than safety.
    """
    changes = changes_of(options, "probes")
    if "paraphrases" in changes:
        raise InputError("probes.paraphrases: expected a file of them, as paraphrases=FILE")
    if options.forget != "safety":
        if options.paraphrases is not None and "label" not in changes:
            raise InputError(
                f"paraphrases: expected with --probes.label, as the stage {options.forget} has no "
                "label; add one"
            )
        probes = replace(probes, label=None, paraphrases=None)
    probes = replaced(probes, changes, "probes")
    if probes.label is not None:
        probes = replace(probes, label=probes.label.strip())
    if options.paraphrases is None:
        return probes
    return replace(probes, label=probes.label or LABEL, paraphrases=phrases_of(options.paraphrases))


def _quick(settings: Settings) -> Settings:
    """Half the pretraining, and few probe questions."""
    sums = min(40, settings.probes.sums)
    probes = replace(settings.probes, forget=8, tofu=16, distance=8, sums=sums)
    return replace(settings, probes=probes, pretraining_rows=9600)


def preset_of(model: str, options: Options) -> str:
    """The preset's name: the chosen one, else paper for the paper's models, else embedded."""
    usual = "paper" if named(model) else "embedded"
    return known("preset", options.preset or usual, list(PRESETS))


def settings_of(model: str, options: Options) -> Settings:
    """The preset of a model with every option in its place; InputError for a wrong option."""
    model = str(model)  # a notebook may name a directory by its Path
    check_model(model)
    preset, entry, embedded = preset_of(model, options), named(model), model in EMBEDDED
    settings = on_generated_rows(PRESETS[preset]) if embedded else PRESETS[preset]
    check_stages(options, settings.stages)
    if entry and preset != "embedded":
        settings = table2(settings, CATALOGUE[entry], preset)
    if options.quick:
        settings = _quick(settings)
    stages = {name: _stage(name, settings, embedded, options) for name in options.stages}
    if options.skip_bad_rows and not any(stage.files for stage in stages.values()):
        raise InputError(
            "skip-bad-rows: expected with --data; all rows are generated: leave it out"
        )
    settings = replace(
        settings,
        model=_model(model, options),
        adaptation=adapted(settings.adaptation, options),
        stages=stages,
        unlearning=replaced(settings.unlearning, options.unlearning, "unlearning"),
        pretraining=replaced(settings.pretraining, options.pretraining, "pretraining"),
        probes=_probes(settings.probes, options),
    )
    values = {name: getattr(options, name) for name in SCALARS}
    return replaced(settings, {**values, "device": device_of(options.device)})


def paths_of(model: str, options: Options) -> Experiment:
    """`base_experiment` without a notice: for experiments that replace the preset's recipes."""
    settings, preset = settings_of(model, options), preset_of(model, options)
    methods = METHODS_BY_DEFAULT[preset] if options.methods is None else options.methods
    if preset != "embedded" and "SimNPO-beta1" in methods:
        raise InputError(
            f"methods: expected SimNPO, whose β is 1 under the preset {preset}; got 'SimNPO-beta1'"
        )
    return Experiment(
        name="positions",
        world="llm",
        model=name_of(model),
        retain=tuple(stage for stage in options.stages if stage != options.forget),
        forget=options.forget,
        methods=named_methods(methods, PRESET_METHODS[preset]),
        steps=updates_of(settings.stages[options.forget].train, settings.unlearning),
        seeds=seeds_of(model, options),
        settings=settings,
        base=options.base,
    )


def base_experiment(model: str, options: Options) -> Experiment:
    """The paths p = 1..P of one model under the chosen methods; others are made from it.

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
    """The settings of a model outside Table 2, in one line."""
    settings: Settings = experiment.settings
    how, adapter = settings.unlearning, settings.adaptation
    rates = sorted({(stage.recipe.lr, stage.recipe.batch) for stage in settings.stages.values()})
    learned = ", ".join(f"lr {lr:g} in batches of {batch}" for lr, batch in rates)
    adapter_size = f"rank {adapter.rank}, alpha {adapter.alpha}"
    trained = "all weights" if adapter.kind == "full" else adapter_size
    return (
        f"preset {preset}: Table 2 has no {experiment.model}; taken: {trained}; "
        f"learning {learned}; unlearning lr {how.lr:g} in batches of {how.batch}"
    )
