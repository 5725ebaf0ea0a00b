"""O1 and O2 from experiment "orders": how many stages follow the forget stage, and which?

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
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import by_interval, by_threshold
from protocol.readings.later_stages import with_places
from protocol.readings.scores import Scores, listed, means, scored
from protocol.records import Tables

UNIT = ["model", "seed"]
NOT_APART = "the same stage follows in all orders with as many later stages"


def _distance(world: str, method: str, scores: Scores, runs: pl.DataFrame) -> Claim:
    """O1."""
    statement = STATEMENTS["O1"].measured(step=scores.steps["last"])
    rule = "95% t interval over seeds above 0; fails below 0"
    if scores.seeds < 2:
        return statement.not_testable(
            world=world,
            model=scores.models,
            method=method,
            rule=rule,
            why=f"needs at least 2 seeds; {scores.seeds} was run",
        )
    units = [unit for _, unit in runs.group_by(UNIT, maintain_order=True)]
    seeds = [(unit["distance"].to_numpy(), unit["last"].to_numpy()) for unit in units]
    fits = [stats.linregress(*seed) for seed in seeds]
    slopes = np.array([fit.slope for fit in fits])
    tau = np.mean([metrics.rank_correlation(*seed) for seed in seeds])
    explained = np.mean([fit.rvalue**2 for fit in fits])
    interval = metrics.t_interval(slopes)
    return statement.judged(
        world=world,
        model=scores.models,
        method=method,
        value=float(slopes.mean()),
        interval=interval,
        rule=rule,
        verdict=by_interval(interval, above=0),
        details=[
            f"mean over {slopes.size} seeds: τ {tau:.2f}, R² {explained:.2f}",
            f"mean forget score by later stages: {listed(means(runs, 'distance'))}",
            f"{runs['order'].n_unique()} orders",
        ],
    )


def _classes(runs: pl.DataFrame, *columns: str) -> Float[np.ndarray, "runs classes"]:
    """A column of ones and zeros for every value the columns take together."""
    together = pl.concat_str(columns, separator="/").alias("class")
    return runs.select(together).to_dummies().to_numpy().astype(float)


def _f_of_next(runs: pl.DataFrame, *blocks: str) -> metrics.FTest:
    known = np.hstack([_classes(runs, *blocks), _classes(runs, "distance")])
    return metrics.partial_f_test(runs["last"].to_numpy(), known, _classes(runs, "next"))


def _successor(world: str, method: str, scores: Scores, runs: pl.DataFrame) -> Claim:
    """O2."""
    statement = STATEMENTS["O2"].measured(step=scores.steps["last"])
    followed = runs.filter(pl.col("distance") > 0)
    apart = followed.group_by("distance").agg(pl.col("next").n_unique())["next"]
    if scores.seeds < 2 or apart.is_empty() or apart.max() == 1:
        few = f"needs at least 2 seeds; {scores.seeds} was run"
        return statement.not_testable(
            world=world,
            model=scores.models,
            method=method,
            rule="F above its 95% quantile",
            why=few if scores.seeds < 2 else NOT_APART,
        )
    order = ["model", "order", "distance", "next"]
    over_seeds = followed.group_by(order).agg(pl.col("last").mean()).sort(order)
    test, rows = _f_of_next(over_seeds, "model"), _f_of_next(followed, *UNIT)
    return statement.judged(
        world=world,
        model=scores.models,
        method=method,
        value=test.statistic,
        rule=f"> {test.threshold:.3g} (95% quantile); fails below 1",
        verdict=by_threshold(test.statistic, holds_above=test.threshold, fails_below=1.0),
        details=[
            f"p {test.p_value:.2g}",
            f"with every seed as a row F {rows.statistic:.3g}, p {rows.p_value:.2g}",
            f"mean forget score by the stage that follows: {listed(means(followed, 'next'))}",
            f"{followed['order'].n_unique()} orders, {scores.seeds} seeds",
        ],
        p_value=test.p_value,
    )


def judge(tables: Tables) -> list[Claim]:
    """O1 and O2 for every kind of model and method there are records of."""
    parts = [
        (world, method, scores, with_places(scores.runs))
        for world, method, scores in scored(tables, "orders")
    ]
    return [_distance(*part) for part in parts] + [_successor(*part) for part in parts]
