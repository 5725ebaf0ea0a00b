"""Records as arrays, for claims and figures.

A reading selects the records of an experiment and returns them as arrays indexed by seed, path and
step, or as a table with a row for each run. Readings hold no rule and no verdict.
"""
