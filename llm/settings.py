"""The whole configuration of the embedded default, one frozen dataclass; sizes as measured to fit 2 cores."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from llm.models import Architecture, architecture
from llm.trainer import Training, updates_of
from protocol.errors import InputError, known
from protocol.spec import METHODS, Experiment, named_methods


@dataclass(frozen=True)
class Stage:
    """Rows of one stage and how it is trained."""

    train: int
    held_out: int
    training: Training


@dataclass(frozen=True)
class Probes:
    """What is measured: numbers of questions, and how answers are sampled."""

    forget: int = 16  # training and as many held-out questions of the forget stage
    tofu: int = 32
    distance: int = 16  # held-out rows of each stage on which models are compared
    sums: int = 100
    samples: int = 5
    temperature: float = 0.7
    max_tokens: int = 40


STAGES = {
    "inst": Stage(320, 32, Training(lr=5e-4, epochs=6)),
    "tofu": Stage(400, 32, Training(lr=5e-4, epochs=4)),
    "math": Stage(1600, 100, Training(lr=5e-4, epochs=2)),
    "safety": Stage(640, 32, Training(lr=5e-4, epochs=1)),
}


@dataclass(frozen=True)
class Settings:
    """Everything the language-model world needs to run the positions experiment on an embedded model."""

    architecture: Architecture
    pretraining_rows: int = 19200
    pretraining: Training = field(default_factory=lambda: Training(lr=2e-3, decay=0.2))
    stages: dict[str, Stage] = field(default_factory=lambda: dict(STAGES))
    unlearning: Training = field(default_factory=lambda: Training(lr=2e-4))
    probes: Probes = Probes()


def positions_experiment(
    model: str,
    *,
    stages: Sequence[str] = tuple(STAGES),
    forget: str = "safety",
    methods: Sequence[str] = tuple(METHODS),
    seeds: int,
    quick: bool = False,
) -> Experiment:
    """Paths p = 1..P of one embedded model under the named methods; `quick` pretrains half as long and asks
    fewer probe questions.

    stages: all stages, the retained ones in the order they are trained. Raises InputError for an unknown model, stage
    or method, a forget stage that is not among the stages, or fewer than one seed.
    """
    if len(stages) < 2:
        raise InputError(f"stages: expected the forget stage and at least one other; got {', '.join(stages) or 'none'}")
    settings = Settings(
        architecture(model), stages={known("stages", name, list(STAGES)): STAGES[name] for name in stages}
    )
    known("forget", forget, list(stages))
    if seeds < 1:
        raise InputError(f"seeds: expected at least 1; got {seeds}")
    if quick:
        settings = replace(settings, pretraining_rows=9600, probes=Probes(forget=8, tofu=16, distance=8, sums=40))
    return Experiment(
        name="positions",
        world="llm",
        model=model,
        retain=tuple(stage for stage in stages if stage != forget),
        forget=forget,
        methods=named_methods(methods),
        steps=updates_of(settings.stages[forget].train, settings.unlearning),
        seeds=tuple(range(seeds)),
        settings=settings,
    )
