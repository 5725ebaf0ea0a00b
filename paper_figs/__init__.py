"""Records in, paper out: figures, Table 1, claims and the HTML report, with the published numbers beside ours.

Reads records through protocol alone; never a model, never an array library of the two worlds.
"""

from paper_figs.outputs import build
from paper_figs.registry import FIGURES

__all__ = ["FIGURES", "build"]
