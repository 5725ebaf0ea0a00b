"""How the linear side computes: in float64, one BLAS thread a call, enough threads for all calls.

XLA runs independent LAPACK calls of one program at once. If each of them starts BLAS threads
of its own they fight for the cores, and a program of a second takes a minute on a busy machine. And
each call on a batch hands its parts to the pool of XLA's threads and waits for them inside that
pool, which has as many threads as cores: with as many calls waiting as there are threads, none of
the parts is ever run and the program never ends (seen with jaxlib 0.9.2 and 0.10 on 2 cores;
tests/theory/test_numerics.py keeps watch). So the pool is made larger than any program here has
calls. The pool's size is fixed when JAX is first used: a process that used JAX before entering
`float64` keeps the small one.
"""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import jax
import scipy.linalg  # noqa: F401  XLA calls SciPy's LAPACK: it must be loaded for its threads to be limited
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

THREADS = 16  # more than there are independent LAPACK calls in any program of this package


@functools.cache
def _start_with_enough_threads() -> None:
    """Start XLA's CPU client with a pool of `THREADS`; the environment is as before afterwards."""
    before = os.environ.get("NPROC")
    os.environ["NPROC"] = str(max(THREADS, os.cpu_count() or 1))
    try:
        jax.local_devices(backend="cpu")
    finally:
        if before is None:
            del os.environ["NPROC"]
        else:
            os.environ["NPROC"] = before


@contextmanager
def float64() -> Iterator[None]:
    """Inside, JAX arrays are float64 and BLAS calls use one thread; both as before afterwards."""
    _start_with_enough_threads()
    with threadpool_limits(limits=1, user_api="blas"), jax.enable_x64(True):
        yield
