"""How the linear world computes: float64, and one BLAS thread inside compiled programs.

XLA runs independent LAPACK calls side by side; if each of them starts BLAS threads of its own they fight for the cores,
and a program of a second takes a minute on a busy machine. Both settings are local to the context.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import jax
import scipy.linalg  # noqa: F401  XLA calls SciPy's LAPACK: it must be loaded for its threads to be limited
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]


@contextmanager
def float64() -> Iterator[None]:
    """Inside, JAX arrays are float64 and BLAS calls use one thread; on leaving, both are as before."""
    with threadpool_limits(limits=1, user_api="blas"), jax.enable_x64(True):
        yield
