"""Utility of the positions experiment: its change by unit and path, and starts that lost too much.

A unit is what the paths have in common: one question under one seed of one model, or one instance
of the linear model.
"""

import polars as pl

from protocol.records import Tables

UTILITIES = {
    "llm": ("math_accuracy", "tofu_loglik"),
    "linear": ("retain_loglik",),
    "network": ("retain_loglik",),
    "published": ("math_utility", "tofu_utility"),
}
RUN = ["model", "seed"]


def utility_changes(tables: Tables, world: str, method: str, metric: str) -> pl.DataFrame:
    """After − before of a per-example utility, a row a unit.

    Columns: model, seed, example, then one a path.
    """
    values = tables.examples.filter(
        pl.col("position") > 0, experiment="positions", world=world, method=method, metric=metric
    )
    unit = [*RUN, "example"]
    by_path = values.sort("step").group_by([*unit, "position"])
    change = by_path.agg(pl.col("value").last() - pl.col("value").first())
    return change.pivot("position", index=unit, values="value", sort_columns=True).sort(unit)


def unmet_starts(tables: Tables, world: str) -> dict[int, tuple[int, int]]:
    """Position -> (leaves below half of the retrained model's accuracy, leaves).

    Such leaves do not meet the start condition.
    """
    accuracy = tables.records.filter(
        experiment="positions", world=world, step=0, metric="math_accuracy"
    )
    retrained = accuracy.filter(method="retrained").select(*RUN, retrained="value")
    leaves = accuracy.filter(pl.col("position") > 0).unique([*RUN, "position"])
    is_low = pl.col("value") < pl.col("retrained") / 2
    by_position = leaves.join(retrained, on=RUN).group_by("position")
    unmet = by_position.agg(is_low.sum(), pl.len().alias("leaves")).sort("position")
    return {position: (count, of) for position, count, of in unmet.iter_rows()}
