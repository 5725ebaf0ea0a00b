"""Figures, tables, claims and the HTML report, made from records.

The package reads records through `protocol` alone: it loads no model and neither torch nor JAX.
`paper_figs.report.outputs.build` writes everything. A module with a `FIGURE` draws one figure and
is a command of its own (`python -m paper_figs.figures.figure1`).
"""
