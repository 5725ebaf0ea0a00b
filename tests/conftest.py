"""Array shapes in theory/ and protocol/metrics/ are checked here and only here, through jaxtyping
and beartype.

One thread a process: two test processes share two cores, and results stay equal to the bit. XLA's
costly passes are left out, as tests compile more than they compute (a third of the time of
tests/theory); with JAX_DISABLE_MOST_OPTIMIZATIONS=0 they are there, as for users.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

from jaxtyping import install_import_hook

install_import_hook(["theory", "protocol.metrics"], "typecheck.check")
