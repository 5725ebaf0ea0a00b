"""Float64 is local; a program with several independent batched LAPACK calls comes to an end."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp

from theory.numerics import float64


def test_float64_is_local():
    before = os.environ.get("NPROC")
    with float64():
        assert jnp.ones(1).dtype == jnp.float64
    assert jnp.ones(1).dtype == jnp.float32
    assert not jax.config.jax_enable_x64
    assert os.environ.get("NPROC") == before


PROGRAM = """
import jax
from benchmarks.survey import draw, survey
from theory.numerics import float64
with float64():
    for _ in range(5):
        jax.block_until_ready(survey(draw(0, 16, d=400, n=40, k=40, m=60)))
print("ended")
"""


def test_independent_lapack_calls_do_not_wait_for_each_other_for_ever():
    """With as many of XLA's threads as cores this program stands still on 2 cores."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "NPROC")
    }
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        cwd=root,
        check=True,
    )
    assert done.stdout.strip() == "ended"
