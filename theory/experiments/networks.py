"""The paths p = 1..P in small networks, their mixture control and rates of divergence, in float32.

A seed shuffles the rows on one base (data, initial parameters). One program trains and unlearns all
staged paths, one all mixtures. Their records: theory/experiments/network_records.py.
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import numpy as np

from protocol.errors import InputError, known
from protocol.growth import Reading
from protocol.orders import positions
from protocol.progress import Progress
from protocol.recorder import Recorder
from protocol.records import Result
from protocol.spec import Experiment, canonical, digest, named_methods
from theory.experiments import network_records as records
from theory.networks import ensemble, tasks
from theory.networks.ensemble import Data, Plan
from theory.networks.models import Network
from theory.networks.tasks import Task
from theory.networks.training import Path, Recipe
from theory.problems.staged import FORGET, RETAIN

NAMES = (*RETAIN, FORGET)
ORDERS = positions(RETAIN, FORGET)


@dataclass(frozen=True)
class Setup:
    """One model with its task and how it is trained and unlearned."""

    network: Network
    """The model and its sizes."""
    recipe: Recipe
    """How a stage is trained."""
    lr: float
    """Learning rate of unlearning, by plain gradient steps."""
    rows: int = 256
    """Rows of every stage."""
    held_out: int = 128
    """Held-out prompts of every stage."""
    shared: float = 0.5
    """Share of the task common to all stages."""


MLP = Setup(Network("mlp", inputs=12, classes=4, width=64), Recipe("adam", 0.003, 32, 20), lr=0.05)
TRANSFORMER = Setup(
    Network("transformer", inputs=len(NAMES) + 8 + 16, classes=8, width=16, heads=2),
    Recipe("adam", 0.003, 32, 15),
    lr=0.02,
    rows=128,
    held_out=32,
)


@dataclass(frozen=True)
class Settings:
    """The positions experiment of the MLP and the transformer, with mixture control and rates."""

    models: tuple[str, ...] = ("mlp", "transformer")
    """Models to run."""
    seeds: int = 8
    """Shuffle seeds of each model."""
    steps: int = 20
    """Unlearning updates."""
    ahead: int = 60
    """Updates followed to measure how far ahead the rate of divergence holds."""
    reading: Reading = Reading()
    """What is read from these for the rates."""
    methods: tuple[str, ...] = ("GA", "NPO", "SimNPO", "SimNPO-beta1")
    """Unlearning methods."""
    base: int = 0
    """Seed of the data and the initial parameters."""
    bases: int = 1
    """Bases from that one on whose paths are compared; 1 compares none."""
    mlp: Setup = MLP
    """The MLP."""
    transformer: Setup = TRANSFORMER
    """The transformer."""

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise InputError(
                f"seeds: expected at least 2, or there is no noise floor; got {self.seeds}"
            )
        if self.ahead < self.steps or self.ahead <= self.reading.last:
            raise InputError(
                f"ahead: expected at least steps = {self.steps} and more than {self.reading.last}, "
                f"the window and every start of the reading; got {self.ahead}"
            )
        if self.bases < 1:
            raise InputError(f"bases: expected at least 1; got {self.bases}")
        if not self.models:
            raise InputError("models: expected mlp, transformer or both; got none")
        for name in self.models:
            known("models", name, ["mlp", "transformer"])

    @property
    def setups(self) -> tuple[Setup, ...]:
        """The models in turn."""
        setups = {"mlp": self.mlp, "transformer": self.transformer}
        return tuple(setups[name] for name in self.models)


QUICK = Settings(models=("mlp",), seeds=3)


def experiment(settings: Settings, setup: Setup) -> Experiment:
    """The positions experiment of one model."""
    return Experiment(
        name="positions",
        world="network",
        model=setup.network.model,
        retain=RETAIN,
        forget=FORGET,
        methods=named_methods(settings.methods),
        steps=settings.steps,
        seeds=tuple(range(settings.seeds)),
        settings=setup,
        base=settings.base,
    )


def draw(setup: Setup, base: int) -> Task:
    """The task of a model: key -> value associations for the transformer, clusters otherwise."""
    kind = tasks.associations if setup.network.model == "transformer" else tasks.clusters
    return kind(
        setup.network,
        base,
        stages=len(NAMES),
        rows=setup.rows,
        held_out=setup.held_out,
        shared=setup.shared,
    )


def prepared(spec: Experiment, steps: int) -> tuple[Plan, Data, Path]:
    """What `ensemble.run` takes for `steps` updates of the staged paths."""
    setup = spec.settings
    plan = Plan(setup.network, setup.recipe, spec.methods, steps, "sgd", setup.lr, parameters=True)
    given = ensemble.data(setup.network, draw(setup, spec.base), spec.base)
    paths = ensemble.staged_paths(
        NAMES, ORDERS, RETAIN, setup.rows, setup.recipe, base=spec.base, seeds=spec.seeds
    )
    return plan, given, paths


def _computed(
    plan: Plan, given: Data, paths: Path
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Logits of the retrained models by part, and every metric of the runs.

    Float64 but for the parameters.
    """
    trained, measured = ensemble.run(plan, given, paths)
    kept = {"parameters": np.asarray(measured.pop("parameters"))}
    retrained = {part: logits[:, -1] for part, logits in trained.logits.items()}
    both = (retrained, measured)
    retrained, measured = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), both)
    return retrained, measured | kept


def _short(measured: dict[str, np.ndarray], steps: int) -> dict[str, np.ndarray]:
    """The metrics (seeds, methods, paths, points, ...) up to the experiment's last step."""
    return {metric: values[:, :, :, : steps + 1] for metric, values in measured.items()}


def _staged(spec: Experiment, settings: Settings, plan: Plan, given: Data, paths: Path) -> Result:
    """The staged paths; their positions stop at the experiment's last step, their rates do not."""
    recorder, ahead = records.recorder(spec), ["rates", canonical(spec), settings.ahead]
    rated = [*ahead, canonical(settings.reading)]  # the configuration of the rates
    rates = Recorder(
        "rates", spec.world, rated, spec=digest(rated), model=spec.model, reference=spec.retain
    )
    retrained, measured = _computed(plan, given, paths)
    short = _short(measured, spec.steps)
    records.positions(recorder, spec, short)
    records.retrained(recorder, spec, retrained, np.asarray(given.prompts.test_answers))
    records.rates(rates, spec, settings.reading, measured, retrained)
    results = [rates.result(), records.control(spec, "staged", short)]
    if settings.bases > 1:
        results.append(records.on_base(_of_base(spec, spec.base), short))
    return Result.concat([recorder.result(f"theory: networks, {spec.model}"), *results])


def _of_base(spec: Experiment, base: int) -> Experiment:
    return replace(spec, name=f"bases/{base}", base=base)


def _on_base(spec: Experiment, settings: Settings) -> Result:
    """The forgetting of the staged paths of another base."""
    return records.on_base(spec, _computed(*prepared(spec, settings.ahead))[1])


def _mixed(spec: Experiment, plan: Plan, given: Data) -> Result:
    """The control: as many shuffles of the mixture of the same rows."""
    setup, shuffles = spec.settings, len(ORDERS)
    paths = ensemble.mixture_paths(
        NAMES, shuffles, setup.rows, setup.recipe, base=spec.base, seeds=spec.seeds
    )
    measured = _computed(plan, given, paths)[1]
    return records.control(spec, "mixture", _short(measured, spec.steps))


def run(settings: Settings, progress: Progress) -> Result:
    """Every model: staged paths, the mixture, other bases; in the records, world "network".

    Experiments "positions", "mixture", "rates" and "bases/BASE". progress(label, done, total)
    counts programs run. Source: arXiv 2510.16629, Section 4, at small size.
    """
    results: list[Result] = []
    for number, setup in enumerate(settings.setups):
        spec = experiment(settings, setup)
        plan, given, paths = prepared(spec, settings.ahead)
        others = [_of_base(spec, spec.base + more) for more in range(1, settings.bases)]
        jobs = (
            partial(_staged, spec, settings, plan, given, paths),
            partial(_mixed, spec, plan, given),
            *(partial(_on_base, base, settings) for base in others),
        )
        for done, job in enumerate(jobs, start=1):
            results.append(job())
            progress("networks", number * len(jobs) + done, len(jobs) * len(settings.setups))
    return Result.concat(results)
