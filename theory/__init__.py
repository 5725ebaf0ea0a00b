"""The linear world: overparameterized regression in which the theory of arXiv 2510.16629 holds exactly.

`linear` trains stages and ascends in dual form, `theorem` evaluates Theorem 3.1 and Corollary 1, `recency` explains why
what was learned last is forgotten slowest, `span` says what gradients on the forget set cannot undo. `experiments`
tests them on random instances and runs the paths p = 1..P with GA, NPO and SimNPO; `run` does all experiments. Entry
points take and return NumPy float64; importing the package changes no JAX setting.
"""

from theory import experiments, linear, recency, span, theorem
from theory.experiments import run

__all__ = ["experiments", "linear", "recency", "run", "span", "theorem"]
