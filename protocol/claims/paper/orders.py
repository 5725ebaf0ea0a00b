"""O1 and O2 from experiment "orders", all orders of the stages: how far from the end, and what
comes next?

The distance to the end is the number of stages after the forget stage; scores are forget scores by
the label at the later judged step. O1: least-squares slope of the score on the distance in every
seed; its 95% t interval over seeds (of all models) wholly above 0 holds, wholly below fails. O2: of
the orders in which a stage follows, F of which one it is on the means over seeds (seeds repeat the
orders), added to which model and how many follow (as classes); above its 95% quantile holds, below
1 fails.
"""

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy import stats

from protocol import metrics
from protocol.claims.claim import Claim, by_threshold
from protocol.readings.scores import Scores, listed, means, scored
from protocol.records import Tables

SOURCE = "beyond Section 4: all orders"
UNIT = ["model", "seed"]
NOT_APART = "the orders do not tell which stage follows from how many follow"


def with_places(runs: pl.DataFrame) -> pl.DataFrame:
    """The runs with distance = number of stages after the forget stage, and next = the stage after
    it, "" for none.
    """
    stages = [order.split(">") for order in runs["order"]]
    following = [order[place:] for order, place in zip(stages, runs["position"], strict=True)]
    return runs.with_columns(
        distance=pl.Series([len(after) for after in following]),
        next=pl.Series([after[0] if after else "" for after in following]),
    )


def _distance(world: str, method: str, scores: Scores, runs: pl.DataFrame) -> Claim:
    """O1."""
    head = (
        "O1",
        "The nearer to the end the forget set was learned, the slower it is forgotten.",
        SOURCE,
        world,
        scores.models,
        method,
        f"slope of the forget score on the number of later stages, {scores.steps['last']}",
    )
    rule = "95% t interval over seeds above 0; fails below 0"
    if scores.seeds < 2:
        return Claim(
            *head,
            None,
            None,
            rule,
            "not testable",
            f"needs at least 2 seeds; {scores.seeds} was run",
        )
    seeds = [
        (p["distance"].to_numpy(), p["last"].to_numpy())
        for _, p in runs.group_by(UNIT, maintain_order=True)
    ]
    fits = [stats.linregress(*seed) for seed in seeds]
    slopes = np.array([fit.slope for fit in fits])
    low, high = metrics.t_interval(slopes)
    return Claim(
        *head,
        float(slopes.mean()),
        (low, high),
        rule,
        "holds" if low > 0 else "fails" if high < 0 else "inconclusive",
        f"mean over {slopes.size} seeds: τ "
        f"{np.mean([metrics.rank_correlation(*seed) for seed in seeds]):.2f}, R² "
        f"{np.mean([fit.rvalue**2 for fit in fits]):.2f}; mean forget score by later stages: "
        f"{listed(means(runs, 'distance'))}; {runs['order'].n_unique()} orders",
    )


def _classes(runs: pl.DataFrame, *columns: str) -> Float[np.ndarray, "runs classes"]:
    """A column of ones and zeros for every value the columns take together."""
    return (
        runs.select(pl.concat_str(columns, separator="/").alias("class"))
        .to_dummies()
        .to_numpy()
        .astype(float)
    )


def _f_of_next(runs: pl.DataFrame, *blocks: str) -> metrics.FTest:
    known = np.hstack([_classes(runs, *blocks), _classes(runs, "distance")])
    return metrics.partial_f_test(runs["last"].to_numpy(), known, _classes(runs, "next"))


def _successor(world: str, method: str, scores: Scores, runs: pl.DataFrame) -> Claim:
    """O2."""
    head = (
        "O2",
        "Which stage follows the forget set matters beyond how many follow.",
        SOURCE,
        world,
        scores.models,
        method,
        f"F of the stage that follows, beside model and how many follow, means over seeds, "
        f"{scores.steps['last']}",
    )
    followed, order = runs.filter(pl.col("distance") > 0), ["model", "order", "distance", "next"]
    missing = f"needs at least 2 seeds; {scores.seeds} was run" if scores.seeds < 2 else NOT_APART
    apart = followed.group_by("distance").agg(pl.col("next").n_unique())["next"]
    if scores.seeds < 2 or apart.is_empty() or apart.max() == 1:
        return Claim(*head, None, None, "F above its 95% quantile", "not testable", missing)
    rows = _f_of_next(followed, *UNIT)
    test = _f_of_next(followed.group_by(order).agg(pl.col("last").mean()).sort(order), "model")
    return Claim(
        *head,
        test.statistic,
        None,
        f"> {test.threshold:.3g} (95% quantile); fails below 1",
        by_threshold(test.statistic, holds_above=test.threshold, fails_below=1.0),
        f"p {test.p_value:.2g}; with every seed as a row F {rows.statistic:.3g}, p "
        f"{rows.p_value:.2g}; mean "
        f"forget score by the stage that follows: {listed(means(followed, 'next'))}; "
        f"{followed['order'].n_unique()} orders, {scores.seeds} seeds",
        test.p_value,
    )


def judge(tables: Tables) -> list[Claim]:
    """O1 and O2 for every world and method there are records of."""
    found = [
        (world, method, scores, with_places(scores.runs))
        for world, method, scores in scored(tables, "orders")
    ]
    return [_distance(*each) for each in found] + [_successor(*each) for each in found]
