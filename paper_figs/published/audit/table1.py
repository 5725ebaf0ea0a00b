"""Table 1 compared with the curves: forget scores, one value, the sign of utilities."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from paper_figs.published import numbers
from paper_figs.published.audit.fact import TOLERANCE, Fact, small
from paper_figs.published.numbers import LABEL, TABLE1_QUANTITIES, TOFU, Panel

DIGITS = 3  # decimals of Table 1


def _printed(
    panels: Iterable[Panel], method: str | None = None
) -> Float[np.ndarray, "panels paths"]:
    """Table 1's forget scores of these panels, of their own method where none is given."""
    return np.stack(
        [numbers.table1_row(p.model, method or p.algorithm, "forget_score") for p in panels]
    )


def _drops(panels: Iterable[Panel]) -> Float[np.ndarray, "panels paths"]:
    return np.stack([panel.drops for panel in panels])


def _hits(panels: list[Panel], method: str | None = None) -> str:
    """ "16 of 16": how many drops are the printed values once they are rounded like these."""
    equal = np.round(_drops(panels), DIGITS) == _printed(panels, method)
    return f"{np.sum(equal)} of {equal.size}"


def _label_panels(figure: int) -> list[Panel]:
    return [panel for panel in numbers.panels(figure) if panel.quantity == LABEL]


def forget_score() -> Fact:
    """Table 1's forget score is that of the label alone."""
    first, third = _label_panels(1), _label_panels(3)
    eighth = [numbers.panel(8, algorithm=method, scheduler="WSD") for method in ("GA", "SimNPO")]
    residual = float(np.abs(_drops(first) - _printed(first)).max())
    return Fact(
        id="table1-forget-score",
        printed=(
            "Table 1's forget score: by its caption the decrease of the mean over the label and "
            "its paraphrases."
        ),
        found=(
            f"The drop of the label curve alone from step 0 to 19, to {DIGITS} decimals: "
            f"{_hits(first)} values in Figure 1, {_hits(third)} in Figure 3, {_hits(eighth)} in "
            "Figure 8 (GA and SimNPO under WSD)."
        ),
        compared="Forget scores by the label first, by label and paraphrases second.",
        residual=residual,
        agrees=residual > TOLERANCE,
    )


def one_value() -> Fact:
    """Table 1's value for Qwen1B, SimNPO, p = 4 is 2 less than the curve's drop."""
    row = numbers.table1_row("Qwen1B", "SimNPO", "forget_score")
    curve = numbers.panel(8, algorithm="SimNPO", scheduler="WSD").drops
    seeds = numbers.panel(5, algorithm="SimNPO").drops
    rank = 1 + int(np.sum(curve > curve[-1]))
    return Fact(
        id="table1-qwen1b-simnpo-p4",
        printed=f"Table 1, Qwen1B, SimNPO, p = 4: forget score {row[-1]:.3f}.",
        found=(
            f"The curve of Figure 8 drops by {curve[-1]:.3f}, the mean of four seeds in Figure 5 "
            f"by {seeds[-1]:.3f}; the other three values of the row are the curve's to "
            f"{small(np.abs(curve - row)[:-1].max())}. By the curve p = 4 is number {rank} of 4 by "
            f"speed, by the printed value number {1 + int(np.sum(row > row[-1]))}."
        ),
        compared="The curves; the printed value is shown and not judged.",
        residual=float(np.abs(curve - row).max()),
        agrees=bool(np.abs(curve - row).max() <= TOLERANCE),
    )


def math_utility() -> Fact:
    """Sign and unit of the math utility are not stated."""
    table = numbers.table1().sort("model", "algorithm", "path")
    values = table["math_utility"].to_numpy()
    spread = np.ptp(values.reshape(-1, 4), axis=1)
    return Fact(
        id="table1-math-utility",
        printed=(
            "Table 1's math utility: lost by over 20%, depending on the path; unit and sign are "
            "not stated."
        ),
        found=(
            f"{np.sum(values > 0)} of {values.size} printed values are positive, "
            f"{np.sum(values < 0)} negative, {np.sum(values == 0)} zero; max − min over the paths "
            f"is {spread.min():.3f} to {spread.max():.3f}, above 0.2 in {np.sum(spread > 0.2)} of "
            f"{spread.size} rows."
        ),
        compared=(
            "Change of the share of correct answers, after − before; max − min, which no sign "
            "changes."
        ),
        residual=None,
        agrees=bool((values < 0).all() and (spread > 0.2).all()),
    )


def figure_1_method() -> Fact:
    """Figure 1 shows GA."""
    panels = _label_panels(1)
    residual = float(np.abs(_drops(panels) - _printed(panels, "GA")).max())
    return Fact(
        id="figure1-method",
        printed="Figure 1: label log-likelihood of four models along unlearning.",
        found=(
            f"Its drops are Table 1's rows of GA in {_hits(panels, 'GA')} values, of NPO in "
            f"{_hits(panels, 'NPO')}, of SimNPO in {_hits(panels, 'SimNPO')}: the figure shows GA."
        ),
        compared="Our runs of GA.",
        residual=residual,
        agrees=residual <= TOLERANCE,
    )


def figure_3_scale() -> Fact:
    """Figure 3's scale was taken from Table 1; its starts are Figure 1's if both have the model."""
    panels = numbers.panels(3)
    columns = dict(zip((LABEL, TOFU), TABLE1_QUANTITIES, strict=False))
    scores = {LABEL: lambda drops: drops, TOFU: lambda drops: 1 - np.abs(drops)}
    off = [
        np.abs(
            scores[p.quantity](p.drops)
            - numbers.table1_row(p.model, p.algorithm, columns[p.quantity])
        )
        for p in panels
    ]
    start = numbers.panel(3, model="Qwen14B", algorithm="NPO").values[:, 0]
    residual = float(np.abs(start - numbers.panel(1, model="Qwen14B").values[:, 0]).max())
    return Fact(
        id="figure3-scale",
        printed="Figure 3: curves whose tick labels are rounded; Table 1 has the same runs.",
        found=(
            "With the scale taken from Table 1 forget score and 1 − |TOFU drop| are the printed "
            f"ones to {small(float(np.max(off)))} in {np.size(off)} values, which is no check of "
            "Table 1; independent of it, Qwen14B starts from Figure 1's four values to "
            f"{small(residual)}."
        ),
        compared="Drops and ranks of Figure 3; levels only within a panel.",
        residual=residual,
        agrees=residual <= TOLERANCE,
    )
