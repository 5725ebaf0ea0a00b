"""An audit of the published numbers: each oddity, recomputed from the CSV files.

`facts()` compares what arXiv 2510.16629 prints with the paper's own curves, and computes every
number: of Table 1 (`table1`), of the curves (`figures`), and of the evidence for the claims
(`evidence`).
"""

from paper_figs.published.audit import evidence, figures, table1
from paper_figs.published.audit.fact import Fact


def facts() -> tuple[Fact, ...]:
    """All facts, in the order of the tables and figures they speak of."""
    return (
        table1.forget_score(),
        table1.one_value(),
        table1.math_utility(),
        table1.figure_1_method(),
        table1.figure_3_scale(),
        evidence.depth_rule(),
        evidence.only_spread(),
        evidence.shared_start(),
        evidence.single_runs(),
        figures.repeated_in_figure_7(),
        figures.repeated_in_figure_8(),
        figures.cosine_start(),
        figures.figure_6_start(),
        figures.llama8b_start(),
        figures.llama8b_rounded(),
        figures.last_points(),
        evidence.slowest_path(),
    )


__all__ = ["Fact", "facts"]
