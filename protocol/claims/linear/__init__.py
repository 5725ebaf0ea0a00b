"""Claims about the linear model: Theorem 3.1, and the results beyond the paper.

Each module has `judge(tables)`, which returns the claims that the records decide. The formulas are
in the module of the same name in `theory`.
"""
