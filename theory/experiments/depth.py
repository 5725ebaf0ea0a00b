"""Depth of forgetting in softmax regression: does unlearning U unlearn the related answer C, too?

C, U, R answer the same prompts; C and U have features of correlation `alike`, R's are orthogonal to
both. The three stages are learned in all six orders, then U is unlearned. Why the order must
matter: the model's scores are z = F(Wx + b), F with unit rows, and on one prompt a step of ascent
moves z along −F(F_U − Σ_a π_a F_a). Where R holds nearly all of π, log π_U falls by 2 units and log
π_C by 1 + alike: the depth score tends to (1 + alike)/2. Where C holds it, C rises. What π is at
the start, the order decides. Experiment "depth", world "network", a run per order, method and seed
(seeds shuffle rows on one base): by step answer_loglik/C, /U and /R, mean over the prompts of log π
of the answer.
"""

import itertools
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float

from protocol.errors import InputError
from protocol.orders import retrained
from protocol.progress import Progress
from protocol.recorder import Recorder
from protocol.records import Result
from protocol.spec import named_methods
from theory.networks import ensemble, tasks
from theory.networks.ensemble import Plan
from theory.networks.models import Network
from theory.networks.training import Recipe
from theory.numerics import float64

ANSWERS = ("C", "R", "U")  # class 0, 1, 2; the forget stage is last
KEPT, FORGET = ANSWERS[:-1], ANSWERS[-1]
ORDERS = tuple(itertools.permutations(ANSWERS))


@dataclass(frozen=True)
class Settings:
    """Depth of forgetting over the six orders of C, U, R."""

    seeds: int = 8
    """Shuffle seeds."""
    steps: int = 20
    """Unlearning updates."""
    methods: tuple[str, ...] = ("GA", "NPO", "SimNPO")
    """Unlearning methods."""
    alike: float = 0.8
    """Correlation of the features of C and U."""
    inputs: int = 32
    """Features of a prompt."""
    rows: int = 40
    """Prompts."""
    shared: float = 0.5
    """Share of the prompts' features that is common to all prompts."""
    recipe: Recipe = Recipe("sgd", 0.2, 8, 5)
    """How a stage is trained."""
    lr: float = 0.2
    """Learning rate of unlearning, by plain gradient steps."""
    base: int = 0
    """Seed of the data and the initial parameters."""

    def __post_init__(self) -> None:
        if self.seeds < 1 or self.steps < 1:
            raise InputError(
                f"seeds, steps: expected at least 1 of each; got {self.seeds} and {self.steps}"
            )


QUICK = Settings(seeds=3)


def log_likelihoods(settings: Settings) -> Float[np.ndarray, "answers seeds methods orders points"]:
    """Mean log π of each of ANSWERS on the prompts, of every run by step."""
    network = Network("softmax", inputs=settings.inputs, classes=len(ANSWERS), alike=settings.alike)
    task = tasks.answers(
        network, settings.base, rows=settings.rows, held_out=1, shared=settings.shared
    )
    plan = Plan(
        network,
        settings.recipe,
        named_methods(settings.methods),
        settings.steps,
        "sgd",
        settings.lr,
    )
    paths = ensemble.staged_paths(
        ANSWERS,
        ORDERS,
        KEPT,
        settings.rows,
        settings.recipe,
        base=settings.base,
        seeds=range(settings.seeds),
    )
    with float64():
        outputs = ensemble.run(plan, ensemble.data(network, task, settings.base), paths)[1]
        # (seeds, methods, orders, points, prompts, answers)
        log_likelihood = jax.nn.log_softmax(outputs["outputs/label"])
        return np.moveaxis(np.asarray(log_likelihood.mean(axis=-2)), -1, 0)


def run(settings: Settings, progress: Progress) -> Result:
    """Learn in six orders, unlearn U; experiment "depth".

    progress(label, done, total) counts programs run. Source: arXiv 2510.16629, Figure 4, at small
    size.
    """
    recorder = Recorder("depth", "network", settings, model="softmax")
    cells = itertools.product(range(settings.seeds), settings.methods, ORDERS)
    runs = [
        recorder.run(
            order=order,
            position=order.index(FORGET) + 1,
            reference=retrained(order, FORGET),
            method=method,
            seed=seed,
        )
        for seed, method, order in cells
    ]
    for answer, values in zip(ANSWERS, log_likelihoods(settings), strict=True):
        recorder.curves(runs, {f"answer_loglik/{answer}": values})
    progress("depth of forgetting", 1, 1)
    return recorder.result("theory: depth of forgetting")
