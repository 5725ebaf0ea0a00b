"""The floors keep apart at run time too: what a package loads, and that importing changes no global
state.
"""

import subprocess
import sys

import pytest


def loaded(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("import theory", {"torch", "transformers"}),
        ("import llm, llm.lab.run", {"jax", "theory"}),
        (
            "import protocol.claims, protocol.objectives, protocol.records, protocol.spec",
            {"torch", "jax"},
        ),
        ("import paper_figs", {"torch", "jax", "matplotlib.pyplot"}),
        ("import retrace", {"torch", "jax", "matplotlib"}),
    ],
)
def test_a_floor_does_not_load_what_is_not_its_own(statement, never) -> None:
    assert not loaded(statement) & never


def test_importing_changes_no_global_state() -> None:
    code = """
import jax, torch
before = (jax.config.jax_enable_x64, torch.get_default_dtype(), torch.get_num_threads(), torch.initial_seed())
import theory, llm.lab.run, paper_figs, retrace
after = (jax.config.jax_enable_x64, torch.get_default_dtype(), torch.get_num_threads(), torch.initial_seed())
assert before == after, (before, after)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
