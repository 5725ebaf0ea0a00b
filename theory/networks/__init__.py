"""Small networks in compiled ensembles: softmax regression, an MLP and a transformer, in stages.

`models` are classifiers with log π(y|x) = log softmax, and `tasks` draw their stages. `training`
follows a path, an array of row numbers, so an order of stages is data. `unlearning` unlearns by GA,
NPO and SimNPO. `ensemble` does both for all seeds and paths of an experiment in one program, over
several devices if there are several. Numbers are float32 unless a caller is inside
`theory.numerics.float64`.
"""

from theory.networks import ensemble, models, tasks, training, unlearning

__all__ = ["ensemble", "models", "tasks", "training", "unlearning"]
