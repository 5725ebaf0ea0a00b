"""A positions experiment small enough for a test: one thin layer, a few rows, three unlearning steps."""

import sys
from dataclasses import replace
from pathlib import Path

from llm import positions
from llm.models import Architecture
from llm.models.adapters import Adaptation
from llm.settings import Probes, Settings, Stage, positions_experiment
from llm.trainer import Training
from protocol import records
from protocol.spec import Experiment

ARCHITECTURE = Architecture("llama", hidden=16, layers=1, heads=2, kv_heads=1, intermediate=32, vocabulary=400)
TRAINING = Training(lr=1e-3, batch=8, micro_batch=8)


def experiment(
    *, seeds: int = 2, family: str = "llama", adaptation: Adaptation | None = None, precision: str = "fp32"
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
        probes=Probes(forget=2, tofu=4, distance=3, sums=3, samples=2, max_tokens=6),
    )
    return replace(
        positions_experiment(f"tiny-{family}", seeds=seeds), settings=settings, steps=3
    )  # fmt: skip


def run(runs: Path, *, workers: int = 2, seeds: int = 2) -> records.Result:
    """Run it into a store."""
    return positions.run([experiment(seeds=seeds)], runs, workers=workers, progress=lambda *_: None)


if __name__ == "__main__":
    print("running", flush=True)
    run(Path(sys.argv[1]))
