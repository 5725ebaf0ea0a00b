"""Checks of the arguments of the linear side's entry points; never called on traced values.

Each returns the value as NumPy float64 (or int, float) or raises InputError: which argument, what
was expected, what came and what to do about it.
"""

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from protocol.errors import InputError, known
from theory.filters import Filter, GradientDescent, MinimumNorm, Ridge, largest_step


def _numbers(argument: str, value: Any) -> np.ndarray:
    """`value` as a float64 array of finite real numbers."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(
            f"{argument}: expected an array of numbers; got rows of unequal length"
        ) from error
    if array.dtype.kind not in "fiu":
        raise InputError(
            f"{argument}: expected real numbers; got dtype {array.dtype}; convert it to float64 "
            "first"
        )
    array = array.astype(np.float64, copy=False)
    if not np.all(np.isfinite(array)):
        count = int(np.sum(~np.isfinite(array)))
        raise InputError(
            f"{argument}: expected finite numbers; got {count} nan or infinite; remove or "
            "replace them"
        )
    return array


def matrix(argument: str, value: Any, *, columns: int | None = None) -> Float[np.ndarray, "n d"]:
    """A finite, non-empty matrix, one example a row, with `columns` columns where given."""
    array = _numbers(argument, value)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(
            f"{argument}: expected a matrix (n, d), one example a row; got shape {array.shape}"
        )
    if columns is not None and array.shape[1] != columns:
        raise InputError(
            f"{argument}: expected {columns} columns like the other inputs; got shape "
            f"{array.shape}; all stages, test inputs and parameters share one dimension d"
        )
    return array


def vector(
    argument: str, value: Any, *, length: int | None = None, of: str = ""
) -> Float[np.ndarray, " n"]:
    """A finite vector, of `length` entries where given; `of` says what they are one for each of."""
    array = _numbers(argument, value)
    if array.ndim != 1 or (length is not None and array.shape[0] != length):
        wanted = f"({'n' if length is None else length},)"
        raise InputError(
            f"{argument}: expected a vector of shape {wanted}{of}; got shape {array.shape}"
        )
    return array


def positive(argument: str, value: Any) -> float:
    """A finite number > 0."""
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Real)
        or not 0 < float(value) < np.inf
    ):
        raise InputError(f"{argument}: expected a finite number > 0; got {value!r}")
    return float(value)


def nonnegative(argument: str, value: Any) -> float:
    """A finite number ≥ 0."""
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Real)
        or not 0 <= float(value) < np.inf
    ):
        raise InputError(f"{argument}: expected a finite number ≥ 0; got {value!r}")
    return float(value)


def whole(argument: str, value: Any, *, least: int = 0) -> int:
    """An integer ≥ least."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < least:
        raise InputError(f"{argument}: expected an integer ≥ {least}; got {value!r}")
    return int(value)


def times(argument: str, value: Any) -> Float[np.ndarray, " times"]:
    """Integer times ≥ 0, as float64 (exact up to 2⁵³)."""
    array = vector(argument, value)
    if array.size == 0 or np.any(array < 0) or np.any(array != np.floor(array)):
        raise InputError(
            f"{argument}: expected at least one integer step ≥ 0; got {np.asarray(value).tolist()}"
        )
    return array


def order(value: Sequence[str], stages: Mapping[str, Any]) -> tuple[str, ...]:
    """A sequence of names of stages."""
    if isinstance(value, str):
        raise InputError(
            f"order: expected a sequence of stage names; got the string {value!r}; pass "
            f"({value!r},)"
        )
    if not stages:
        raise InputError("stages: expected at least one stage; got none")
    return tuple(known("order", name, list(stages)) for name in value)


def stage(
    name: str, value: Any, *, columns: int | None = None
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """One stage's (X (n, d), y (n,))."""
    try:
        X, y = value
    except (TypeError, ValueError) as error:
        raise InputError(
            f"stages[{name!r}]: expected a pair (X, y); got {type(value).__name__}"
        ) from error
    X = matrix(f"stages[{name!r}] X", X, columns=columns)
    return X, vector(
        f"stages[{name!r}] y", y, length=X.shape[0], of=", one target for each row of X"
    )


def _named(argument: str, value: Any, name: str) -> tuple[str, Any]:
    """One value for all stages, or the stage's own out of a mapping, and its name in a message."""
    if not isinstance(value, Mapping):
        return argument, value
    return f"{argument}[{name!r}]", value[known(argument, name, list(value))]


def spectral_filter(mu: Any, filters: Any, name: str, X: Float[np.ndarray, "n d"]) -> Filter:
    """How stage `name` is learned: Ridge(μ) from mu, or its filter from filters.

    Exactly one of the two is given.
    """
    if (mu is None) == (filters is None):
        raise InputError("mu: expected either mu (ridge weights) or filters; got both or neither")
    if filters is None:
        return Ridge(positive(*_named("mu", mu, name)))
    argument, filter_ = _named("filters", filters, name)
    if isinstance(filter_, Ridge):
        return Ridge(positive(f"{argument}.mu", filter_.mu))
    if isinstance(filter_, GradientDescent):
        steps, eta = (
            whole(f"{argument}.steps", filter_.steps, least=1),
            positive(f"{argument}.eta", filter_.eta),
        )
        limit = largest_step(X)
        if eta >= limit:
            raise InputError(
                f"{argument}.eta: expected a step size below n/λ_max = {limit:.3g}, or gradient "
                f"descent on stage {name!r} diverges; got {eta:g}"
            )
        return GradientDescent(float(steps), eta)
    if not isinstance(filter_, MinimumNorm):
        raise InputError(
            f"{argument}: expected Ridge, GradientDescent or MinimumNorm; got "
            f"{type(filter_).__name__}"
        )
    return filter_


def independent_rows(
    argument: str, X: Float[np.ndarray, "k d"], *, otherwise: str
) -> Float[np.ndarray, "k d"]:
    """A matrix whose rows are linearly independent (so k ≤ d).

    `otherwise` says what to do about dependent ones.
    """
    rank = int(np.linalg.matrix_rank(X))
    if rank < X.shape[0]:
        raise InputError(
            f"{argument}: expected {X.shape[0]} linearly independent rows; got rank {rank}; drop "
            f"dependent rows, or {otherwise}"
        )
    return X
