"""L6 and L6d from experiment "dose": is recency more than a start near saturation?

The paths of the positions experiment, and p = last with its last stage stopped early ("safety@8"):
the doses, the whole stage one of them. A pair is a path p < last and the model of its seed that
learned the forget set last and starts at the same label log-likelihood: forget scores of the doses,
linear between them in the label log-likelihood at step 0. A path that starts outside the doses'
range has no pair. A difference is matched − path, at both judged steps. L6: share of seeds (of all
models) whose mean difference is negative, its exact interval wholly above ½ or below. L6d: F = ½
difference², mean over pairs (the variance between the two of a pair), over the variance over seeds
within a path as in L1; above its 95% quantile holds, below 1 fails. The pairs of a seed share its
doses: each seed with a pair is one degree of freedom, not each pair.
"""

import numpy as np
import polars as pl

from protocol import metrics
from protocol.claims.claim import Claim, agreed, by_threshold, share_verdict
from protocol.readings.curves import LATER
from protocol.readings.scores import Scores, listed, means, scored
from protocol.records import Tables

SOURCE = "control: dose-matched pairs"
NO_PAIR = "no path starts within the range of the doses"
PAIR = {
    "model": pl.String,
    "seed": pl.Int64,
    "position": pl.Int64,
    "last": pl.Float64,
    "half": pl.Float64,
}


def matched_pairs(runs: pl.DataFrame) -> pl.DataFrame:
    """A row a pair: model, seed, position of the path, and the difference of forget scores at both
    steps.
    """
    rows = []
    is_last = pl.col("position") == pl.col("position").max()
    for (model, seed), part in runs.group_by("model", "seed", maintain_order=True):
        doses = part.filter(is_last).sort("start")
        start = doses["start"].to_numpy()
        for path in part.filter(
            ~is_last & pl.col("start").is_between(start[0], start[-1])
        ).iter_rows(named=True):
            last, half = (
                float(np.interp(path["start"], start, doses[at])) - path[at]
                for at in ("last", "half")
            )
            rows.append((model, seed, path["position"], last, half))
    return pl.DataFrame(rows, schema=PAIR, orient="row")


def by_seed(pairs: pl.DataFrame) -> pl.DataFrame:
    """A row a model and seed that have pairs: the mean difference over its pairs at both steps."""
    return pairs.group_by("model", "seed", maintain_order=True).agg(pl.col("last", "half").mean())


def _slower(world: str, method: str, scores: Scores, pairs: pl.DataFrame) -> Claim:
    """L6, pooled over models and seeds."""
    head = (
        "L6",
        "At equal starting likelihood the forget set learned last is still forgotten slower: "
        "recency is more "
        "than saturation.",
        SOURCE,
        world,
        scores.models,
        method,
        "share of seeds in which the matched model forgets less than the paths, mean over pairs, "
        f"{scores.steps['last']}",
    )
    rule = f"exact 95% lower bound > 0.5 at {scores.both}; fails where the upper one is below"
    if pairs.is_empty():
        return Claim(*head, None, None, rule, "not testable", NO_PAIR)
    seeds = by_seed(pairs)
    hits = {at: int((seeds[at] < 0).sum()) for at in scores.steps}
    intervals = {at: metrics.exact_interval(count, seeds.height) for at, count in hits.items()}
    detail = "; ".join(
        f"{step}: {hits[at]} of {seeds.height}, mean difference "
        f"{np.mean(seeds[at].to_numpy()):+.3g} nats, by "
        f"path {listed(means(pairs, 'position', at), 'p=')}"
        for at, step in scores.steps.items()
    )
    without = scores.runs.select("model", "seed").n_unique() - seeds.height
    detail += f"; {pairs.height} pairs, {without} seeds without"
    return Claim(
        *head,
        hits["last"] / seeds.height,
        intervals["last"],
        rule,
        agreed([share_verdict(interval, 0.5) for interval in intervals.values()]),
        detail,
    )


def _divergence(world: str, method: str, scores: Scores, pairs: pl.DataFrame) -> Claim:
    """L6d for one model."""
    head = (
        "L6d",
        "Similar starting points still diverge.",
        SOURCE,
        world,
        scores.models,
        method,
        f"F = variance of the forget score between matched models over its variance between "
        f"seeds, {LATER}",
    )
    missing = f"needs at least 2 seeds; {scores.seeds} was run" if scores.seeds < 2 else NO_PAIR
    if scores.seeds < 2 or pairs.is_empty():
        return Claim(*head, None, None, "F above its 95% quantile", "not testable", missing)
    whole = scores.runs.filter(~pl.col("order").str.contains("@"))
    tests = {}
    for at, step in scores.steps.items():
        by_path = (
            whole.pivot("position", index="seed", values=at, sort_columns=True)
            .drop("seed")
            .to_numpy()
        )
        degrees = (pairs["seed"].n_unique(), by_path.shape[1] * (by_path.shape[0] - 1))
        between = float(np.mean(pairs[at].to_numpy() ** 2)) / 2
        tests[step] = metrics.f_test(between, metrics.path_f_test(by_path).within, degrees)
    test = tests[scores.steps["last"]]
    verdicts = [
        by_threshold(t.statistic, holds_above=t.threshold, fails_below=1.0) for t in tests.values()
    ]
    told = "; ".join(f"{step}: F {t.statistic:.3g}, p {t.p_value:.2g}" for step, t in tests.items())
    return Claim(
        *head,
        test.statistic,
        None,
        f"> {test.threshold:.3g} (95% quantile) at {scores.both}; fails below 1",
        agreed(verdicts),
        f"{told}; {pairs.height} pairs of {pairs['seed'].n_unique()} seeds",
        test.p_value,
    )


def judge(tables: Tables) -> list[Claim]:
    """L6 for every world and method there are records of, L6d for every model of them."""
    slower, apart = [], []
    for world, method, scores in scored(tables, "dose"):
        pairs = matched_pairs(scores.runs)
        slower.append(_slower(world, method, scores, pairs))
        for model in scores.runs["model"].unique().sort():
            apart.append(_divergence(world, method, scores.of(model), pairs.filter(model=model)))
    return slower + apart
