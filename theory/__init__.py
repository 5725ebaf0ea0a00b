"""The theory side: the linear model, in which arXiv 2510.16629 is exact, and small networks.

`linear` trains stages (with any spectral filter of `filters`) and ascends in dual form,
`unlearning` takes steps by any objective and optimizer, and `theorem` evaluates Theorem 3.1 and
Corollary 1. Beyond the paper, `recency` explains why the stage that was learned last is forgotten
slowest, `span` says what gradients on the forget set cannot undo, `retain` how much retained data
stops a divergence, `certified` when noise no longer hides the order, and `removal` which methods
reach the retrained model. `networks` holds small networks, and `experiments` measures every result.
Entry points take and return NumPy float64, and importing changes no JAX setting.
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
