"""Experiments carried out: from stages to record tables, in parallel processes, into the store.

A task is one order of one model and seed: its stage nodes, then one unlearning run a method from
the leaf. Orders with the forget stage last come first, as they train the retrained models that
others share.
"""

import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from llm import models
from llm.corpora import depth
from llm.data.grading import strict_number
from llm.lab import load_check
from llm.lab.divergence import together
from llm.lab.lab import Lab
from llm.lab.questions import probe_set
from llm.lab.runs import floor_folder, read, retrained_folder, run_folder
from llm.lab.start import Start
from llm.lab.workers import Report, Task, run_all, silence_libraries
from llm.models import Pretrained, adapters
from llm.store.artifacts import Store, open_store, seconds
from llm.training import unlearning
from protocol import orders, records
from protocol.cores import cores
from protocol.errors import InputError
from protocol.notices import notice
from protocol.orders import Order, Phase
from protocol.progress import Progress, quiet
from protocol.spec import Experiment, canonical, digest


def run_order(lab: Lab, order: Order, report: Report) -> None:
    """Train an order and its θ_r, then unlearn by every method; all of it kept in the store."""
    for end in range(1, len(order) + 1):
        lab.folder(order[:end])
        report(f"stage {end}")
    start = Start(lab, order)
    for method in lab.experiment.methods:
        run_folder(start, method)
        report(method.name)


def run_retrained(lab: Lab, order: Order, others: tuple[Lab, ...], report: Report) -> None:
    """Measure a θ_r, and its distance to the θ_r of the other seeds."""
    retrained_folder(lab, order)
    report("retrained")
    for other in others:
        floor_folder(lab, order, other)
        report("noise floor")


def _labs(experiment: Experiment, store: Store) -> list[Lab]:
    return [Lab(experiment, seed, store) for seed in experiment.seeds]


def _others(lab: Lab) -> tuple[Lab, ...]:
    """The same experiment under the later seeds: every pair of seeds once."""
    return tuple(lab.under(seed) for seed in lab.experiment.seeds if seed > lab.seed)


def references(experiment: Experiment) -> list[Order]:
    """The orders of all retrained models, each once."""
    every = [orders.retrained(order, experiment.forget) for order in experiment.orders]
    return list(dict.fromkeys(every))


def _tasks(experiments: Sequence[Experiment], store: Store) -> tuple[list[Task], int]:
    """Tasks in the order they are started, and their number of units.

    Neighbours are of different seeds and models, so that they do not wait for each other's nodes.
    """
    tasks: list[Task] = []
    units = 0
    labs = [lab for experiment in experiments for lab in _labs(experiment, store)]
    labs.sort(key=lambda lab: lab.seed)
    starts = [Start(lab, order) for lab in labs for order in lab.experiment.orders]
    for start in sorted(starts, key=lambda start: -start.position):
        tasks.append(functools.partial(run_order, start.lab, start.order))
        units += len(start.order) + len(start.lab.experiment.methods)
    for lab in labs:
        for order in references(lab.experiment):
            tasks.append(functools.partial(run_retrained, lab, order, _others(lab)))
            units += 1 + len(_others(lab))
    return tasks, units


def _tables(lab: Lab) -> records.Tables:
    """All measured values of one seed of an experiment out of the store, in the record format."""
    experiment, name, parts = lab.experiment, digest(lab.experiment), []

    def table(folder: Path, order: Order, method: str, against: str, position: int = 0) -> None:
        mixture = experiment.name == "positions" and orders.mixed(order)
        run = records.Run(
            run=folder.name,
            spec=name,
            experiment="mixture" if mixture else experiment.name,
            world="llm",
            model=experiment.model,
            order=records.order_name(order),
            position=position,
            reference=against,
            method=method,
            seed=lab.seed,
        )
        parts.append(records.tables(run, *read(folder)))

    for order in experiment.orders:
        start = Start(lab, order)
        against = records.order_name(start.reference_order)
        for method in experiment.methods:
            table(run_folder(start, method), order, method.name, against, start.position)
    for order in references(experiment):
        against = records.order_name(order)
        table(retrained_folder(lab, order), order, "retrained", against)
        for other in _others(lab):
            table(floor_folder(lab, order, other), order, "floor", f"{against} seed {other.seed}")
    return records.Tables.concat([*parts, together(lab)])


def _timings(lab: Lab) -> list[tuple[str, float]]:
    """Seconds each artifact of one seed of an experiment took when it was made."""
    experiment = lab.experiment
    folders = [] if isinstance(lab.settings.model, Pretrained) else [lab.base.folder]
    nodes = orders.prefix_tree([*experiment.orders, *references(experiment)])
    folders += [lab.folder(node) for node in nodes]
    for order in experiment.orders:
        folders += [run_folder(Start(lab, order), method) for method in experiment.methods]
    return [seconds(folder) for folder in folders]


def _check_sums(lab: Lab) -> None:
    rows = lab.rows("math").held_out
    unmarked = [row.prompt for row in rows if strict_number(row.answer) is None]
    if unmarked:
        rest = f"{unmarked[0]!r:.60} and {len(unmarked) - 1} more without"
        raise InputError(
            'math: expected held-out answers with a last line "#### NUMBER", or --probes.sums 0; '
            f"got {rest}"
        )


def _say_generated(lab: Lab) -> None:
    """A notice of the stages whose rows are generated although the model is no embedded one.

    The answers C, U and R of the depth experiment are generated for every model: they are its
    design.
    """
    generated = [name for name, stage in lab.settings.stages.items() if stage.files is None]
    made = [name for name in generated if name not in depth.ANSWERS]
    if made and isinstance(lab.settings.model, Pretrained):
        notice(
            f"{lab.experiment.model} learns generated rows in {', '.join(made)}, made for models "
            "of half a million parameters: --data STAGE FILE … takes rows of yours, --preset paper "
            "the paper's"
        )


def _model_notices(lab: Lab) -> list[str]:
    """Notices about a model before it is used; a pretrained model is checked, too."""
    model, name = lab.settings.model, lab.experiment.model
    if isinstance(model, Pretrained):
        # refuses prompts that are too long, as the number of unlearning steps counts them
        lab.learned(Phase((lab.experiment.forget,)))
        return load_check.checked(lab, probe_set(lab)).notices(name)
    how = lab.settings.adaptation
    if how.kind == "full":
        return []
    built = models.build(model, seed=0)
    adapters.attach(built, how, seed=(0,))
    return [f"{name}: {adapters.coverage(built, how)}"]


def _check_one(lab: Lab) -> None:
    experiment, settings = lab.experiment, lab.settings
    if isinstance(settings.model, Pretrained):
        lab.base.format  # noqa: B018 (a model that cannot be fetched is refused before its rows)
    _say_generated(lab)
    for stage in settings.stages:
        if not lab.rows(stage).held_out:
            raise InputError(f"held-out: expected at least 1 row of {stage}; got none")
    if "math" in settings.stages and settings.probes.sums:
        _check_sums(lab)
    for line in _model_notices(lab):
        notice(line)
    for method in experiment.methods:
        for order in experiment.orders:
            unlearning.check(Start(lab, order), method)


def _check(experiments: Sequence[Experiment], store: Store) -> None:
    """Bad input is found before anything is computed."""
    named = Counter((experiment.name, experiment.model) for experiment in experiments)
    twice = [model for (_, model), count in named.items() if count > 1]
    if twice:  # records could not tell them apart
        raise InputError(
            f"model: expected models of different names; got {twice[0]} twice: rename one directory"
        )
    for experiment in experiments:
        _check_one(_labs(experiment, store)[0])


def run(
    experiments: Sequence[Experiment],
    runs: Path,
    *,
    workers: int | None = None,
    checkpoint_every: int = 100,
    progress: Progress = quiet,
) -> records.Result:
    """Run what the store in `runs` does not hold yet; return records, configurations and timings.

    workers: single-threaded processes, by default one a core, on a GPU one · checkpoint_every:
    updates between two checkpoints of a stage in training · progress: called as (label, done,
    total). Raises InputError for no experiments, fewer than one worker, a store that cannot be
    used, and for rows, models and methods that an experiment cannot use.
    """
    if not experiments:
        raise InputError("models: expected at least one model; got none")
    on_gpu = any(experiment.settings.device == "cuda" for experiment in experiments)
    workers = (1 if on_gpu else cores()) if workers is None else workers
    if workers < 1:
        raise InputError(f"workers: expected at least 1; got {workers}")
    silence_libraries()
    store = open_store(runs, checkpoint_every=checkpoint_every)
    _check(experiments, store)
    tasks, units = _tasks(experiments, store)
    run_all(tasks, workers=workers, units=units, label="language models", progress=progress)
    labs = [lab for experiment in experiments for lab in _labs(experiment, store)]
    # experiments share nodes, so a timing may come several times
    timings = dict.fromkeys(timing for lab in labs for timing in _timings(lab))
    return records.Result(
        records.Tables.concat(_tables(lab) for lab in labs),
        {digest(experiment): canonical(experiment) for experiment in experiments},
        tuple(timings),
    )
