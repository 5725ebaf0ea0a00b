"""The linear world: overparameterized regression in which the theory of arXiv 2510.16629 holds exactly.

`linear` trains stages and ascends in dual form, `theorem` evaluates Theorem 3.1 and Corollary 1. `experiments` tests
them on random instances and runs the paths p = 1..P with GA, NPO and SimNPO; `run` does all experiments. Entry points
take and return NumPy float64; importing the package changes no JAX setting.
"""

from theory import experiments, linear, theorem
from theory.experiments import run

__all__ = ["experiments", "linear", "run", "theorem"]
