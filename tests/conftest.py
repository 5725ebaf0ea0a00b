"""Array shapes in theory/ and protocol/metrics/ are checked under pytest only, by jaxtyping and
beartype; each test gets its mark, fast or slow.

A test process has one thread: several processes share the cores, and results stay equal to the bit.
XLA's costly passes are left out, as tests compile more than they compute (a third of the time of
tests/theory); JAX_DISABLE_MOST_OPTIMIZATIONS=0 switches them on, as they are for users.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import pytest
from jaxtyping import install_import_hook
from marks import mark_of

install_import_hook(["theory", "protocol.metrics"], "typecheck.check")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test as tests/support/marks.py says."""
    for item in items:
        item.add_marker(mark_of(item.nodeid.removeprefix("tests/")))
