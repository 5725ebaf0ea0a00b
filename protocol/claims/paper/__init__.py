"""Claims about the paper's own experiments: paths, utility, depth, orders, and their controls.

Each module has `judge(tables)`, which returns the claims that the records decide. The same rules
judge the paper's published curves (`paper_figs.published.claims`).
"""
