"""Claims about controls: other bases, other settings of unlearning, mixtures, and an oracle.

Each module has `judge(tables)`, which returns the claims that the records decide.
"""
