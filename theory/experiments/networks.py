"""The paths p = 1..P in small networks, and the mixture control.

Experiments "positions" and "mixture", world "network"; float32. A seed shuffles the rows on one base (data, initial
parameters). Metrics of "positions" as in the linear model (protocol/records.py), with held-out prompts for both parts,
logit_distance/part beside re_distance/part, and retain_accuracy (share of right answers on the held-out prompts of the
retained stages). Runs of method "retrained" (step 0) hold retain_accuracy of the retrained model; of method "floor"
(step 0) the distances between the retrained models of two seeds, order "SEED|SEED".
Experiment "mixture": staged paths and as many shuffles of the i.i.d. mixture of the same rows, orders "staged" and
"mixture", by step: path_distance/part = mean over pairs of paths of one seed of d(u_p, u_q), in probabilities on the
held-out prompts of the part, test or forget; label_variance = variance over paths of the label log-likelihood; and
label_loglik, its mean over paths.
"""

import itertools
import time
from dataclasses import dataclass

import jax
import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.errors import InputError
from protocol.orders import positions
from protocol.progress import Progress
from protocol.records import Result, Run, Tables, gathered, order_name
from protocol.spec import Experiment, canonical, digest, named_methods
from theory.experiments.staged import FORGET, RETAIN
from theory.networks import ensemble, tasks
from theory.networks.ensemble import Data, Plan, Trajectories
from theory.networks.models import Network
from theory.networks.tasks import Task
from theory.networks.training import Path, Recipe

NAMES = (*RETAIN, FORGET)
ORDERS = positions(RETAIN, FORGET)
PARTS = ("test", "forget")


@dataclass(frozen=True)
class World:
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


MLP = World(Network("mlp", inputs=12, classes=4, width=64), Recipe("adam", 0.003, 32, 20), lr=0.05)
TRANSFORMER = World(
    Network("transformer", inputs=len(NAMES) + 8 + 16, classes=8, width=16, heads=2),
    Recipe("adam", 0.003, 32, 15), lr=0.02, rows=128, held_out=32,
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The positions experiment of the MLP and the transformer, with the mixture control."""

    seeds: int = 8
    """Shuffle seeds of each model."""
    steps: int = 20
    """Unlearning updates."""
    methods: tuple[str, ...] = ("GA", "NPO", "SimNPO", "SimNPO-beta1")
    """Unlearning methods."""
    base: int = 0
    """Seed of the data and the initial parameters."""
    mlp: World = MLP
    """The MLP."""
    transformer: World = TRANSFORMER
    """The transformer."""

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise InputError(f"seeds: expected at least 2, or there is no noise floor; got {self.seeds}")

    @property
    def worlds(self) -> tuple[World, ...]:
        """The models in turn."""
        return self.mlp, self.transformer


QUICK = Settings(seeds=3, transformer=World(**{**vars(TRANSFORMER), "rows": 64, "held_out": 16}))


def experiment(settings: Settings, world: World) -> Experiment:
    """The positions experiment of one model."""
    return Experiment(
        name="positions", world="network", model=world.network.model, retain=RETAIN, forget=FORGET,
        methods=named_methods(settings.methods), steps=settings.steps, seeds=tuple(range(settings.seeds)),
        settings=world, base=settings.base,
    )  # fmt: skip


def draw(world: World, base: int) -> Task:
    """The task of a model: key -> value associations for the transformer, clusters otherwise."""
    kind = tasks.associations if world.network.model == "transformer" else tasks.clusters
    return kind(
        world.network, base, stages=len(NAMES), rows=world.rows, held_out=world.held_out, shared=world.shared
    )  # fmt: skip


def prepared(spec: Experiment) -> tuple[Plan, Data, Path]:
    """What `ensemble.run` takes for the staged paths."""
    world = spec.settings
    plan = Plan(world.network, world.recipe, spec.methods, spec.steps, "sgd", world.lr)
    given = ensemble.data(world.network, draw(world, spec.base), spec.base)
    paths = ensemble.staged_paths(
        NAMES, ORDERS, RETAIN, world.rows, world.recipe, base=spec.base, seeds=spec.seeds
    )  # fmt: skip
    return plan, given, paths


def trajectories(settings: Settings) -> dict[str, dict[str, Trajectories]]:
    """By model and method: centred logits of the staged paths on the test prompts, and the retrained model's."""
    specs = [experiment(settings, world) for world in settings.worlds]
    return {spec.model: ensemble.trajectories(*prepared(spec)) for spec in specs}


def _run(spec: Experiment, name: str, order: str, *, position: int = 0, method: str, seed: int, head: str = "") -> Run:
    kind = head or spec.name
    return Run(
        run=digest([name, kind, method, seed, order, position]), spec=name, experiment=kind, world=spec.world,
        model=spec.model, order=order, position=position, reference=order_name(RETAIN), method=method, seed=seed,
    )  # fmt: skip


Curve = Float[np.ndarray, "runs points"]


def _frames(runs: list[Run], curves: dict[str, Curve]) -> list[pl.DataFrame]:
    """Records of curves, a row per run."""
    frames = []
    for metric, values in curves.items():
        which, step = np.divmod(np.arange(values.size), values.shape[1])
        frames.append(gathered(runs, which, step=step, metric=metric, value=values.ravel().astype(float)))
    return frames


def _positions(spec: Experiment, name: str, found: dict[str, np.ndarray]) -> tuple[list, list]:
    """Records of every run; examples of retain_loglik before and after, a seed being one example."""
    runs = [
        _run(spec, name, order_name(order), position=p, method=method.name, seed=seed)
        for seed, method, (p, order) in itertools.product(spec.seeds, spec.methods, enumerate(ORDERS, start=1))
    ]
    curves = {m: values.reshape(len(runs), -1) for m, values in found.items() if not m.startswith("outputs/")}
    ends = curves["retain_loglik"][:, [0, -1]]
    which, step = np.repeat(np.arange(len(runs)), 2), np.tile([0, spec.steps], len(runs))
    zeros = np.zeros_like(which)
    value = ends.ravel().astype(float)
    return _frames(runs, curves), [
        gathered(runs, which, step=step, metric="retain_loglik", value=value, example=zeros)
    ]  # fmt: skip


def _retrained(spec: Experiment, name: str, logits: dict[str, np.ndarray], answers: np.ndarray) -> list[pl.DataFrame]:
    """Accuracy of the retrained models, (seeds, prompts, c) by part, and the distances between any two of them."""
    right = (logits["test"].argmax(axis=-1) == answers).mean(axis=-1, keepdims=True)
    runs = [_run(spec, name, order_name(RETAIN), method="retrained", seed=seed) for seed in spec.seeds]
    pairs = list(itertools.combinations(range(len(spec.seeds)), 2))
    floors = [_run(spec, name, f"{a}|{b}", method="floor", seed=spec.seeds[a]) for a, b in pairs]
    a, b = np.array(pairs).T
    between: dict[str, Curve] = {}
    for part in PARTS:
        apart = metrics.centred_logits(logits[part])
        between[f"re_distance/{part}"] = _distance(_softmax(apart)[a], _softmax(apart)[b])[:, None]
        between[f"logit_distance/{part}"] = _distance(apart[a], apart[b])[:, None]
    return [*_frames(runs, {"retain_accuracy": right}), *_frames(floors, between)]


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """d of predictions (..., m, c)."""
    return np.mean(np.sum((a - b) ** 2, axis=-1), axis=-1)


def _control(spec: Experiment, name: str, kind: str, found: dict[str, np.ndarray]) -> list[pl.DataFrame]:
    """How far apart the paths of one seed are; arrays (seeds, methods, paths, points, ...)."""
    cells = itertools.product(spec.seeds, spec.methods)
    runs = [_run(spec, name, kind, method=method.name, seed=seed, head="mixture") for seed, method in cells]
    label = found["label_loglik"]
    curves = {"label_loglik": label.mean(axis=2), "label_variance": label.var(axis=2, ddof=1)}
    pairs = list(itertools.combinations(range(label.shape[2]), 2))
    for part in PARTS:
        predicted = _softmax(found[f"outputs/{part}"])
        apart = [_distance(predicted[:, :, a], predicted[:, :, b]) for a, b in pairs]
        curves[f"path_distance/{part}"] = np.mean(apart, axis=0)
    return _frames(runs, {metric: values.reshape(len(runs), -1) for metric, values in curves.items()})


def _computed(plan: Plan, given: Data, paths: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    trained, found = ensemble.run(plan, given, paths)
    retrained = {part: logits[:, -1] for part, logits in trained.logits.items()}
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), (retrained, found))


def run(settings: Settings, progress: Progress) -> Result:
    """Both models: staged paths, then the mixture; experiments "positions" and "mixture" of the world "network".

    progress(label, done, total) counts programs run. Source: arXiv 2510.16629, Section 4, at small size.
    """
    started = time.perf_counter()
    records: list[pl.DataFrame] = []
    examples: list[pl.DataFrame] = []
    specs, total = {}, 2 * len(settings.worlds)
    for number, world in enumerate(settings.worlds):
        spec = experiment(settings, world)
        name = digest(spec)
        specs[name] = canonical(spec)
        plan, given, staged = prepared(spec)
        retrained, found = _computed(plan, given, staged)
        more_records, more_examples = _positions(spec, name, found)
        answers = np.asarray(given.prompts.test_answers)
        records += [*more_records, *_retrained(spec, name, retrained, answers), *_control(spec, name, "staged", found)]
        examples += more_examples
        progress("networks", 2 * number + 1, total)
        mixture = ensemble.mixture_paths(
            NAMES, len(ORDERS), world.rows, world.recipe, base=spec.base, seeds=spec.seeds
        )  # fmt: skip
        records += _control(spec, name, "mixture", _computed(plan, given, mixture)[1])
        progress("networks", 2 * number + 2, total)
    timing = ("theory: networks", time.perf_counter() - started)
    return Result(Tables.from_frames(records, examples), specs, (timing,))
