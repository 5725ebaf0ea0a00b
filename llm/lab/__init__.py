"""Experiments carried out: stage nodes, leaves, unlearning runs and their records.

`run` makes one task for each order and seed, and `workers` computes the tasks in processes. A task
trains the nodes of its order (`nodes`), unlearns from the leaf by every method (`start`, `runs`),
and keeps everything in the stage store; `divergence` compares the runs of several orders.
"""
