"""Array shapes in theory/ and protocol/metrics/ are checked here and only here, through jaxtyping and beartype.

One thread a process: two test processes share two cores, and results stay equal to the bit.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

from jaxtyping import install_import_hook

install_import_hook(["theory", "protocol.metrics"], "typecheck.check")
