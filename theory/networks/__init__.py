"""Small networks: softmax regression, an MLP and a transformer.

They are trained in stages and unlearned in compiled ensembles.

`models` are classifiers, log π(y|x) = log softmax; `tasks` draw their stages; `training` follows a
path, an array of row numbers, so that an order of stages is data; `unlearning` follows GA, NPO and
SimNPO; `ensemble` does it for all seeds and paths of an experiment in one program, over several
devices where there are. float32 unless called inside `theory.numerics.float64`.
"""

from theory.networks import ensemble, models, tasks, training, unlearning

__all__ = ["ensemble", "models", "tasks", "training", "unlearning"]
