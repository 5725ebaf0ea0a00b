"""Records in, paper out: figures, Table 1, claims and the HTML report, with the published numbers
beside ours.

Reads records through protocol alone; never a model, never an array library of the two worlds.
`outputs.build` writes everything; a module with a `FIGURE` draws one figure, and is a command of
its own (`python -m paper_figs.figures.figure1`).
"""
