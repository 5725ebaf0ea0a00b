"""The parts that both sides share, so that their results can be compared.

Stage orders, experiment specs, unlearning objectives, metrics, claims and records. Nothing here
imports torch or JAX: objectives and distances are written over the Python array API and work on
whatever arrays they are given.
"""
