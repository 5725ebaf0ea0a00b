"""The tables: the paper's Table 1 and Table 2 with our rows, and the rates between the sides.

`text` writes a table as Markdown and as LaTeX.
"""
