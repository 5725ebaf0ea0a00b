"""The whole configuration of a language-model experiment, one frozen dataclass; embedded sizes are measured to fit 2
cores.

An embedded model is an `Architecture`, pretrained here; any other is `Pretrained`. A stage's rows come from the
embedded corpora, or from files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from llm.models import EMBEDDED, Architecture, Pretrained
from llm.models.adapters import Adaptation
from llm.models.catalogue import CATALOGUE, Paper
from llm.trainer import Training, updates_of
from protocol.errors import InputError, known
from protocol.spec import METHODS, Experiment, named_methods


@dataclass(frozen=True)
class Files:
    """Rows of a stage out of files; without a test file, held-out rows are drawn from the training file."""

    train: str
    test: str | None = None


@dataclass(frozen=True)
class Stage:
    """Rows of one stage and how it is trained."""

    train: int
    held_out: int
    training: Training
    files: Files | None = None


@dataclass(frozen=True)
class Probes:
    """What is measured: numbers of questions, and how answers are sampled."""

    forget: int = 16  # training and as many held-out questions of the forget stage
    tofu: int = 32
    distance: int = 16  # held-out rows of each stage on which models are compared
    sums: int = 100  # 0: no math panel
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
    """Everything the language-model world needs to run the positions experiment on one model."""

    model: Architecture | Pretrained
    adaptation: Adaptation = Adaptation()
    precision: str = "fp32"
    pretraining_rows: int = 19200
    pretraining: Training = field(default_factory=lambda: Training(lr=2e-3, decay=0.2))
    stages: dict[str, Stage] = field(default_factory=lambda: dict(STAGES))
    unlearning: Training = field(default_factory=lambda: Training(lr=2e-4))
    probes: Probes = Probes()

    def __post_init__(self) -> None:
        known("precision", self.precision, ["fp32", "bf16"])


def _chosen_model(
    name: str, revision: str | None, template: str | None, system: str | None
) -> Architecture | Pretrained:
    """An embedded model, one of the paper's, a directory, or a hub id."""
    if name in EMBEDDED:
        return EMBEDDED[name]
    if name in CATALOGUE:
        paper = CATALOGUE[name]
        return Pretrained(paper.hub_id, revision, template or paper.sibling, system)
    if Path(name).is_dir() or name.count("/") == 1:
        return Pretrained(name, revision, template, system)
    names = ", ".join([*EMBEDDED, *CATALOGUE])
    raise InputError(f"model: expected one of {names}, a directory, or a hub id OWNER/NAME; got {name!r}")


def _paper_settings(settings: Settings, paper: Paper) -> Settings:
    """Table 2 of the paper: learning rates, batches, and the adapter."""
    stages = {
        name: replace(stage, training=replace(stage.training, lr=paper.lr, batch=paper.batch, micro_batch=8))
        for name, stage in settings.stages.items()
    }
    unlearning = replace(settings.unlearning, lr=paper.unlearning_lr, batch=paper.unlearning_batch, micro_batch=8)
    return replace(
        settings, stages=stages, unlearning=unlearning, adaptation=Adaptation("lora", paper.rank, paper.alpha)
    )  # fmt: skip


def _from_files(
    stages: dict[str, Stage], data: Mapping[str, str], test_data: Mapping[str, str], rows: Mapping[str, int]
) -> dict[str, Stage]:
    """Stages whose rows come from files, or number otherwise than by default."""
    for argument, named in (("data", data), ("test-data", test_data), ("rows", rows)):
        for name in named:
            known(argument, name, list(stages))
    alone = [name for name in test_data if name not in data]
    if alone:
        raise InputError(f"test-data: expected training rows in data, too; {', '.join(alone)} has none")
    chosen = {name: Files(data[name], test_data.get(name)) if name in data else None for name in stages}
    return {
        name: replace(stage, train=rows.get(name, stage.train), files=chosen[name]) for name, stage in stages.items()
    }


def positions_experiment(
    model: str,
    *,
    stages: Sequence[str] = tuple(STAGES),
    forget: str = "safety",
    methods: Sequence[str] = tuple(METHODS),
    seeds: int,
    quick: bool = False,
    revision: str | None = None,
    template: str | None = None,
    system: str | None = None,
    data: Mapping[str, str] | None = None,
    test_data: Mapping[str, str] | None = None,
    rows: Mapping[str, int] | None = None,
    adaptation: Adaptation | None = None,
    precision: str = "fp32",
) -> Experiment:
    """Paths p = 1..P of one model under the named methods; `quick` pretrains half as long and asks fewer questions.

    model: embedded or the paper's, by name; a directory; a hub id · stages: all stages, the retained ones in the order
    they are trained · data, test_data: files by stage · rows: training rows by stage · adaptation: by default the
    paper's for its models, else full fine-tuning. Raises InputError for an unknown model, stage or method, a forget
    stage that is not among the stages, or fewer than one seed.
    """
    if len(stages) < 2:
        raise InputError(f"stages: expected the forget stage and at least one other; got {', '.join(stages) or 'none'}")
    chosen = {known("stages", name, list(STAGES)): STAGES[name] for name in stages}
    known("forget", forget, list(stages))
    if seeds < 1:
        raise InputError(f"seeds: expected at least 1; got {seeds}")
    settings = Settings(
        _chosen_model(model, revision, template, system),
        stages=_from_files(chosen, data or {}, test_data or {}, rows or {}),
        precision=precision,
    )
    if model in CATALOGUE:
        settings = _paper_settings(settings, CATALOGUE[model])
    if adaptation is not None:
        settings = replace(settings, adaptation=adaptation)
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
