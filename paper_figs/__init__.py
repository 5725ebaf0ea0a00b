"""Records in, paper out: figures, tables, claims and the report, with the published numbers.

This package reads records through `protocol` alone. It loads no model and no array library of the
theory or the language models. `report.outputs.build` writes everything; a module with a `FIGURE`
draws one figure, and is a command of its own (`python -m paper_figs.figures.figure1`).
"""
