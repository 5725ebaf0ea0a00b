"""Everything the theory says of one instance of four stages, written twice: with the library, and
from the textbook.

Four orders of the stages A, B, C and the forget set U, U at position p = 1..4, from θ₀ = 0 by ridge
stages; the model retrained without U; along 100 steps of gradient ascent on U the distance of each
path to it; each path's span floor; Theorem 3.1's bound for each of the six pairs. `survey` uses
`theory`'s kernels, dual and compiled; `textbook` is NumPy with the formulas as they are printed,
d×d matrices and steps one by one.
"""

from itertools import combinations
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from theory import kernels

Array = Any
MU, ETA, STEPS = 1.0, 0.3, 100
ORDERS = ((3, 0, 1, 2), (0, 3, 1, 2), (0, 1, 3, 2), (0, 1, 2, 3))  # stage 3 is the forget set
PAIRS = tuple(combinations(range(4), 2))


class Case(NamedTuple):
    """Retained stages and forget set of one instance or a batch."""

    X: Float[Array, "*batch 3 n d"]
    y: Float[Array, "*batch 3 n"]
    X_forget: Float[Array, "*batch k d"]
    y_forget: Float[Array, "*batch k"]
    X_test: Float[Array, "*batch m d"]


class Survey(NamedTuple):
    """What both implementations return."""

    log_distance: Float[Array, "*batch 4 points"]  # log d(θ_p^t, θ_r)
    floor: Float[Array, "*batch 4"]
    rho: Float[Array, "*batch 6"]
    t0: Float[Array, "*batch 6"]
    log_bound: Float[Array, "*batch 6"]  # at the last step


def draw(seed: int, count: int, *, d: int, n: int, k: int, m: int) -> Case:
    """`count` instances: rows of mean square norm 1, targets of variance 1."""
    rng = np.random.default_rng(seed)
    X, X_forget, X_test = (
        rng.standard_normal(shape) / np.sqrt(d)
        for shape in ((count, 3, n, d), (count, k, d), (count, m, d))
    )
    return Case(
        X, rng.standard_normal((count, 3, n)), X_forget, rng.standard_normal((count, k)), X_test
    )


def _stage(case: Case, stage: int) -> tuple[Array, Array]:
    return (case.X_forget, case.y_forget) if stage == 3 else (case.X[stage], case.y[stage])


def _trained(case: Case) -> tuple[Float[Array, "4 d"], Float[Array, " d"]]:
    """The four paths and the retrained model, every node of their prefix tree trained once."""
    nodes: dict[tuple[int, ...], Array] = {(): jnp.zeros(case.X.shape[-1])}

    def train(order: tuple[int, ...]) -> Float[Array, " d"]:
        if order not in nodes:
            nodes[order] = kernels.ridge_stage(train(order[:-1]), *_stage(case, order[-1]), MU)
        return nodes[order]

    return jnp.stack([train(order) for order in ORDERS]), train((0, 1, 2))


def _one(case: Case) -> Survey:
    paths, retrained = _trained(case)
    modes, times = kernels.forget_modes(case.X_forget), jnp.arange(STEPS + 1.0)
    readout, rate = case.X_test @ modes.right, kernels.rates(modes, ETA)
    gaps = (paths - retrained) @ case.X_test.T
    amplitudes = ((paths @ case.X_forget.T - case.y_forget) @ modes.left) / modes.values
    curve = jax.vmap(kernels.log_distance, in_axes=(None, None, None, None, 0))
    log_distance = jax.vmap(curve, in_axes=(0, None, 0, None, None))(
        gaps, readout, amplitudes, rate, times
    )
    basis = jnp.linalg.qr(readout)[0]
    floor = jnp.mean((gaps - (gaps @ basis) @ basis.T) ** 2, axis=1)
    first, second = map(np.array, zip(*PAIRS, strict=True))
    terms = jax.vmap(kernels.bound_terms, in_axes=(0, None, None, None))(
        paths[first] - paths[second], modes, case.X_test, ETA
    )
    bounds = jax.vmap(kernels.log_bound, in_axes=(0, 0, None, None))
    bound = bounds(terms.rho, terms.sigma * terms.projected, case.X_test.shape[0], STEPS)
    return Survey(log_distance, floor, terms.rho, jax.vmap(kernels.threshold_step)(terms), bound)


survey = jax.jit(jax.vmap(_one))
"""Survey of a batch of instances, one compiled program."""


def textbook(case: Case) -> Survey:
    """Survey of one instance in plain NumPy: d×d matrices, ascent step by step, nothing shared
    between paths.
    """
    (m, d), (k, _) = case.X_test.shape, case.X_forget.shape
    one, X_u, X_test = np.eye(d), case.X_forget, case.X_test

    def train(order: tuple[int, ...]) -> Float[np.ndarray, " d"]:
        theta = np.zeros(d)
        for X, y in (_stage(case, stage) for stage in order):
            theta = np.linalg.solve(X.T @ X + MU * one, X.T @ y + MU * theta)
        return theta

    paths, retrained = [train(order) for order in ORDERS], train((0, 1, 2))
    growth, P = 2 * ETA / k * X_u.T @ X_u, X_u.T @ np.linalg.inv(X_u @ X_u.T) @ X_u
    shift = 2 * ETA / k * X_u.T @ case.y_forget
    distance = np.empty((4, STEPS + 1))
    for p, start in enumerate(paths):
        theta = start
        for t in range(STEPS + 1):
            distance[p, t] = np.mean((X_test @ (theta - retrained)) ** 2)
            theta = theta + growth @ theta - shift
    reach = X_test @ X_u.T
    away = np.eye(m) - reach @ np.linalg.pinv(reach)
    floor = [np.mean((away @ X_test @ (theta - retrained)) ** 2) for theta in paths]
    sigma = np.linalg.svd(X_test @ P, compute_uv=False)[k - 1]
    test_norm = np.linalg.norm(X_test, 2)
    rho, t0, bound = np.empty((3, len(PAIRS)))
    for i, (a, b) in enumerate(PAIRS):
        delta = paths[a] - paths[b]
        part = P @ delta
        rho[i] = part @ growth @ part / (part @ part)
        constant, size = test_norm * np.linalg.norm(delta - part), sigma * np.linalg.norm(part)
        t0[i] = np.ceil(np.log(2 * constant / size) / np.log1p(rho[i]))
        bound[i] = np.log(size**2 / (4 * m)) + 2 * STEPS * np.log1p(rho[i])
    return Survey(np.log(distance), np.array(floor), rho, t0, bound)


def disagreement(ours: Survey, theirs: Survey) -> float:
    """Largest error of a value against the textbook's, relative to the largest of its kind.

    The floor of p = 4 is 0 and comes out as rounding; bounds and distances are compared as
    logarithms.
    """
    return max(
        float(np.max(np.abs(np.asarray(a) - b)) / np.max(np.abs(b)))
        for a, b in zip(ours, theirs, strict=True)
    )
