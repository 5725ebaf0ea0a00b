"""What the runs of several orders tell together: how far apart they are at every step, and how fast
they part.

Orders are compared within one group, those with one retrained model. Predictions are those kept at
fixed answer positions ("test": retained stages, "forget": forget prompts). Records:
- a run per group, order "staged" or "mixture": path_distance/part and path_log_distance/part, means
  over the pairs of d(u_p, u_q) in probabilities and in log-probabilities; experiment "mixture" for
  the positions and their control;
- for the positions, measured at every step: experiment "rates" (theory/experiments/rates.py) on
  the centred logits of the retained prompts, and secant_rate, the same quotient in parameters,
  where these were kept.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import log_softmax, softmax

from llm.lab.lab import Lab
from llm.lab.runs import read_outputs, read_parameters, retrained_folder, run_folder
from llm.lab.start import Start
from llm.lab.unlearning import HISTORY_AWARE
from protocol import growth, metrics, orders, records
from protocol.growth import Reading
from protocol.orders import Order
from protocol.recorder import Recorder
from protocol.records import Run, gathered, order_name
from protocol.spec import Experiment, Method, digest

WINDOW = 20  # steps over which growth is measured, the length of the paper's runs


def groups(experiment: Experiment) -> dict[tuple[Order, str], list[Order]]:
    """Orders by that of their retrained model and by kind, staged or mixture, where there are at
    least two.
    """
    found: dict[tuple[Order, str], list[Order]] = {}
    for order in experiment.orders:
        kind = "mixture" if orders.mixed(order) else "staged"
        found.setdefault((orders.retrained(order, experiment.forget), kind), []).append(order)
    return {group: members for group, members in found.items() if len(members) > 1}


def _distances(
    lab: Lab, group: tuple[Order, str], method: Method, told: Sequence[dict[str, np.ndarray]]
) -> pl.DataFrame:
    """The distances of one group under one method, a row per metric and step."""
    (reference, kind), experiment, name = group, lab.experiment, digest(lab.experiment)
    column = "mixture" if experiment.name == "positions" else experiment.name
    run = Run(
        digest([name, column, method.name, lab.seed, order_name(reference), kind]),
        name,
        column,
        "llm",
        experiment.model,
        kind,
        0,
        order_name(reference),
        method.name,
        lab.seed,
    )
    frames = []
    for part, (metric, of) in itertools.product(
        ("test", "forget"), (("path_distance", softmax), ("path_log_distance", log_softmax))
    ):
        predicted = [of(one[part].astype(np.float64), axis=-1) for one in told]
        apart = [((a - b) ** 2).sum(-1).mean(-1) for a, b in itertools.combinations(predicted, 2)]
        steps, value = told[0]["steps"], np.mean(apart, axis=0)
        frames.append(
            gathered(
                [run], np.zeros(len(steps), int), step=steps, metric=f"{metric}/{part}", value=value
            )
        )
    return pl.concat(frames)


def _rates(
    lab: Lab,
    reference: Order,
    method: Method,
    told: Sequence[dict[str, np.ndarray]],
    folders: Sequence[Path],
) -> Iterator[pl.DataFrame]:
    """Rates of divergence of the paths of one seed on the retained prompts."""
    experiment = lab.experiment
    steps = len(told[0]["steps"]) - 1
    if steps != experiment.steps or steps < 3:
        return
    outputs = np.stack([metrics.centred_logits(one["test"].astype(np.float64)) for one in told])
    target = read_outputs(retrained_folder(lab, reference))["test"][0].double().numpy()
    spec, model = digest(experiment), experiment.model
    recorder = Recorder("rates", "llm", experiment, spec=spec, model=model, reference=reference)
    reading = Reading(min(WINDOW, steps), 1, tuple(start for start in (0, 10) if start < steps - 1))
    of_pairs, of_paths = growth.read_off(
        outputs[None], reading, metrics.centred_logits(target)[None]
    )
    kept = [read_parameters(folder) for folder in folders]
    if all(one is not None for one in kept):
        weights = np.stack([one.numpy() for one in kept if one is not None])
        of_pairs |= growth.in_parameters(growth.secant_rates(weights), reading.every)
    growth.record(
        recorder,
        experiment.paths,
        [lab.seed],
        method=method.name,
        of_pairs=of_pairs,
        of_paths=of_paths,
    )
    yield recorder.tables().records


def together(lab: Lab) -> records.Tables:
    """Everything the orders of one seed tell together, out of the store."""
    frames: list[pl.DataFrame] = []
    stepping = [
        method for method in lab.experiment.methods if method.objective not in HISTORY_AWARE
    ]
    for (group, members), method in itertools.product(groups(lab.experiment).items(), stepping):
        folders = [run_folder(Start(lab, order), method) for order in members]
        told = [
            {part: each.numpy() for part, each in read_outputs(folder).items()}
            for folder in folders
        ]
        frames.append(_distances(lab, group, method, told))
        if lab.experiment.name == "positions" and members == list(lab.experiment.paths):
            frames += _rates(lab, group[0], method, told, folders)
    return records.Tables.from_frames(frames)
