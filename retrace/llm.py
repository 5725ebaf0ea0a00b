"""`retrace llm`: the language models."""

from dataclasses import dataclass
from pathlib import Path

from protocol.progress import Progress
from protocol.spec import Experiment
from retrace.output import save, writable

DEFAULT_SEEDS = {"tiny-llama": 3, "tiny-qwen2": 2}  # the embedded models, and how many shuffle seeds each is given


@dataclass(frozen=True)
class Llm:
    """The language models: train every path, unlearn by every method, measure every step."""

    models: tuple[str, ...] = tuple(DEFAULT_SEEDS)
    """Embedded models: tiny-llama, tiny-qwen2."""
    stages: tuple[str, ...] = ("inst", "tofu", "math", "safety")
    """Stages in the order the retained ones are trained; the forget stage is among them."""
    forget: str = "safety"
    """The stage to be unlearned; it is put at every position."""
    methods: tuple[str, ...] = ("GA", "NPO", "SimNPO", "SimNPO-beta1")
    """Unlearning methods: GA, NPO, SimNPO (β = 0.2), SimNPO-beta1."""
    seeds: int | None = None
    """Shuffle seeds of each model; by default 3 for tiny-llama and 2 for tiny-qwen2, 1 with --quick."""
    quick: bool = False
    """Half the pretraining, few probe questions and one seed."""
    out: Path = Path("out")
    """Folder the tables are written into, under records/llm."""
    runs: Path = Path("runs")
    """Folder of the stage store."""
    workers: int | None = None
    """Single-threaded processes; by default one a core."""


def experiments(command: Llm) -> list[Experiment]:
    """The positions experiment of every model."""
    from llm import positions

    return [
        positions.positions_experiment(
            model,
            stages=command.stages,
            forget=command.forget,
            methods=command.methods,
            seeds=command.seeds if command.seeds is not None else 1 if command.quick else DEFAULT_SEEDS.get(model, 1),
            quick=command.quick,
        )
        for model in command.models
    ]


def run(command: Llm, report: Progress) -> str:
    """`retrace llm`; returns the closing line."""
    from llm import positions

    chosen, out = experiments(command), writable(command.out)
    save(positions.run(chosen, command.runs, workers=command.workers, progress=report), out, "llm")
    return f"records: {out / 'records'}"
