"""Random instances of the two-stage problem: their shapes and the distributions of their stages.

An instance has stages A (n rows) and B (k rows), an independent forget set U (k rows) and m test
inputs in d dimensions; rows have a mean square norm of order 1. Instance i of a seed is the same
whatever else is drawn with it. Drawn by NumPy: random numbers inside the compiled checks would make
them ten times slower to compile and to run.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

Array = Any  # NumPy where drawn, JAX where traced


class Shape(NamedTuple):
    """d parameters, n rows of stage A, k rows of stage B and of U, m ≥ k test inputs.

    n + k < d keeps θ_A from fitting B.
    """

    d: int
    n: int
    k: int
    m: int

    @property
    def name(self) -> str:
        """The model's name in the records."""
        return f"d{self.d}-n{self.n}-k{self.k}-m{self.m}"


class Family(NamedTuple):
    """How far the rows of a family of instances may depart from isotropic Gaussian ones; 0: not.

    decay: exponent of the spectrum, feature i scaled by i^−decay · shift: length of a mean that is
    each stage's own · tail: inverse degrees of freedom of a multivariate t · overlap: share of
    variance in k factors common to all stages · teacher: share of the targets' variance that one
    common θ* explains.
    """

    decay: float = 0.0
    shift: float = 0.0
    tail: float = 0.0
    overlap: float = 0.0
    teacher: float = 0.0


# Instance i belongs to family i mod 6 and draws each strength uniformly below the family's.
FAMILIES = {
    "isotropic": Family(),
    "spectrum": Family(decay=1.0),
    "shifted": Family(shift=1.5),
    "heavy-tailed": Family(tail=0.25),
    "overlapping": Family(overlap=0.9, teacher=0.9),
    "mixed": Family(decay=0.5, shift=1.0, tail=0.2, overlap=0.5, teacher=0.5),
}


class Instance(NamedTuple):
    """Stages A and B, independent forget set U, test inputs and constants, or a batch of them."""

    X_a: Float[Array, "*batch n d"]
    y_a: Float[Array, "*batch n"]
    X_b: Float[Array, "*batch k d"]
    y_b: Float[Array, "*batch k"]
    X_u: Float[Array, "*batch k d"]
    X_test: Float[Array, "*batch m d"]
    mu_a: Float[Array, "*batch"]
    mu_b: Float[Array, "*batch"]
    eta: Float[Array, "*batch"]
    epsilon: Float[Array, "*batch"]


def rows(
    rng: np.random.Generator,
    count: int,
    factors: Float[np.ndarray, "r d"],
    strength: Family,
    scale: Float[np.ndarray, " d"] | float = 1.0,
) -> Float[np.ndarray, "count d"]:
    """Rows [(√(1 − o) z + √o w F)/√(χ²_ν/ν) · scale + shift]/√d.

    o = overlap, F = factors, ν = 1/tail. z and w are standard normal, w over √r; E‖x‖² is 1 for
    isotropic rows.
    """
    r, d = factors.shape
    z = rng.standard_normal((count, d))
    w = rng.standard_normal((count, r)) / np.sqrt(r)
    mixed = np.sqrt(1 - strength.overlap) * z + np.sqrt(strength.overlap) * (w @ factors)
    if strength.tail > 0:
        mixed = mixed / np.sqrt(strength.tail * rng.chisquare(1 / strength.tail, (count, 1)))
    return (mixed * scale + strength.shift * rng.standard_normal(d)) / np.sqrt(d)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> Float[np.ndarray, ""]:
    return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw(seed: int, index: int, shape: Shape) -> Instance:
    """Instance number `index` of a seed.

    μ is log-uniform in [1e-2, 10], η in [0.01, 0.5], ε in [1e-6, 100]. The test inputs are drawn
    like a stage, with a mean of their own; the factors of the overlap are common to all.
    """
    rng = np.random.default_rng([seed, index])
    largest = list(FAMILIES.values())[index % len(FAMILIES)]
    strength = Family(*(rng.uniform(0, bound) for bound in largest))
    scale = np.arange(1, shape.d + 1) ** -strength.decay
    scale = scale / np.sqrt(np.mean(scale**2))
    factors, teacher = rng.standard_normal((shape.k, shape.d)), rng.standard_normal(shape.d)
    X_a, X_b, X_u, X_test = (
        rows(rng, n, factors, strength, scale) for n in (shape.n, shape.k, shape.k, shape.m)
    )
    y_a, y_b = (
        np.sqrt(strength.teacher) * (X @ teacher)
        + np.sqrt(1 - strength.teacher) * rng.standard_normal(len(X))
        for X in (X_a, X_b)
    )
    mu_a, mu_b = _log_uniform(rng, 1e-2, 1e1), _log_uniform(rng, 1e-2, 1e1)
    eta, epsilon = _log_uniform(rng, 1e-2, 0.5), _log_uniform(rng, 1e-6, 1e2)
    return Instance(X_a, y_a, X_b, y_b, X_u, X_test, mu_a, mu_b, eta, epsilon)


def draw_many(seed: int, indices: Sequence[int], shape: Shape) -> Instance:
    """Several instances of one shape, stacked along a leading axis."""
    drawn = [draw(seed, index, shape) for index in indices]
    return Instance(*map(np.stack, zip(*drawn, strict=True)))
