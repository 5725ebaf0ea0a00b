"""The positions experiment: paths p = 1..P of each model, unlearned by every method, from stages to record tables.

A task is one path of one model and seed: its stage nodes, then one unlearning run a method from the leaf. Tasks of the
last position come first, as they train the retrained model that all paths of a seed share.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from llm.models import Pretrained
from llm.nodes import base_folder, format_of, node_folder
from llm.settings import positions_experiment
from llm.stages import Lab, stage_rows
from llm.store import Store, open_store, seconds
from llm.unlearning import Start, floor_folder, read, reference_order, retrained_folder, run_folder
from llm.workers import Report, Task, default_workers, run_all
from protocol import orders, records
from protocol.errors import InputError
from protocol.progress import Progress, quiet
from protocol.spec import Experiment, canonical, digest


def run_path(lab: Lab, position: int, report: Report) -> None:
    """Train path `position` and θ_r, then unlearn by every method; all of it kept in the store."""
    order = lab.experiment.orders[position - 1]
    for stage in range(1, len(order) + 1):
        node_folder(lab, order[:stage])
        report(f"stage {stage}")
    start = Start(lab, order)
    for method in lab.experiment.methods:
        run_folder(start, method)
        report(method.name)


def run_retrained(lab: Lab, others: tuple[Lab, ...], report: Report) -> None:
    """Measure θ_r, and its distance to the θ_r of the other seeds."""
    retrained_folder(lab)
    report("retrained")
    for other in others:
        floor_folder(lab, other)
        report("noise floor")


def _labs(experiment: Experiment, store: Store) -> list[Lab]:
    return [Lab(experiment, seed, store) for seed in experiment.seeds]


def _tasks(experiments: Sequence[Experiment], store: Store) -> tuple[list[Task], int]:
    """Tasks in the order they are started, neighbours on different seeds and models, and their number of units."""
    tasks: list[Task] = []
    units = 0
    labs = sorted((lab for e in experiments for lab in _labs(e, store)), key=lambda lab: lab.seed)
    for position in range(max(len(e.orders) for e in experiments), 0, -1):
        for lab in labs:
            tasks.append(functools.partial(run_path, lab, position))
            units += len(lab.experiment.orders[0]) + len(lab.experiment.methods)
    for lab in labs:
        others = tuple(replace(lab, seed=seed) for seed in lab.experiment.seeds if seed > lab.seed)
        tasks.append(functools.partial(run_retrained, lab, others))
        units += 1 + len(others)
    return tasks, units


def _tables(experiment: Experiment, store: Store) -> records.Tables:
    """All measured values of an experiment out of the store, in the record format."""
    name, parts = digest(experiment), []
    reference = records.order_name(orders.retrained(experiment.orders[0], experiment.forget))

    def table(folder: Path, order: orders.Order, position: int, method: str, seed: int, against: str) -> None:
        run = records.Run(
            folder.name, name, experiment.name, "llm", experiment.model, records.order_name(order), position, against,
            method, seed,
        )  # fmt: skip
        measured = read(folder)
        parts.append(records.tables(run, measured.values, measured.examples))

    for lab in _labs(experiment, store):
        for position, order in enumerate(experiment.orders, start=1):
            for method in experiment.methods:
                table(run_folder(Start(lab, order), method), order, position, method.name, lab.seed, reference)
        table(retrained_folder(lab), reference_order(lab), 0, "retrained", lab.seed, reference)
        for other in (replace(lab, seed=seed) for seed in experiment.seeds if seed > lab.seed):
            against = f"{reference} seed {other.seed}"
            table(floor_folder(lab, other), reference_order(lab), 0, "floor", lab.seed, against)
    return records.Tables.concat(parts)


def _timings(experiment: Experiment, store: Store) -> list[tuple[str, float]]:
    """Seconds each artifact of an experiment took when it was made."""
    lab = _labs(experiment, store)[0]
    nodes = orders.prefix_tree(experiment.orders)
    folders = [] if isinstance(lab.settings.model, Pretrained) else [base_folder(lab)]
    folders += [node_folder(each, node) for each in _labs(experiment, store) for node in nodes]
    folders += [run_folder(Start(each, order), method) for each in _labs(experiment, store)
                for order in experiment.orders for method in experiment.methods]  # fmt: skip
    return [seconds(folder) for folder in folders]


def run(
    experiments: Sequence[Experiment], runs: Path, *, workers: int | None = None, progress: Progress = quiet
) -> records.Result:
    """Run what the store in `runs` does not hold yet and return records, configurations and timings.

    workers: single-threaded processes, by default one a core · progress: called as (label, done, total).

    Raises InputError for no experiments, fewer than one worker, or a store that cannot be used.
    """
    if not experiments:
        raise InputError("models: expected at least one model; got none")
    workers = default_workers() if workers is None else workers
    if workers < 1:
        raise InputError(f"workers: expected at least 1; got {workers}")
    store = open_store(runs)
    for experiment in experiments:  # what cannot be had is found before anything is computed
        lab = _labs(experiment, store)[0]
        for stage in experiment.settings.stages:
            stage_rows(lab, stage)
        if isinstance(lab.settings.model, Pretrained):
            format_of(lab)
    tasks, units = _tasks(experiments, store)
    run_all(tasks, workers=workers, units=units, label="language models", progress=progress)
    return records.Result(
        records.Tables.concat(_tables(experiment, store) for experiment in experiments),
        {digest(experiment): canonical(experiment) for experiment in experiments},
        tuple(timing for experiment in experiments for timing in _timings(experiment, store)),
    )


__all__ = ["positions_experiment", "run"]
