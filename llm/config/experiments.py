"""Every experiment of the language models, by name: what orders, methods and settings it comes to.

An experiment of several settings is a list of them, named FAMILY/VALUE in the records. Where it
asks the same of a leaf as the positions do, its run is theirs and is not made again.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from llm.config.options import Options, base_experiment, paths_of, preset_of
from llm.config.placed import adapted
from llm.config.presets import DEPTH
from llm.config.settings import Pretrained, Stage
from llm.training.recipe import updates_of
from protocol import orders
from protocol.errors import InputError, known
from protocol.orders import Order
from protocol.spec import Experiment

PAPER_METHODS = ("GA", "NPO", "SimNPO")
LEARNING_RATES = (0.1, 0.5, 5.0)  # of the usual one: the paper's 1e-6, 5e-6, 5e-5 beside 1e-5
SCHEDULES = ("wsd", "cosine", "constant")
# Learning rates as multiples of AdamW's. A step of AdamW on d parameters is about lr·√d long, hence
# 700 for half a million; plain steps of that length need it over the gradient's norm, about 300
# under GA on the tiny models.
OPTIMIZERS = {"adamw": 1.0, "normalized": 700.0, "sgd": 2.3}
DOSES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8)  # shares of the forget stage's updates
BASES = 3  # pretrainings from the chosen base on
WASHED = (5, 10, 20, 50)  # updates of another stage after the forget stage


def _with_methods(options: Options, names: tuple[str, ...]) -> Options:
    return options if options.methods is not None else replace(options, methods=names)


def _seeded(options: Options, seeds: int) -> Options:
    chosen = options.seeds is not None or options.seed_list is not None
    return options if chosen else replace(options, seeds=seeds)


def _sparse(experiment: Experiment, options: Options, every: int = 5) -> Experiment:
    """Probes every fifth step and no math panel, where the options say nothing else."""
    chosen = options.probes
    probes = replace(
        experiment.settings.probes,
        sums=int(chosen.get("sums", 0)),
        every=int(chosen.get("every", every)),
    )
    return replace(experiment, settings=replace(experiment.settings, probes=probes))


def _refuse(name: str, options: Options, *unused: str) -> None:
    """InputError where an option is set that the experiment does not use."""
    for option in unused:
        if getattr(options, option) != getattr(Options(), option):
            raise InputError(
                f"{option.replace('_', '-')}: expected to be left out, as {name} does not use it"
            )


def _base(model: str, options: Options) -> Experiment:
    """The positions under the paper's methods."""
    _refuse("this experiment", options, "include_mixture")
    return base_experiment(model, _with_methods(options, PAPER_METHODS))


def _updates(experiment: Experiment, stage: str) -> int:
    chosen = experiment.settings.stages[stage]
    return updates_of(chosen.train, chosen.recipe)


def positions(model: str, options: Options) -> list[Experiment]:
    """Paths p = 1..P: the forget stage at every position (Section 4, Figures 1 and 3, Table 1)."""
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
    """Depth of forgetting: three answers C, U, R to the same prompts, learned in six orders; U is
    unlearned.
    """
    _refuse(
        "depth",
        options,
        "stages",
        "forget",
        "data",
        "test_data",
        "rows",
        "held_out",
        "epochs",
        "batch",
        "micro_batch",
        "skip_bad_rows",
        "label",
        "paraphrases",
        "include_mixture",
    )
    preset = DEPTH[known("preset", preset_of(model, options), list(DEPTH))]
    base = _sparse(paths_of(model, _with_methods(options, ("GA",))), options, every=1)
    learning = replace(preset.learning, lr=options.lr or preset.learning.lr)
    unlearning = replace(preset.unlearning, lr=options.unlearning_lr or preset.unlearning.lr)
    settings = replace(
        base.settings,
        adaptation=adapted(preset.adaptation, options),
        precision=options.precision or preset.precision,
        stages={answer: Stage(40, 16, learning) for answer in ("C", "R", "U")},
        unlearning=unlearning,
    )
    starts, steps = orders.permutations(("C", "R", "U")), updates_of(40, unlearning)
    return [
        replace(
            base,
            name="depth",
            retain=("C", "R"),
            forget="U",
            starts=starts,
            steps=steps,
            settings=settings,
        )
    ]


def dose(model: str, options: Options) -> list[Experiment]:
    """Recency against saturation: the forget stage last but stopped early, beside the paths p =
    1..P.
    """
    base = _base(model, options)
    whole = _updates(base, base.forget)
    counts = sorted({math.ceil(share * whole) for share in DOSES} - {whole})
    dosed = tuple((*base.retain, f"{base.forget}@{count}") for count in counts)
    return [replace(base, name="dose", starts=(*base.paths, *dosed))]


def wash_out(model: str, options: Options) -> list[Experiment]:
    """Recency washed out: so many updates of the last retained stage after the forget stage."""
    base = _base(model, options)
    *before, last = base.retain
    counts = [count for count in WASHED if count < _updates(base, last)]
    learned: Order = (*before, base.forget)
    starts = (learned, *((*learned, f"{last}@{count}") for count in counts), (*learned, last))
    return [replace(base, name="wash-out", starts=starts)]


def oracle_local(model: str, options: Options) -> list[Experiment]:
    """The best that forget prompts allow: the retrained model distilled into every path on these
    alone.
    """
    _refuse("oracle-local", options, "methods", "include_mixture")
    base = _sparse(base_experiment(model, replace(options, methods=("oracle-local",))), options)
    forget = base.settings.stages[base.forget]
    lr = options.unlearning_lr or forget.recipe.lr
    unlearning = replace(
        base.settings.unlearning, lr=lr, epochs=5 * base.settings.unlearning.epochs
    )
    settings = replace(base.settings, unlearning=unlearning)
    return [
        replace(
            base, name="oracle-local", steps=updates_of(forget.train, unlearning), settings=settings
        )
    ]


def history(model: str, options: Options) -> list[Experiment]:
    """Methods that use more than the forget set: retained rows, stored deltas, checkpoints."""
    names = ("GradDiff", "NPO-retain", "negation", "rewind")
    return [replace(_base(model, _with_methods(options, names)), name="history")]


def _sweep(base: Experiment, family: str, value: str, **changes: object) -> Experiment:
    unlearning = replace(base.settings.unlearning, **changes)
    return replace(
        base, name=f"{family}/{value}", settings=replace(base.settings, unlearning=unlearning)
    )


def learning_rates(model: str, options: Options) -> list[Experiment]:
    """Unlearning at a tenth, half and five times the usual learning rate (Figure 6)."""
    base = _base(model, options)
    rates = [factor * base.settings.unlearning.lr for factor in LEARNING_RATES]
    return [_sweep(base, "learning-rates", f"{lr:.3g}", lr=lr) for lr in rates]


def schedules(model: str, options: Options) -> list[Experiment]:
    """Unlearning under WSD, cosine and constant schedules; the learning is shared (Figure 8)."""
    base = _base(model, options)
    return [_sweep(base, "schedules", name, schedule=name) for name in SCHEDULES]


def optimizers(model: str, options: Options) -> list[Experiment]:
    """Unlearning by AdamW, by plain SGD, and by SGD on the normalized gradient."""
    base = _base(model, options)
    lr = base.settings.unlearning.lr
    return [
        _sweep(base, "optimizers", name, optimizer=name, lr=factor * lr)
        for name, factor in OPTIMIZERS.items()
    ]


def bases(model: str, options: Options) -> list[Experiment]:
    """The positions on three bases, each pretrained anew, under two shuffle seeds or as many as are
    chosen.
    """
    many = _seeded(options, 2)
    base = _sparse(_base(model, many), many)
    if isinstance(base.settings.model, Pretrained):
        raise InputError(
            f"model: expected an embedded one, as bases pretrains it anew; got {model}"
        )
    return [
        replace(base, name=f"bases/{number}", base=number)
        for number in range(base.base, base.base + BASES)
    ]


def seeds(model: str, options: Options) -> list[Experiment]:
    """The positions under four shuffle seeds, or as many as are chosen (Figure 5)."""
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
