"""Every experiment of the language models by name: its orders, methods and settings.

An experiment of several settings is a list of experiments, named FAMILY/VALUE in the records. A run
that the positions make with the same leaf, method and settings is shared, and is not made again.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from llm.config.options import (
    Options,
    adapted,
    base_experiment,
    changes_of,
    paths_of,
    preset_of,
)
from llm.config.presets import DEPTH
from llm.config.settings import Pretrained, Stage, option, replaced
from llm.training.recipe import updates_of
from protocol import orders
from protocol.errors import InputError, known
from protocol.orders import Order
from protocol.spec import PAPER_METHODS, Experiment

LEARNING_RATES = (0.1, 0.5, 5.0)  # of the usual rate: the paper's 1e-6, 5e-6, 5e-5 against 1e-5
SCHEDULES = ("wsd", "cosine", "constant")
# Learning rates as multiples of AdamW's. A step of AdamW on d parameters is about lr·√d long, hence
# 700 for half a million. A plain step of that length needs this rate divided by the norm of the
# gradient, which is about 300 under GA on the tiny models.
OPTIMIZERS = {"adamw": 1.0, "normalized": 700.0, "sgd": 2.3}
DOSES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8)  # shares of the forget stage's updates
BASES = 3  # pretrainings, from the base of the options on
WASHED = (5, 10, 20, 50)  # updates of another stage after the forget stage
# Options of the stages, of which depth has its own.
DEPTH_IGNORES: tuple[str, ...] = (
    "stages",
    "forget",
    "data",
    "test_data",
    "skip_bad_rows",
    "rows",
    "held_out",
)
DEPTH_IGNORES += ("epochs", "probes.label", "paraphrases", "include_mixture")


def _with_methods(options: Options, names: tuple[str, ...]) -> Options:
    return options if options.methods is not None else replace(options, methods=names)


def _seeded(options: Options, seeds: int) -> Options:
    given = options.seeds is not None or options.seed_list is not None
    return options if given else replace(options, seeds=seeds)


def _sparse(experiment: Experiment, options: Options, every: int = 5) -> Experiment:
    """Probes every fifth step and no math panel, unless the options say otherwise."""
    changes = {"every": every, "sums": 0} | changes_of(options, "probes")
    probes = replace(experiment.settings.probes, every=changes["every"], sums=changes["sums"])
    return replace(experiment, settings=replace(experiment.settings, probes=probes))


def _refuse(name: str, options: Options, *unused: str) -> None:
    """InputError if an option is set that the experiment does not use."""
    for path in unused:
        group, _, inner = path.partition(".")
        value, usual = getattr(options, group), getattr(Options(), group)
        if inner:
            value, usual = changes_of(options, group).get(inner), None
        if value != usual:
            raise InputError(f"{option(path)}: expected to be left out, as {name} does not use it")


def _base(model: str, options: Options) -> Experiment:
    """The positions under the paper's methods."""
    _refuse("this experiment", options, "include_mixture")
    return base_experiment(model, _with_methods(options, PAPER_METHODS))


def _updates(experiment: Experiment, stage: str) -> int:
    trained = experiment.settings.stages[stage]
    return updates_of(trained.train, trained.recipe)


def positions(model: str, options: Options) -> list[Experiment]:
    """The paths: the forget stage at every position (Section 4, Figures 1 and 3, Table 1)."""
    base = base_experiment(model, options)
    if not options.include_mixture:
        return [base]
    every = "+".join(options.stages)
    mixtures = tuple((f"{every}#{shuffle}",) for shuffle in range(1, len(base.paths) + 1))
    return [replace(base, starts=(*base.paths, *mixtures))]


def every_order(model: str, options: Options) -> list[Experiment]:
    """All orders of the stages, 24 of four, each with the retrained model of its own order."""
    base = _sparse(_base(model, options), options)
    return [replace(base, name="orders", starts=orders.permutations((*base.retain, base.forget)))]


def depth(model: str, options: Options) -> list[Experiment]:
    """Learn three answers C, U, R to the same prompts in six orders, then unlearn U (Figure 4).

    --learning.* and --unlearning.* change the recipes of this experiment.
    """
    _refuse("depth", options, *DEPTH_IGNORES)
    preset = DEPTH[known("preset", preset_of(model, options), list(DEPTH))]
    base = _sparse(paths_of(model, _with_methods(options, ("GA",))), options, every=1)
    learning = replaced(preset.learning, options.learning, "learning")
    unlearning = replaced(preset.unlearning, options.unlearning, "unlearning")
    settings = replace(
        base.settings,
        adaptation=adapted(preset.adaptation, options),
        precision=options.precision or preset.precision,
        stages={answer: Stage(40, 16, learning) for answer in ("C", "R", "U")},
        unlearning=unlearning,
    )
    depth = replace(base, name="depth", retain=("C", "R"), forget="U", settings=settings)
    starts = orders.permutations(("C", "R", "U"))
    return [replace(depth, starts=starts, steps=updates_of(40, unlearning))]


def dose(model: str, options: Options) -> list[Experiment]:
    """The paths, and orders in which the forget stage is last and stops early, at several doses."""
    base = _base(model, options)
    whole = _updates(base, base.forget)
    counts = sorted({math.ceil(share * whole) for share in DOSES} - {whole})
    dosed = tuple((*base.retain, f"{base.forget}@{count}") for count in counts)
    return [replace(base, name="dose", starts=(*base.paths, *dosed))]


def wash_out(model: str, options: Options) -> list[Experiment]:
    """Orders in which 0 to all updates of the last retained stage follow the forget stage."""
    base = _base(model, options)
    *before, last = base.retain
    counts = [count for count in WASHED if count < _updates(base, last)]
    learned: Order = (*before, base.forget)
    starts = (learned, *((*learned, f"{last}@{count}") for count in counts), (*learned, last))
    return [replace(base, name="wash-out", starts=starts)]


def oracle_local(model: str, options: Options) -> list[Experiment]:
    """Train every path to predict as the retrained model does, on forget prompts alone.

    The rate is that of the forget stage, and the epochs are five times the preset's, by default.
    """
    _refuse("oracle-local", options, "methods", "include_mixture")
    base = _sparse(base_experiment(model, replace(options, methods=("oracle-local",))), options)
    forget = base.settings.stages[base.forget]
    usual = {"lr": forget.recipe.lr, "epochs": 5 * base.settings.unlearning.epochs}
    changes = usual | changes_of(options, "unlearning")
    unlearning = replaced(base.settings.unlearning, changes, "unlearning")
    settings = replace(base.settings, unlearning=unlearning)
    steps = updates_of(forget.train, unlearning)
    return [replace(base, name="oracle-local", steps=steps, settings=settings)]


def history(model: str, options: Options) -> list[Experiment]:
    """Methods that use more than the forget set: retained rows, stored deltas, checkpoints."""
    names = ("GradDiff", "NPO-retain", "negation", "rewind")
    return [replace(_base(model, _with_methods(options, names)), name="history")]


def _sweep(base: Experiment, family: str, value: str, **changes: object) -> Experiment:
    unlearning = replace(base.settings.unlearning, **changes)
    settings = replace(base.settings, unlearning=unlearning)
    return replace(base, name=f"{family}/{value}", settings=settings)


def learning_rates(model: str, options: Options) -> list[Experiment]:
    """Unlearning at a tenth, half and five times the usual learning rate (Figure 6)."""
    base = _base(model, options)
    rates = [factor * base.settings.unlearning.lr for factor in LEARNING_RATES]
    return [_sweep(base, "learning-rates", f"{lr:.3g}", lr=lr) for lr in rates]


def schedules(model: str, options: Options) -> list[Experiment]:
    """Unlearning under WSD, cosine and constant schedules; the learning is shared (Figure 8)."""
    _refuse("schedules", options, "unlearning.schedule")
    base = _base(model, options)
    return [_sweep(base, "schedules", name, schedule=name) for name in SCHEDULES]


def optimizers(model: str, options: Options) -> list[Experiment]:
    """Unlearning by AdamW, by plain SGD, and by SGD on the normalized gradient."""
    _refuse("optimizers", options, "unlearning.optimizer")
    base = _base(model, options)
    lr = base.settings.unlearning.lr
    return [
        _sweep(base, "optimizers", name, optimizer=name, lr=factor * lr)
        for name, factor in OPTIMIZERS.items()
    ]


def bases(model: str, options: Options) -> list[Experiment]:
    """The positions on three pretrained bases, under two shuffle seeds by default."""
    many = _seeded(options, 2)
    base = _sparse(_base(model, many), many)
    if isinstance(base.settings.model, Pretrained):
        raise InputError(
            f"model: expected an embedded one, as bases pretrains it anew; got {model}"
        )
    numbers = range(base.base, base.base + BASES)
    return [replace(base, name=f"bases/{number}", base=number) for number in numbers]


def seeds(model: str, options: Options) -> list[Experiment]:
    """The positions under four shuffle seeds by default (Figure 5)."""
    many = _seeded(options, 4)
    base = _base(model, many)
    return [replace(base, name=f"seeds/{len(base.seeds)}")]


EXPERIMENTS: dict[str, Callable[[str, Options], list[Experiment]]] = {
    "positions": positions,
    "orders": every_order,
    "depth": depth,
    "dose": dose,
    "wash-out": wash_out,
    "oracle-local": oracle_local,
    "history": history,
    "learning-rates": learning_rates,
    "schedules": schedules,
    "optimizers": optimizers,
    "seeds": seeds,
    "bases": bases,
}
