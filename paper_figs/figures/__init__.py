"""One module for each figure, and `registry`, which lists them in the order of the report.

Each module ends in a `FIGURE`, whose `draw(tables)` returns a figure, or None without records.
"""
