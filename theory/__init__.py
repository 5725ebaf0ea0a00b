"""The linear model, in which the theory of arXiv 2510.16629 holds exactly, and small networks.

`linear` trains stages (any spectral filter of `filters`) and ascends in dual form; `unlearning`
takes any objective and optimizer, step by step; `theorem` evaluates Theorem 3.1 and Corollary 1.
Beyond the paper: `recency` explains why the stage learned last is forgotten slowest, `span` bounds
what gradients on the forget set can undo, `retain` says how much retained data stops two paths from
parting, `certified` when noise no longer hides them, `removal` which methods reach the retrained
model. `networks` are small and not linear. `experiments` measure all of this; `run` runs every
experiment. Entry points take and return NumPy float64; importing changes no JAX setting.
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
    unlearning,
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
    "unlearning",
]
