"""L1 and L2: paths diverge, and what was learned last is forgotten slowest.

Forget scores are of the label alone (primary) at steps 10, 20 and the last of a longer run,
half-way and last of a shorter one (`curves.all_judged`), and by area (of the recorded steps up to
the later of the two); the verdict is the common one of the readings, "inconclusive" if they differ.
Label + paraphrases is reported second. L2 pools models (`ranks.judged_scores`).
"""

import numpy as np
from jaxtyping import Float
from scipy import stats

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import agreed, by_interval, by_threshold
from protocol.readings.curves import (
    LATER,
    Curves,
    all_judged,
    curves,
    positions,
    worlds_and_methods,
)
from protocol.readings.ranks import last_rank, later_scores, slowest
from protocol.records import Tables


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


def _divergence_details(measured: Curves, tests: dict[int, metrics.FTest]) -> list[str]:
    details = [
        f"step {step}: F {test.statistic:.3g}, p {test.p_value:.2g}" for step, test in tests.items()
    ]
    before, after = _between(measured, 0), _between(measured, max(measured.steps))
    details.append(
        f"between-path variance of the level {before:.3g} at step 0, {after:.3g} at the end"
    )
    if measured.averaged is None:
        details.append(_path_share(later_scores(measured)))
    return [*details, f"{measured.seeds} seeds"]


def divergence(world: str, method: str, measured: Curves) -> Claim:
    """L1 for one model: F of path against seed, on the forget score at every judged step."""
    statement = STATEMENTS["L1"].measured(step=LATER)
    if measured.seeds < 2:
        return statement.not_testable(
            world=world,
            model=measured.model,
            method=method,
            rule="F above its 95% quantile",
            why="needs at least 2 seeds; 1 was run",
        )
    judged = all_judged(measured.steps)
    tests = {step: path_test(measured, step) for step in judged}
    verdicts = [
        by_threshold(test.statistic, holds_above=test.threshold, fails_below=1.0)
        for test in tests.values()
    ]
    steps = " and ".join(map(str, sorted(set(judged))))
    later = tests[judged[0]]
    return statement.judged(
        world=world,
        model=measured.model,
        method=method,
        value=later.statistic,
        rule=f"> {later.threshold:.3g} (95% quantile) at steps {steps}; fails below 1",
        verdict=agreed(verdicts),
        details=_divergence_details(measured, tests),
        p_value=later.p_value,
    )


def _rank_tests(label: list[Curves]) -> str:
    """Mean rank of p = last and Page's trend over all seeds at the later judged step, in words."""
    scores = np.concatenate([later_scores(measured) for measured in label])
    seeds, paths = scores.shape
    rank = metrics.last_rank_test(scores)
    mean_rank = f"mean rank {rank.statistic:.2g} of {paths}, exact p {rank.p_value:.2g}"
    if min(seeds, paths - 1) < 2:
        return mean_rank
    trend = metrics.position_trend(scores)
    return f"{mean_rank}; Page's trend over positions p {trend.p_value:.2g}"


def _recency_details(label: list[Curves], phrases: list[Curves]) -> list[str]:
    counts = slowest(label)
    first = next(iter(counts))
    by_reading = ", ".join(f"{name}: {hits} of {seeds}" for name, (hits, seeds) in counts.items())
    ranks = ", ".join(f"{measured.model} {last_rank(measured):.3g}" for measured in label)
    details = [
        f"slowest by label: {by_reading}",
        f"rank of p = last, {first}: {ranks}",
        _rank_tests(label),
    ]
    if phrases:
        name, (hits, seeds) = next(iter(slowest(phrases).items()))
        details.append(f"by label and paraphrases, {name}: {hits} of {seeds}")
    return details


def recency(world: str, method: str, label: list[Curves], phrases: list[Curves]) -> Claim:
    """L2, pooled over models and seeds: how often p = last has the smallest forget score."""
    counts = slowest(label)
    intervals = {name: metrics.exact_interval(*count) for name, count in counts.items()}
    chance = 1 / label[0].values.shape[1]
    verdicts = [by_interval(interval, above=chance) for interval in intervals.values()]
    first, (hits, seeds) = next(iter(counts.items()))
    statement = STATEMENTS["L2"].measured(step=first)
    return statement.judged(
        world=world,
        model=" + ".join(measured.model for measured in label),
        method=method,
        value=hits / seeds,
        interval=intervals[first],
        rule=f"exact 95% lower bound > {chance:.3g} at every judged step and by area",
        verdict=agreed(verdicts),
        details=_recency_details(label, phrases),
        p_value=float(stats.binom.sf(hits - 1, seeds, chance)),
    )


def judge(tables: Tables) -> list[Claim]:
    """L1 and L2 for every kind of model and method there are records of."""
    records = positions(tables)
    divergences, recencies = [], []
    for world, method in worlds_and_methods(records, "label_loglik"):
        label = curves(records, world=world, method=method, metric="label_loglik")
        phrases = curves(records, world=world, method=method, metric="phrase_loglik")
        divergences += [divergence(world, method, measured) for measured in label]
        recencies.append(recency(world, method, label, phrases))
    return divergences + recencies
