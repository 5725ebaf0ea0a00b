"""The whole configuration of the embedded default, one frozen dataclass; sizes as measured to fit 2 cores."""

from dataclasses import dataclass, field, replace

from llm.models import Architecture, architecture
from llm.trainer import Training
from protocol.errors import InputError, known
from protocol.spec import METHODS, Experiment, methods

RETAIN = ("inst", "tofu", "math")
FORGET = "safety"


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


def _stages() -> dict[str, Stage]:
    return {
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
    stages: dict[str, Stage] = field(default_factory=_stages)
    unlearning: Training = field(default_factory=lambda: Training(lr=2e-4))
    probes: Probes = Probes()


def positions_experiment(model: str, *, seeds: int, quick: bool = False, forget: str = FORGET) -> Experiment:
    """Paths p = 1..4 of one embedded model under every method; `quick` asks fewer probe questions.

    Raises InputError for an unknown model, a forget stage that is not among the stages, or no seeds.
    """
    settings = Settings(architecture(model))
    known("forget", forget, list(settings.stages))
    if seeds < 1:
        raise InputError(f"seeds: expected at least 1; got {seeds}")
    if quick:
        settings = replace(settings, probes=Probes(forget=8, tofu=16, distance=8, sums=40))
    retain = tuple(stage for stage in (*RETAIN, FORGET) if stage != forget)
    return Experiment(
        name="positions",
        world="llm",
        model=model,
        retain=retain,
        forget=forget,
        methods=methods(tuple(METHODS)),
        steps=settings.stages[forget].train * settings.unlearning.epochs // settings.unlearning.batch,
        seeds=tuple(range(seeds)),
        settings=settings,
    )
