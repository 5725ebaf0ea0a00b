"""The linear world: overparameterized regression in which the theory of arXiv 2510.16629 holds exactly.

`linear` trains stages and ascends in dual form, `theorem` evaluates Theorem 3.1 and Corollary 1, `ensemble` and
`curves` test them on random instances, `positions` runs the paths p = 1..P with GA, NPO and SimNPO. `run` does the
three experiments. Entry points take and return NumPy float64; importing the package changes no JAX setting.
"""

from theory import curves, ensemble, instances, linear, positions, theorem
from theory.experiments import run

__all__ = ["curves", "ensemble", "instances", "linear", "positions", "run", "theorem"]
