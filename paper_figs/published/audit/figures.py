"""Curves compared: panels that repeat another, runs that share a start, points that come twice."""

import numpy as np
from jaxtyping import Float

from paper_figs.published import numbers
from paper_figs.published.audit.fact import TOLERANCE, Fact, small
from paper_figs.published.numbers import FIGURES, LABEL, TOFU, Panel

GRID_TOLERANCE = 1e-4  # nats; 18 changes as near to whole thousandths as this are no chance


def difference(panel: Panel, other: Panel) -> float:
    """Largest difference of two panels, point for point."""
    return float(np.abs(panel.values - other.values).max())


def starts_apart(*panels: Panel) -> float:
    """Largest difference at step 0 between panels, path for path."""
    return float(np.ptp([panel.values[:, 0] for panel in panels], axis=0).max())


def repeated_in_figure_7() -> Fact:
    """Figure 7 repeats a panel of Figure 6."""
    panel = numbers.panel(7)
    residual = difference(
        panel, numbers.panel(6, model=panel.model, learning_rate=panel.learning_rate)
    )
    return Fact(
        id="figure7-repeats-figure6",
        printed=(
            f"Figure 7: {panel.algorithm} at learning rate {panel.learning_rate:g}, label and TOFU."
        ),
        found=(
            f"Its label panel is Figure 6's panel {panel.model} at {panel.learning_rate:g}, to "
            f"{small(residual)}."
        ),
        compared="The runs count once, as Figure 6.",
        residual=residual,
        agrees=residual <= TOLERANCE,
    )


def repeated_in_figure_8() -> Fact:
    """Figure 8's panel NPO/WSD is its panel SimNPO/WSD."""
    npo = numbers.panel(8, algorithm="NPO", scheduler="WSD")
    simnpo = numbers.panel(8, algorithm="SimNPO", scheduler="WSD")
    residual = difference(npo, simnpo)
    off = np.abs(npo.drops - numbers.table1_row("Qwen1B", "NPO", "forget_score"))
    return Fact(
        id="figure8-npo-wsd",
        printed="Figure 8: NPO under WSD and SimNPO under WSD as two panels.",
        found=(
            "Both panels hold the same curves, point for point (largest difference "
            f"{small(residual)}); the drops differ from Table 1's NPO row by {off.min():.2f} to "
            f"{off.max():.2f} nats."
        ),
        compared="NPO by Figure 5 and Table 1; the panel counts as SimNPO.",
        residual=residual,
        agrees=residual > TOLERANCE,
    )


def cosine_start() -> Fact:
    """Figure 8's two columns unlearn the same fine-tuned models."""
    methods = ("GA", "NPO", "SimNPO")
    wsd = [numbers.panel(8, algorithm=method, scheduler="WSD") for method in methods]
    cosine = [numbers.panel(8, algorithm=method, scheduler="cosine") for method in methods]
    residual = max(map(starts_apart, wsd, cosine))
    return Fact(
        id="figure8-cosine-start",
        printed="Figure 8: WSD against cosine.",
        found=(
            f"Both columns start from the same values in all {len(methods)} rows (largest "
            f"difference {small(residual)}): the fine-tuning is shared, the schedule of unlearning "
            "alone differs."
        ),
        compared="Our schedules differ in unlearning alone, too.",
        residual=residual,
        agrees=residual <= TOLERANCE,
    )


def figure_6_start() -> Fact:
    """Figure 6's Llama1B starts from other values than Figure 1's."""
    within, off = 0.0, {}
    for model in ("Qwen1B", "Llama1B"):
        panels = [panel for panel in numbers.panels(6) if panel.model == model]
        within = max(within, starts_apart(*panels))
        off[model] = starts_apart(numbers.panel(1, model=model), *panels)
    return Fact(
        id="figure6-llama1b-start",
        printed="Figure 6: other learning rates of unlearning, 1B models.",
        found=(
            f"Each model starts from the same values at all learning rates (to {small(within)} "
            f"nats). Qwen1B's are those of Figure 1 (to {small(off['Qwen1B'])}), Llama1B's are up "
            f"to {off['Llama1B']:.2f} nats away from them."
        ),
        compared="Ranks within a panel; no drop of Figure 6 is compared with a drop of Figure 1.",
        residual=max(off.values()),
        agrees=max(off.values()) <= TOLERANCE,
    )


def llama8b_start() -> Fact:
    """Figure 3's Llama8B starts p = 4 where p = 1 starts."""
    label, tofu, again = (
        numbers.panel(3, quantity, model="Llama8B", algorithm=method).values[:, 0]
        for quantity, method in ((LABEL, "NPO"), (TOFU, "NPO"), (LABEL, "SimNPO"))
    )
    residual = float(max(abs(label[-1] - label[0]), abs(tofu[-1] - tofu[0])))
    return Fact(
        id="figure3-llama8b-start",
        printed=(
            "Figure 3, Llama8B: four paths, four fine-tuned models, unlearned by NPO and by SimNPO."
        ),
        found=(
            "Under NPO p = 4 starts from the values of p = 1, label and TOFU (largest difference "
            f"{small(residual)}). Under SimNPO the label of p = 4 starts "
            f"{abs(again[-1] - label[-1]):.3f} nats away from there, that of the other paths where "
            f"it does under NPO (to {small(float(np.abs(again - label)[:-1].max()))})."
        ),
        compared="Drops of Llama8B, no levels.",
        residual=residual,
        agrees=residual > TOLERANCE,
    )


def _off_grid(curve: Float[np.ndarray, " points"]) -> float:
    """How far the changes from step 1 on are from whole thousandths."""
    changes = np.diff(curve[1:])
    return float(np.abs(changes - changes.round(3)).max())


def llama8b_rounded() -> Fact:
    """Figure 3's Llama8B has values of three decimals at p = 4."""
    panels = [panel for panel in numbers.panels(3) if panel.model == "Llama8B"]
    off = np.array([[*map(_off_grid, panel.values)] for panel in panels])
    on, last = off < GRID_TOLERANCE, off[:, -1]
    return Fact(
        id="figure3-llama8b-p4",
        printed="Figure 3, Llama8B: four curves a panel, drawn alike.",
        found=(
            f"From step 1 on p = 4 moves by whole thousandths in {np.sum(on[:, -1])} of "
            f"{last.size} panels (to {small(float(last.max()))} nats), the other paths in "
            f"{np.sum(on[:, :-1])} of {on[:, :-1].size} curves: p = 4 seems to be drawn from "
            "values of three decimals."
        ),
        compared="Ranks and drops of Llama8B.",
        residual=float(last.max()),
        agrees=not on.any() or bool(on.all()),
    )


def last_points() -> Fact:
    """The last evaluation is printed twice in nearly every curve."""
    moved = [
        (panel.model, path, float(move))
        for figure in FIGURES
        if figure != 4
        for panel in numbers.panels(figure)
        for path, move in zip(
            panel.paths, np.abs(panel.values[:, -1] - panel.values[:, -2]), strict=True
        )
    ]
    others = [(model, path) for model, path, move in moved if move > TOLERANCE]
    named = ", ".join(f"{model} p = {path}" for model, path in dict.fromkeys(others))
    return Fact(
        id="last-two-points",
        printed="Figures 1, 3 and 5–8: 20 points a curve, steps 0 to 19.",
        found=(
            f"The last two points are equal in {len(moved) - len(others)} of {len(moved)} curves "
            f"(not in {named}): step 0, 18 updates, and the last evaluation once more."
        ),
        compared=(
            "Step 19 as the end of a published curve; ours have as many points as updates and one."
        ),
        residual=max(move for *_, move in moved),
        agrees=len(others) == len(moved),
    )
