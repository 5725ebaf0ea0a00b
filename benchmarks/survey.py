"""The theory of one instance of four stages, written twice: by the library and by the textbook.

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
Order = tuple[int, ...]
MU, ETA, STEPS = 1.0, 0.3, 100
RETAINED, FORGET = (0, 1, 2), 3
ORDERS = (
    (FORGET, 0, 1, 2),
    (0, FORGET, 1, 2),
    (0, 1, FORGET, 2),
    (0, 1, 2, FORGET),
)
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

    def inputs(*shape: int) -> np.ndarray:
        return rng.standard_normal((count, *shape, d)) / np.sqrt(d)

    X = inputs(3, n)
    X_forget = inputs(k)
    X_test = inputs(m)
    y = rng.standard_normal((count, 3, n))
    y_forget = rng.standard_normal((count, k))
    return Case(X, y, X_forget, y_forget, X_test)


def _stage(case: Case, stage: int) -> tuple[Array, Array]:
    """Inputs and targets of a stage."""
    if stage == FORGET:
        return case.X_forget, case.y_forget
    return case.X[stage], case.y[stage]


def _trained(case: Case) -> tuple[Float[Array, "4 d"], Float[Array, " d"]]:
    """The four paths and the retrained model, every node of their prefix tree trained once."""
    start = jnp.zeros(case.X.shape[-1])
    nodes: dict[Order, Array] = {(): start}

    def train(order: Order) -> Float[Array, " d"]:
        if order not in nodes:
            *earlier, last = order
            before = train(tuple(earlier))
            X, y = _stage(case, last)
            nodes[order] = kernels.ridge_stage(before, X, y, MU)
        return nodes[order]

    paths = [train(order) for order in ORDERS]
    return jnp.stack(paths), train(RETAINED)


def _log_distances(
    case: Case,
    paths: Float[Array, "4 d"],
    gaps: Float[Array, "4 m"],
    modes: kernels.Modes,
) -> Float[Array, "4 points"]:
    """log d(θ_p^t, θ_r) of every path, exact at every t."""
    residuals = paths @ case.X_forget.T - case.y_forget
    amplitudes = (residuals @ modes.left) / modes.values
    readout = case.X_test @ modes.right
    rate = kernels.rates(modes, ETA)

    def at(gap: Array, amplitude: Array, time: Array) -> Array:
        return kernels.log_distance(gap, readout, amplitude, rate, time)

    by_time = jax.vmap(at, in_axes=(None, None, 0))
    by_path = jax.vmap(by_time, in_axes=(0, 0, None))
    times = jnp.arange(STEPS + 1.0)
    return by_path(gaps, amplitudes, times)


class Bound(NamedTuple):
    """Theorem 3.1 for one pair of paths."""

    rho: Array
    t0: Array
    log_bound: Array  # at the last step


def _bound(delta: Float[Array, " d"], case: Case, modes: kernels.Modes) -> Bound:
    """The bound for the difference delta of two paths."""
    terms = kernels.bound_terms(delta, modes, case.X_test, ETA)
    reach = terms.sigma * terms.projected
    tests = case.X_test.shape[0]
    bound = kernels.log_bound(terms.rho, reach, tests, STEPS)
    return Bound(terms.rho, kernels.threshold_step(terms), bound)


def _survey(case: Case) -> Survey:
    """Survey of one instance by the library's kernels."""
    paths, retrained = _trained(case)
    modes = kernels.forget_modes(case.X_forget)
    gaps = (paths - retrained) @ case.X_test.T
    log_distance = _log_distances(case, paths, gaps, modes)
    readout = case.X_test @ modes.right
    basis = jnp.linalg.qr(readout)[0]
    unseen = gaps - (gaps @ basis) @ basis.T
    floor = jnp.mean(unseen**2, axis=1)
    first, second = np.array(PAIRS).T
    bound_of = jax.vmap(_bound, in_axes=(0, None, None))
    bounds = bound_of(paths[first] - paths[second], case, modes)
    return Survey(
        log_distance=log_distance,
        floor=floor,
        rho=bounds.rho,
        t0=bounds.t0,
        log_bound=bounds.log_bound,
    )


survey = jax.jit(jax.vmap(_survey))
"""Survey of a batch of instances, one compiled program."""


def _textbook_models(case: Case) -> tuple[list[np.ndarray], np.ndarray]:
    """The four paths and the retrained model, each trained from θ₀ = 0 by d×d solves."""
    d = case.X_test.shape[1]
    ridge = MU * np.eye(d)

    def train(order: Order) -> Float[np.ndarray, " d"]:
        theta = np.zeros(d)
        for stage in order:
            X, y = _stage(case, stage)
            moment = X.T @ y + MU * theta
            theta = np.linalg.solve(X.T @ X + ridge, moment)
        return theta

    paths = [train(order) for order in ORDERS]
    return paths, train(RETAINED)


def _textbook_distances(
    case: Case,
    paths: list[np.ndarray],
    retrained: Float[np.ndarray, " d"],
    growth: Float[np.ndarray, "d d"],
) -> Float[np.ndarray, "4 points"]:
    """d(θ_p^t, θ_r), the ascent θ ← θ + growth θ − shift step by step."""
    k = case.X_forget.shape[0]
    shift = 2 * ETA / k * case.X_forget.T @ case.y_forget
    distance = np.empty((4, STEPS + 1))
    for p, start in enumerate(paths):
        theta = start
        for t in range(STEPS + 1):
            gap = case.X_test @ (theta - retrained)
            distance[p, t] = np.mean(gap**2)
            theta = theta + growth @ theta - shift
    return distance


def textbook(case: Case) -> Survey:
    """Survey of one instance in plain NumPy, by d×d matrices, nothing shared between paths."""
    X_u, X_test = case.X_forget, case.X_test
    m, k = len(X_test), len(X_u)
    paths, retrained = _textbook_models(case)
    growth = 2 * ETA / k * X_u.T @ X_u
    distance = _textbook_distances(case, paths, retrained, growth)
    reach = X_test @ X_u.T
    away = np.eye(m) - reach @ np.linalg.pinv(reach)
    gaps = [away @ X_test @ (theta - retrained) for theta in paths]
    floor = np.mean(np.square(gaps), axis=1)
    P = X_u.T @ np.linalg.inv(X_u @ X_u.T) @ X_u
    values = np.linalg.svd(X_test @ P, compute_uv=False)
    sigma = values[k - 1]
    test_norm = np.linalg.norm(X_test, 2)
    rho, t0, bound = np.empty((3, len(PAIRS)))  # (pairs,) each
    for i, (a, b) in enumerate(PAIRS):
        delta = paths[a] - paths[b]
        part = P @ delta
        rho[i] = part @ growth @ part / (part @ part)
        constant = test_norm * np.linalg.norm(delta - part)
        size = sigma * np.linalg.norm(part)
        per_step = np.log1p(rho[i])
        needed = np.log(2 * constant / size)
        t0[i] = np.ceil(needed / per_step)
        at_start = np.log(size**2 / (4 * m))
        bound[i] = at_start + 2 * STEPS * per_step
    return Survey(
        log_distance=np.log(distance),
        floor=floor,
        rho=rho,
        t0=t0,
        log_bound=bound,
    )


def disagreement(ours: Survey, theirs: Survey) -> float:
    """Largest error of a value against the textbook's, relative to the largest of its kind.

    The floor of p = 4 is 0 and comes out as rounding; bounds and distances are compared as
    logarithms.
    """
    errors = []
    for computed, expected in zip(ours, theirs, strict=True):
        difference = np.asarray(computed) - expected
        largest = np.max(np.abs(expected))
        errors.append(np.max(np.abs(difference)) / largest)
    return float(max(errors))
