"""Six instances followed step by step: log divergence of two paths, and log of Theorem 3.1's bound.

The bound is given from t = 0 on, before t₀ too, so that a figure can show from where it holds.
Experiment "theorem-curves" of the records: one run per instance, whose seed is the instance's
number; metrics log_divergence and log_bound by step, t0 at step 0. Forget set U = B, paths A>B and
B>A.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from protocol.errors import InputError
from protocol.progress import Progress
from protocol.recorder import Recorder
from protocol.records import Result
from protocol.spec import digest
from theory import kernels
from theory.experiments import instance_checks
from theory.numerics import float64
from theory.problems.instances import Array, Instance, Shape, draw

SHAPE = Shape(20, 6, 8, 60)


@dataclass(frozen=True)
class Settings:
    """Six instances of claims T1–T3 followed step by step."""

    shape: tuple[int, int, int, int] = SHAPE
    """Shape (d, n, k, m)."""
    instances: tuple[int, ...] = (9, 35, 23, 28, 26, 47)
    """Numbers of the instances; the default ones have t₀ = −38, 5, 10, 22, 70 and 104, a spread
    among the first 60.
    """
    steps: int = 150
    """Ascent steps."""
    seed: int = 0
    """Seed of the generator."""

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.instances:
            raise InputError(
                "settings: expected at least 1 step and 1 instance; "
                f"got {self.steps} steps, {len(self.instances)} instances"
            )


QUICK = Settings()


class Followed(NamedTuple):
    """One instance's threshold and curves; NumPy outside a trace."""

    t0: Float[Array, ""]
    log_divergence: Float[Array, " points"]
    log_bound: Float[Array, " points"]


@jax.jit
def _follow(case: Instance, points: Float[jax.Array, " points"]) -> Followed:
    paths = instance_checks.trained(case)
    delta = paths.ab - paths.ba
    checked = instance_checks.bound(delta, case.X_b, case.X_test, case.eta)
    divergence = instance_checks.log_divergence(delta, checked.modes, case.X_test, case.eta)
    reach = checked.terms.sigma * checked.terms.projected
    bound = kernels.log_bound(checked.terms.rho, reach, case.X_test.shape[0], points)
    return Followed(checked.t0, jax.vmap(divergence)(points), bound)


def follow(index: int, settings: Settings) -> Followed:
    """log d(θ_AB^t, θ_BA^t) and log of its bound at t = 0..steps, and t₀; NumPy float64."""
    with float64():
        case = draw(settings.seed, index, Shape(*settings.shape))
        followed = _follow(case, np.arange(settings.steps + 1, dtype=np.float64))
        return Followed(*(np.asarray(part) for part in followed))


def run(settings: Settings, progress: Progress) -> Result:
    """Follow every instance; progress(label, done, total) counts them.

    Source: arXiv 2510.16629, Theorem 3.1.
    """
    model, spec = Shape(*settings.shape).name, digest(settings)
    recorder = Recorder("theorem-curves", "linear", settings, spec=spec, model=model, reference="A")
    for done, index in enumerate(settings.instances, start=1):
        run = recorder.run(order="A>B", position=2, method="GA", seed=index, key=(index,))
        recorder.curves(run, follow(index, settings)._asdict())
        progress("theorem curves", done, len(settings.instances))
    return recorder.result("theory: theorem curves")
