"""What the claims rest on: the published spread, the slowest path, the rule of Figure 4."""

import numpy as np
from jaxtyping import Float

from paper_figs.published import numbers
from paper_figs.published.audit.fact import TOLERANCE, Fact
from paper_figs.published.audit.figures import difference
from paper_figs.published.numbers import FIGURES, LABEL, ORDERS, TOFU, Panel
from protocol import metrics
from protocol.readings.depth import PUBLISHED_DEEP


def depth_rule() -> Fact:
    """Figure 4's rule calls all orders deep; the depth score separates the published classes."""
    rule, scores = [], {}
    for path in ORDERS:
        C, U, R = (_answer(path, answer) for answer in "CUR")
        scores[path] = float(metrics.depth_score(C, U))
        if metrics.ends_below(C, U, R):
            rule.append(path)
    deep = [path for path, score in scores.items() if metrics.is_deep(np.array(score))]
    printed = [path for path, order in ORDERS.items() if order in PUBLISHED_DEEP]
    listed = ", ".join(f"{score:.2f}" for score in scores.values())
    return Fact(
        id="figure4-rule",
        printed=(
            f"Figure 4: forgetting is deep where U and C both end below R; {_greek(printed)} are "
            "called deep."
        ),
        found=(
            f"By that rule {len(rule)} of {len(ORDERS)} orders are deep. The depth score (C₀ − "
            f"C_T)/(U₀ − U_T) is {listed} for θ1 to θ6; from {metrics.DEEP:g} on: {_greek(deep)}."
        ),
        compared=(
            f"Classes by the depth score from {metrics.DEEP:g}; the classes by the caption's rule "
            "are reported, too."
        ),
        residual=None,
        agrees=rule == printed,
    )


def _answer(path: str, answer: str) -> np.ndarray:
    return numbers.panel(4, f"logprob_{answer}", paths=(path,)).values[0]


def _greek(paths: list[str]) -> str:
    return ", ".join(path.replace("theta", "θ") for path in paths)


def only_spread() -> Fact:
    """A spread over seeds is published in Figure 5 alone."""
    banded, models = [], set()
    for figure in FIGURES:
        panels = numbers.panels(figure)
        if any(panel.low is not None for panel in panels):
            banded.append(figure)
            models |= {panel.model for panel in panels}
    return Fact(
        id="only-figure5-spread",
        printed="Figure 5: means over four seeds with 95% intervals.",
        found=(
            f"Of the {len(FIGURES)} figures with curves those with a band are: "
            f"{', '.join(map(str, banded))} ({', '.join(sorted(models))}); all other curves are "
            "single runs, and Table 1 has no spread."
        ),
        compared="Path divergence is tested on Figure 5; elsewhere it is not testable.",
        residual=None,
        agrees=banded == [5],
    )


def _band_widths(quantity: str) -> Float[np.ndarray, "panels paths points"]:
    """Width of the bands of Figure 5."""
    panels = [panel for panel in numbers.panels(5) if panel.quantity == quantity]
    return 2 * np.stack([panel.half_width for panel in panels])


def shared_start() -> Fact:
    """Figure 5's seeds start from one fine-tuned model."""
    label, tofu = _band_widths(LABEL), _band_widths(TOFU)[..., 0]
    return Fact(
        id="figure5-start",
        printed="Figure 5: four seeds.",
        found=(
            f"At step 0 the band of TOFU has no width in {np.sum(tofu < TOLERANCE)} of {tofu.size} "
            f"curves, that of the label is at most {label[..., 0].max():.3f} nats wide (at the end "
            f"up to {label[..., -1].max():.1f}): the seeds seem to share the fine-tuned model, so "
            "that the spread is that of unlearning."
        ),
        compared="Ours repeats fine-tuning and unlearning under each seed.",
        residual=float(label[..., 0].max()),
        agrees=True,
    )


def single_runs() -> Fact:
    """Single runs of GA and SimNPO end outside the four seeds' interval."""
    singles = {
        "GA": numbers.panel(1, model="Qwen1B"),
        "SimNPO": numbers.panel(8, algorithm="SimNPO", scheduler="WSD"),
    }
    outside = {}
    for method, single in singles.items():
        band = numbers.panel(5, algorithm=method)
        outside[method] = np.abs(single.values[:, -1] - band.values[:, -1]) - band.half_width[:, -1]
    by_method = "; ".join(
        f"{method}: {np.sum(off > 0)} of {off.size} paths, by {off.min():.2f} to {off.max():.2f} "
        "nats"
        for method, off in outside.items()
    )
    residual = float(max(off.max() for off in outside.values()))
    return Fact(
        id="figure5-single-runs",
        printed=(
            "Qwen1B: single runs in Figures 1 and 8 and Table 1, means of four seeds in Figure 5, "
            "at the same settings."
        ),
        found=f"The single run ends outside the four seeds' 95% interval in {by_method}.",
        compared="Figure 5 where it has the run; levels of single runs only within a panel.",
        residual=residual,
        agrees=residual <= 0,
    )


def distinct_panels() -> list[tuple[int, Panel]]:
    """(figure, label panel) of all panels that show runs of their own."""
    repeated = numbers.panel(8, algorithm="NPO", scheduler="WSD")
    distinct: list[tuple[int, Panel]] = []
    for figure in FIGURES:
        for panel in numbers.panels(figure):
            known = panel.quantity != LABEL or any(
                difference(panel, earlier) <= TOLERANCE for _, earlier in distinct
            )
            if not known and (figure, panel.row, panel.col) != (8, repeated.row, repeated.col):
                distinct.append((figure, panel))
    return distinct


def slowest_path() -> Fact:
    """Where p = last is not the slowest path."""
    ranked = [
        (figure, panel, int(metrics.recency(panel.drops))) for figure, panel in distinct_panels()
    ]
    others = [(figure, panel, rank) for figure, panel, rank in ranked if rank > 1]
    named = ", ".join(
        f"Figure {figure}: {panel.model} {panel.algorithm}, "
        f"{panel.scheduler or f'{panel.learning_rate:g}'} (rank {rank})"
        for figure, panel, rank in others
    )
    return Fact(
        id="slowest-path",
        printed="The forget set is forgotten slowest if it was learned last.",
        found=(
            f"p = 4 has the smallest drop of the label, rank 1, in {len(ranked) - len(others)} of "
            f"{len(ranked)} panels that show runs of their own; not in {named}."
        ),
        compared="Ranks of p = last by model and method, with the exact interval of their share.",
        residual=max(
            (float(panel.drops[-1] - panel.drops.min()) for _, panel, _ in others), default=0.0
        ),
        agrees=not others,
    )
