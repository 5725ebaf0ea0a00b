"""Distances between the runs of several orders at every step, and how fast the runs diverge.

Orders are compared within one group: those with one retrained model. Predictions are those kept at
fixed answer positions ("test": retained stages, "forget": forget prompts). Records:
- a run per group, order "staged" or "mixture": path_distance/part and path_log_distance/part, means
  over the pairs of d(u_p, u_q) in probabilities and in log-probabilities; experiment "mixture" for
  the positions and their control;
- for the positions, measured at every step: experiment "rates" (theory/experiments/rates.py) on
  the centred logits of the retained prompts, and, if parameters were kept, secant_rate, the same
  quotient in parameters.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.special import log_softmax, softmax

from llm.lab.lab import Lab
from llm.lab.runs import read_outputs, read_parameters, retrained_folder, run_folder
from llm.lab.start import Start
from llm.training.unlearning import takes_one_step
from protocol import growth, metrics, orders, records
from protocol.growth import Reading
from protocol.orders import Order
from protocol.recorder import Recorder
from protocol.records import Run, gathered, order_name
from protocol.spec import Experiment, Method, digest

WINDOW = 20  # steps over which growth is measured, the length of the paper's runs


Outputs = dict[str, np.ndarray]  # part -> logits (points, positions, V); "steps" -> (points,)
MEASURES = {"path_distance": softmax, "path_log_distance": log_softmax}


def groups(experiment: Experiment) -> dict[tuple[Order, str], list[Order]]:
    """Groups of at least two orders by (order of their retrained model, "staged" or "mixture")."""
    members: dict[tuple[Order, str], list[Order]] = {}
    for order in experiment.orders:
        kind = "mixture" if orders.mixed(order) else "staged"
        group = orders.retrained(order, experiment.forget), kind
        members.setdefault(group, []).append(order)
    return {group: several for group, several in members.items() if len(several) > 1}


def _mean_distance(
    outputs: Sequence[Outputs], part: str, measure: Callable[..., Any]
) -> np.ndarray:
    """Mean over the pairs of paths of Σ_v (a_v − b_v)² by point, itself a mean over positions."""
    predictions = [measure(path[part].astype(np.float64), axis=-1) for path in outputs]
    pairs = itertools.combinations(predictions, 2)
    return np.mean([((a - b) ** 2).sum(-1).mean(-1) for a, b in pairs], axis=0)


def _distances(
    lab: Lab, group: tuple[Order, str], method: Method, outputs: Sequence[Outputs]
) -> pl.DataFrame:
    """The distances of one group under one method, a row per metric and step."""
    (reference, kind), experiment, name = group, lab.experiment, digest(lab.experiment)
    column = "mixture" if experiment.name == "positions" else experiment.name
    run = Run(
        run=digest([name, column, method.name, lab.seed, order_name(reference), kind]),
        spec=name,
        experiment=column,
        world="llm",
        model=experiment.model,
        order=kind,
        position=0,
        reference=order_name(reference),
        method=method.name,
        seed=lab.seed,
    )
    steps, frames = outputs[0]["steps"], []
    for part, (metric, measure) in itertools.product(("test", "forget"), MEASURES.items()):
        value, rows = _mean_distance(outputs, part, measure), np.zeros(len(steps), int)
        frames.append(gathered([run], rows, step=steps, metric=f"{metric}/{part}", value=value))
    return pl.concat(frames)


def _rates(
    lab: Lab,
    reference: Order,
    method: Method,
    outputs: Sequence[Outputs],
    folders: Sequence[Path],
) -> Iterator[pl.DataFrame]:
    """Rates of divergence of the paths of one seed on the retained prompts."""
    experiment = lab.experiment
    steps = len(outputs[0]["steps"]) - 1
    if steps != experiment.steps or steps < 3:
        return
    logits = np.stack([metrics.centred_logits(path["test"].astype(np.float64)) for path in outputs])
    target = read_outputs(retrained_folder(lab, reference))["test"][0].double().numpy()
    spec, model = digest(experiment), experiment.model
    recorder = Recorder("rates", "llm", experiment, spec=spec, model=model, reference=reference)
    reading = Reading(min(WINDOW, steps), 1, tuple(start for start in (0, 10) if start < steps - 1))
    of_pairs, of_paths = growth.read_off(
        logits[None], reading, metrics.centred_logits(target)[None]
    )
    kept = [weights for folder in folders if (weights := read_parameters(folder)) is not None]
    if len(kept) == len(folders):
        parameters = np.stack([weights.numpy() for weights in kept])  # (paths, points, d)
        of_pairs |= growth.in_parameters(growth.secant_rates(parameters), reading.every)
    growth.record(
        recorder,
        experiment.paths,
        [lab.seed],
        method=method.name,
        of_pairs=of_pairs,
        of_paths=of_paths,
    )
    yield recorder.tables().records


def _numpy(folder: Path) -> Outputs:
    return {part: logits.numpy() for part, logits in read_outputs(folder).items()}


def together(lab: Lab) -> records.Tables:
    """What only the orders of one seed together can say, out of the store."""
    frames: list[pl.DataFrame] = []
    stepping = [method for method in lab.experiment.methods if not takes_one_step(method)]
    for (group, members), method in itertools.product(groups(lab.experiment).items(), stepping):
        folders = [run_folder(Start(lab, order), method) for order in members]
        outputs = [_numpy(folder) for folder in folders]
        frames.append(_distances(lab, group, method, outputs))
        if lab.experiment.name == "positions" and members == list(lab.experiment.paths):
            frames += _rates(lab, group[0], method, outputs, folders)
    return records.Tables.from_frames(frames)
