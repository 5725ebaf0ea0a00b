"""Experiments carried out: from stages to record tables, in processes side by side, everything kept
in the store.

A task is one order of one model and seed: its stage nodes, then one unlearning run a method from
the leaf. Orders with the forget stage last come first, as they train the retrained models that
others share.
"""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from llm import models
from llm.data.grading import strict_number
from llm.lab import load_check
from llm.lab.divergence import together
from llm.lab.lab import Lab, learned_rows, say_generated, stage_rows
from llm.lab.nodes import base_folder, context_of, format_of, node_folder
from llm.lab.questions import probe_set
from llm.lab.runs import floor_folder, read, retrained_folder, run_folder
from llm.lab.start import Start
from llm.lab.unlearning import own_place
from llm.lab.workers import Report, Task, run_all, silence_libraries
from llm.models import Pretrained, adapters
from llm.store.artifacts import Store, open_store, seconds
from protocol import orders, records
from protocol.cores import cores
from protocol.errors import InputError
from protocol.notices import notice
from protocol.orders import Order
from protocol.progress import Progress, quiet
from protocol.spec import Experiment, canonical, digest


def run_order(lab: Lab, order: Order, report: Report) -> None:
    """Train an order and its θ_r, then unlearn by every method; all of it kept in the store."""
    for end in range(1, len(order) + 1):
        node_folder(lab, order[:end])
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
    return tuple(replace(lab, seed=seed) for seed in lab.experiment.seeds if seed > lab.seed)


def references(experiment: Experiment) -> list[Order]:
    """The orders of all retrained models, each once."""
    return list(
        dict.fromkeys(orders.retrained(order, experiment.forget) for order in experiment.orders)
    )


def _tasks(experiments: Sequence[Experiment], store: Store) -> tuple[list[Task], int]:
    """Tasks in the order they are started, neighbours on different seeds and models, and their
    number of units.
    """
    tasks: list[Task] = []
    units = 0
    labs = sorted((lab for e in experiments for lab in _labs(e, store)), key=lambda lab: lab.seed)
    chosen = [(lab, order) for lab in labs for order in lab.experiment.orders]
    for lab, order in sorted(
        chosen, key=lambda one: -orders.place(one[1], one[0].experiment.forget)
    ):
        tasks.append(functools.partial(run_order, lab, order))
        units += len(order) + len(lab.experiment.methods)
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
            folder.name,
            name,
            "mixture" if mixture else experiment.name,
            "llm",
            experiment.model,
            records.order_name(order),
            position,
            against,
            method,
            lab.seed,
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
    folders = [] if isinstance(lab.settings.model, Pretrained) else [base_folder(lab)]
    folders += [
        node_folder(lab, node)
        for node in orders.prefix_tree([*experiment.orders, *references(experiment)])
    ]
    folders += [
        run_folder(Start(lab, o), method)
        for o in experiment.orders
        for method in experiment.methods
    ]
    return [seconds(folder) for folder in folders]


def _check_sums(lab: Lab) -> None:
    unmarked = [
        row.prompt for row in stage_rows(lab, "math").held_out if strict_number(row.answer) is None
    ]
    if unmarked:
        rest = f"{unmarked[0]!r:.60} and {len(unmarked) - 1} more without"
        raise InputError(
            f'math: expected held-out answers with a last line "#### NUMBER", or probes sums 0; '
            f"got {rest}"
        )


def _model_notices(lab: Lab) -> list[str]:
    """What is said of a model before it is used; a pretrained one is checked, an embedded one is
    not there yet.
    """
    model, name = lab.settings.model, lab.experiment.model
    if isinstance(model, Pretrained):
        # refuses prompts that are too long, as the number of unlearning steps counts them
        learned_rows(lab, format_of(lab), orders.phase(lab.experiment.forget), context_of(lab))
        return load_check.checked(lab, probe_set(lab)).notices(name)
    how = lab.settings.adaptation
    if how.kind == "full":
        return []
    built = models.build(model, seed=0)
    adapters.attach(built, how, seed=(0,))
    return [f"{name}: {adapters.coverage(built, how)}"]


def _check(experiments: Sequence[Experiment], store: Store) -> None:
    """What cannot be had is found before anything is computed."""
    named = Counter((experiment.name, experiment.model) for experiment in experiments)
    twice = [model for (_, model), count in named.items() if count > 1]
    if twice:  # records could not tell them apart
        raise InputError(
            f"model: expected models of different names; got {twice[0]} twice: rename one directory"
        )
    for experiment in experiments:
        lab = _labs(experiment, store)[0]
        if isinstance(lab.settings.model, Pretrained):
            format_of(lab)
        say_generated(lab)
        for stage in experiment.settings.stages:
            if not stage_rows(lab, stage).held_out:
                raise InputError(f"held-out: expected at least 1 row of {stage}; got none")
        if "math" in experiment.settings.stages and experiment.settings.probes.sums:
            _check_sums(lab)
        for line in _model_notices(lab):
            notice(line)
        if any(method.objective == "negation" for method in experiment.methods):
            for order in experiment.orders:
                own_place(Start(lab, order))


def run(
    experiments: Sequence[Experiment],
    runs: Path,
    *,
    workers: int | None = None,
    checkpoint_every: int = 100,
    progress: Progress = quiet,
) -> records.Result:
    """Run what the store in `runs` does not hold yet and return records, configurations and
    timings.

    workers: single-threaded processes, by default one a core, on a GPU one · checkpoint_every:
    updates between two checkpoints of a stage in training · progress: called as (label, done,
    total).

    Raises InputError for no experiments, fewer than one worker, or a store that cannot be used.
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
    timings = dict.fromkeys(
        timing for lab in labs for timing in _timings(lab)
    )  # experiments share nodes
    return records.Result(
        records.Tables.concat(_tables(lab) for lab in labs),
        {digest(experiment): canonical(experiment) for experiment in experiments},
        tuple(timings),
    )
