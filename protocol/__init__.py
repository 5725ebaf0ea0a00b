"""What the theory side and the language-model side share, so that their results can be compared.

Orders of stages, experiments, unlearning objectives, metrics, records, readings of records, and
claims. Nothing here imports torch or JAX: objectives and distances are written over the Python
array API and work on the arrays of either side.
"""
