"""The published numbers, audited: each oddity of arXiv 2510.16629, recomputed from CSV.

`facts()` compares what is printed with what the paper's own curves say, every number computed: of
Table 1 (table1), of the curves (figures), and of what the claims rest on (evidence).
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
