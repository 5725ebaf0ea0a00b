"""L6 and L6d from experiment "dose": is recency more than a start near saturation?

Pairs of equal start and their differences: protocol/readings/doses.py. L6: share of seeds (of all
models) whose mean difference is negative, its exact interval wholly above ½ or below. L6d: F = ½
difference², mean over pairs (the variance between the two of a pair), over the variance over seeds
within a path as in L1; above its 95% quantile holds, below 1 fails. Both at both judged steps. The
pairs of a seed share its doses: each seed with a pair is one degree of freedom, not each pair.
"""

import numpy as np
import polars as pl

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import agreed, by_interval, by_threshold
from protocol.readings.curves import LATER
from protocol.readings.doses import by_seed, matched_pairs
from protocol.readings.scores import Scores, listed, means, scored
from protocol.records import Tables

NO_PAIR = "no path starts within the range of the doses"


def _slower(world: str, method: str, scores: Scores, pairs: pl.DataFrame) -> Claim:
    """L6, pooled over models and seeds."""
    statement = STATEMENTS["L6"].measured(step=scores.steps["last"])
    rule = f"exact 95% lower bound > 0.5 at {scores.both}; fails if the upper bound is below"
    if pairs.is_empty():
        return statement.not_testable(
            world=world, model=scores.models, method=method, rule=rule, why=NO_PAIR
        )
    seeds = by_seed(pairs)
    hits = {at: int((seeds[at] < 0).sum()) for at in scores.steps}
    intervals = {at: metrics.exact_interval(count, seeds.height) for at, count in hits.items()}
    details = []
    for at, step in scores.steps.items():
        mean = np.mean(seeds[at].to_numpy())
        by_path = listed(means(pairs, "position", at), "p=")
        count = f"{step}: {hits[at]} of {seeds.height}"
        details.append(f"{count}, mean difference {mean:+.3g} nats, by path {by_path}")
    without = scores.runs.select("model", "seed").n_unique() - seeds.height
    details.append(f"{pairs.height} pairs, {without} seeds without")
    verdicts = [by_interval(interval, above=0.5) for interval in intervals.values()]
    return statement.judged(
        world=world,
        model=scores.models,
        method=method,
        value=hits["last"] / seeds.height,
        interval=intervals["last"],
        rule=rule,
        verdict=agreed(verdicts),
        details=details,
    )


def _matched_test(whole: pl.DataFrame, pairs: pl.DataFrame, at: str) -> metrics.FTest:
    """F between the two of a pair against seeds within a path; whole: runs of whole stages."""
    by_seed_and_path = whole.pivot("position", index="seed", values=at, sort_columns=True)
    scores = by_seed_and_path.drop("seed").to_numpy()
    seeds, paths = scores.shape
    degrees = (pairs["seed"].n_unique(), paths * (seeds - 1))
    between = float(np.mean(pairs[at].to_numpy() ** 2)) / 2
    return metrics.f_test(between, metrics.path_f_test(scores).within, degrees)


def _divergence(world: str, method: str, scores: Scores, pairs: pl.DataFrame) -> Claim:
    """L6d for one model."""
    statement = STATEMENTS["L6d"].measured(step=LATER)
    if scores.seeds < 2 or pairs.is_empty():
        few = f"needs at least 2 seeds; {scores.seeds} was run"
        return statement.not_testable(
            world=world,
            model=scores.models,
            method=method,
            rule="F above its 95% quantile",
            why=few if scores.seeds < 2 else NO_PAIR,
        )
    whole = scores.runs.filter(~pl.col("order").str.contains("@"))
    tests = {at: _matched_test(whole, pairs, at) for at in scores.steps}
    verdicts = [
        by_threshold(test.statistic, holds_above=test.threshold, fails_below=1.0)
        for test in tests.values()
    ]
    by_step = [
        f"{step}: F {tests[at].statistic:.3g}, p {tests[at].p_value:.2g}"
        for at, step in scores.steps.items()
    ]
    test = tests["last"]
    return statement.judged(
        world=world,
        model=scores.models,
        method=method,
        value=test.statistic,
        rule=f"> {test.threshold:.3g} (95% quantile) at {scores.both}; fails below 1",
        verdict=agreed(verdicts),
        details=[*by_step, f"{pairs.height} pairs of {pairs['seed'].n_unique()} seeds"],
        p_value=test.p_value,
    )


def judge(tables: Tables) -> list[Claim]:
    """L6 for every kind of model and method there are records of, L6d for every model of them."""
    slower, apart = [], []
    for world, method, scores in scored(tables, "dose"):
        pairs = matched_pairs(scores.runs)
        slower.append(_slower(world, method, scores, pairs))
        for model in scores.runs["model"].unique().sort():
            apart.append(_divergence(world, method, scores.of(model), pairs.filter(model=model)))
    return slower + apart
