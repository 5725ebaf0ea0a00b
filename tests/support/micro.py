"""A positions experiment small enough for a test: one thin layer, a few rows, three unlearning
steps.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from llm.config.experiments import EXPERIMENTS
from llm.config.options import Options, base_experiment
from llm.config.settings import Probes, Settings, Stage
from llm.lab import run as lab_run
from llm.lab.lab import Lab
from llm.lab.workers import Task
from llm.models import Architecture
from llm.models.adapters import Adaptation
from llm.training.recipe import Recipe
from protocol import records
from protocol.spec import Experiment

ARCHITECTURE = Architecture(
    "llama", hidden=16, layers=1, heads=2, kv_heads=1, intermediate=32, vocabulary=400
)
TRAINING = Recipe(lr=1e-3, batch=8, micro_batch=8)


PROBES = Probes(forget=2, tofu=4, distance=3, fixed=8, sums=3, samples=2, max_tokens=6)


def shrunk(chosen: Experiment, *, family: str = "llama", **changes: Any) -> Experiment:
    """Any experiment on the micro model, with few rows; its own methods, orders and unlearning
    stay.
    """
    probes = chosen.settings.probes
    settings = replace(
        chosen.settings,
        model=replace(ARCHITECTURE, family=family),
        pretraining_rows=48,
        pretraining=TRAINING,
        probes=replace(
            PROBES, every=probes.every, sums=3 if probes.sums else 0, parameters=probes.parameters
        ),
        **changes,
    )
    return replace(chosen, settings=settings)


def experiment(
    *,
    seeds: int = 2,
    family: str = "llama",
    adaptation: Adaptation | None = None,
    precision: str = "fp32",
) -> Experiment:
    """Four paths, four methods, three unlearning steps."""
    settings = Settings(
        replace(ARCHITECTURE, family=family),
        adaptation=adaptation or Adaptation(),
        precision=precision,
        pretraining_rows=48,
        pretraining=TRAINING,
        stages={stage: Stage(24, 8, TRAINING) for stage in ("inst", "tofu", "math", "safety")},
        unlearning=TRAINING,
        probes=PROBES,
    )
    methods = ("GA", "NPO", "SimNPO", "SimNPO-beta1")
    base = base_experiment(f"tiny-{family}", Options(seeds=seeds, methods=methods))
    return replace(base, settings=settings, steps=3)


def with_settings(lab: Lab, **changes: Any) -> Lab:
    """The same store, base and seed under other settings."""
    return replace(
        lab, experiment=replace(lab.experiment, settings=replace(lab.settings, **changes))
    )


def with_probes(lab: Lab, **numbers: Any) -> Lab:
    """The same store, base and seed, measured otherwise."""
    return with_settings(lab, probes=replace(lab.settings.probes, **numbers))


def named(name: str) -> Experiment:
    """What `retrace reproduce` runs, at micro size: the positions, or the depth."""
    if name == "positions":
        return experiment()
    return shrunk(EXPERIMENTS[name]("tiny-llama", Options(seeds=2))[0])


def run(runs: Path, *, workers: int = 2, seeds: int = 2) -> records.Result:
    """Run it into a store."""
    return lab_run.run([experiment(seeds=seeds)], runs, workers=workers)


def carry_out(experiments: Sequence[Experiment], runs: Path) -> records.Result:
    """`lab_run.run` in this process: starting workers takes longer than all these experiments
    compute.
    """
    with mock.patch.object(lab_run, "run_all", in_turn):
        return lab_run.run(experiments, runs, workers=1)


def in_turn(tasks: Sequence[Task], *, units: int, **_: Any) -> None:
    reported: list[str] = []
    for task in tasks:
        task(reported.append)
    assert len(reported) == units, "progress ends where it was said to"


if __name__ == "__main__":
    print("running", flush=True)
    run(Path(sys.argv[1]))
