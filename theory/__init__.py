"""The linear world, in which the theory of arXiv 2510.16629 holds exactly, and small networks
beside it.

`linear` trains stages (any spectral filter of `filters`) and ascends in dual form; `theorem`
evaluates Theorem 3.1 and Corollary 1. Beyond the paper: `recency` explains why what was learned
last is forgotten slowest, `span` says what gradients on the forget set cannot undo, `retain` how
much retained data stops two paths from parting, `certified` when they show through noise, `removal`
what reaches the retrained model. `networks` are small and not linear. `experiments` measure it all;
`run` does every one. Entry points take and return NumPy float64; importing changes no JAX setting.
"""

from theory import (
    certified,
    experiments,
    filters,
    linear,
    networks,
    recency,
    removal,
    retain,
    span,
    theorem,
)
from theory.experiments import run

__all__ = [
    "certified",
    "experiments",
    "filters",
    "linear",
    "networks",
    "recency",
    "removal",
    "retain",
    "run",
    "span",
    "theorem",
]
