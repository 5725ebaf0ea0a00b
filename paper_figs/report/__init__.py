"""The report, and everything that `retrace figures` writes.

`outputs.build` writes claims, figures, tables and the page. `draw_all` draws the figures in
processes, `evidence` links a claim to its records and figure, and `published_vs_ours` pairs the
published verdicts with ours.
"""
