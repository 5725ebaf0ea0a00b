"""L1 and L2: paths diverge, and what was learned last is forgotten slowest.

Forget scores are of the label alone (primary) at steps 10, 20 and the last of a longer run,
half-way and last of a shorter one (`curves.all_judged`), and by area (of the recorded steps up to
the later of the two); the verdict is the common one of the readings, "inconclusive" where they
differ. Label + paraphrases is reported second. L2 pools models, and each of them is in every
reading at a step of its own (`curves.pooled_steps`).
"""

import numpy as np
from jaxtyping import Float
from scipy import stats

from protocol import metrics
from protocol.claims.claim import Claim, agreed, share_verdict
from protocol.readings.curves import (
    LATER,
    Curves,
    all_judged,
    curves,
    judged_steps,
    pooled_steps,
    positions,
    worlds_and_methods,
)
from protocol.records import Tables


def _readings(label: list[Curves]) -> dict[str, Float[np.ndarray, "seeds paths"]]:
    """Reading -> forget scores of all models' seeds, the later judged step first."""
    scores = {
        name: [measured.forgotten(step) for measured, step in zip(label, steps, strict=True)]
        for name, steps in pooled_steps([measured.steps for measured in label]).items()
    }
    scores["area"] = [metrics.area_score(measured.judged.values) for measured in label]
    return {name: np.concatenate(by_model) for name, by_model in scores.items()}


def path_test(measured: Curves, step: int) -> metrics.FTest:
    """F of path against seed of the forget score up to a step.

    Of means over seeds only the variance of the level is known. That of the difference of two
    levels is at most (σ_0 + σ_step)², whatever their correlation, so that F is then a lower bound.
    """
    scores = measured.forgotten(step)
    if measured.averaged is None:
        return metrics.path_f_test(scores)
    deviation = np.sqrt(measured.averaged.variance)
    variances = (deviation[:, 0] + deviation[:, measured.steps.index(step)]) ** 2
    return metrics.summary_f_test(scores[0], variances, measured.averaged.seeds)


def _between(measured: Curves, step: int) -> float:
    """Mean square of the level between paths."""
    return measured.seeds * float(np.var(measured.at(step).mean(axis=0), ddof=1))


def _path_share(scores: Float[np.ndarray, "seeds paths"]) -> str:
    """The share of variance between paths in words, with its interval."""
    share, low, high = metrics.path_effect(scores)
    return f"{share:.2f} [{low:.2f}, {high:.2f}] of the variance within seeds is between paths"


def _tested(step: int, test: metrics.FTest) -> str:
    return f"step {step}: F {test.statistic:.3g}, p {test.p_value:.2g}"


def divergence(world: str, method: str, measured: Curves) -> Claim:
    """L1 for one model: F of path against seed, on the forget score at every judged step."""
    head = (
        "L1",
        "The paths diverge under unlearning.",
        "Section 4, Figures 1, 3, 5",
        world,
        measured.model,
        method,
        f"F = between-path over within-path (seed) variance of the forget score, {LATER}",
    )
    if measured.seeds < 2:
        return Claim(
            *head,
            None,
            None,
            "F above its 95% quantile",
            "not testable",
            "needs at least 2 seeds; 1 was run",
        )
    last, half, *end = all_judged(measured.steps)
    tests = {step: path_test(measured, step) for step in (last, half, *end)}
    verdicts = [
        "holds"
        if test.statistic > test.threshold
        else "fails"
        if test.statistic < 1
        else "inconclusive"
        for test in tests.values()
    ]
    steps = " and ".join(map(str, sorted({last, half, *end})))
    threshold = f"> {tests[last].threshold:.3g} (95% quantile) at steps {steps}; fails below 1"
    detail = "; ".join(_tested(step, test) for step, test in tests.items())
    before, after = (_between(measured, step) for step in (0, max(measured.steps)))
    detail += f"; between-path variance of the level {before:.3g} at step 0, {after:.3g} at the end"
    if measured.averaged is None:
        detail += f"; {_path_share(measured.forgotten(last))}"
    detail += f"; {measured.seeds} seeds"
    return Claim(
        *head, tests[last].statistic, None, threshold, agreed(verdicts), detail, tests[last].p_value
    )


def slowest(label: list[Curves]) -> dict[str, tuple[int, int]]:
    """Reading -> (seeds of all models in which p = last has the smallest forget score, seeds)."""
    hits = {name: metrics.recency(scores) == 1 for name, scores in _readings(label).items()}
    return {name: (int(np.sum(slow)), len(slow)) for name, slow in hits.items()}


def last_rank(measured: Curves) -> float:
    """Rank of p = last by forget score at the later judged step, 1 = slowest; mean over seeds."""
    return float(np.mean(metrics.recency(measured.forgotten(judged_steps(measured.steps)[0]))))


def _rank_tests(label: list[Curves]) -> str:
    """Two rank tests over all models' seeds at the later judged step: mean rank of p = last, Page's
    trend, in words.
    """
    scores = np.concatenate(
        [measured.forgotten(judged_steps(measured.steps)[0]) for measured in label]
    )
    rank = metrics.last_rank_test(scores)
    told = f"mean rank {rank.statistic:.2g} of {scores.shape[1]}, exact p {rank.p_value:.2g}"
    if min(scores.shape[0], scores.shape[1] - 1) < 2:
        return told
    return f"{told}; Page's trend over positions p {metrics.position_trend(scores).p_value:.2g}"


def recency(world: str, method: str, label: list[Curves], phrases: list[Curves]) -> Claim:
    """L2, pooled over models and seeds: how often p = last has the smallest forget score."""
    counts = slowest(label)
    intervals = {name: metrics.exact_interval(*count) for name, count in counts.items()}
    chance = 1 / label[0].values.shape[1]
    verdict = agreed([share_verdict(interval, chance) for interval in intervals.values()])
    first = next(iter(counts))
    detail = "slowest by label: " + ", ".join(f"{n}: {s} of {t}" for n, (s, t) in counts.items())
    detail += f"; rank of p = last, {first}: " + ", ".join(
        f"{c.model} {last_rank(c):.3g}" for c in label
    )
    detail += f"; {_rank_tests(label)}"
    if phrases:
        name, (hits, seeds) = next(iter(slowest(phrases).items()))
        detail += f"; by label and paraphrases, {name}: {hits} of {seeds}"
    return Claim(
        "L2",
        "Recency: what was learned last is forgotten slowest.",
        "Section 4, Figures 1, 3",
        world,
        " + ".join(c.model for c in label),
        method,
        f"P(p = last slowest), {first}",
        counts[first][0] / counts[first][1],
        intervals[first],
        f"exact 95% lower bound > {chance:.3g} at every judged step and by area",
        verdict,
        detail,
        float(stats.binom.sf(counts[first][0] - 1, counts[first][1], chance)),
    )


def judge(tables: Tables) -> list[Claim]:
    """L1 and L2 for every world and method there are records of."""
    records = positions(tables)
    pairs = list(worlds_and_methods(records, "label_loglik"))
    label = {
        pair: curves(records, world=pair[0], method=pair[1], metric="label_loglik")
        for pair in pairs
    }
    claims = [divergence(*pair, measured) for pair in pairs for measured in label[pair]]
    for world, method in pairs:
        phrases = curves(records, world=world, method=method, metric="phrase_loglik")
        claims.append(recency(world, method, label[world, method], phrases))
    return claims
