"""One module for each figure. Figures do not import each other.

`registry` lists the figures in the order of the report.

Each module ends in a `FIGURE`, whose `draw(tables)` returns a figure, or None without records.
"""
