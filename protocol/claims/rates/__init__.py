"""Claims about rates of divergence, and about the spread of outcomes.

Each module has `judge(tables)`, which returns the claims that the records of experiment "rates"
decide, for the linear model, small networks and language models alike.
"""
