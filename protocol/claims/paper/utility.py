"""L3: does the loss of utility depend on the path?

max − min over paths of the mean change of a utility, against its permutation null. A unit is what
the paths have in common: one question under one seed of one model, or one instance of the linear
model. That null holds sampling noise alone, not the noise of training; so at least two seeds of a
model are needed for a verdict, and for language models the detail has the p-value of exchanging the
paths seed by seed. Of a paper's table a unit is a model.
"""

import polars as pl

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.readings.curves import positions, worlds_and_methods
from protocol.records import Tables

UTILITIES = {
    "llm": ("math_accuracy", "tofu_loglik"), "linear": ("retain_loglik",), "network": ("retain_loglik",),
    "published": ("math_utility", "tofu_utility"),
}  # fmt: skip
UNITS = {
    "llm": "questions × seeds",
    "linear": "instances",
    "network": "models × seeds",
    "published": "models",
}
RUN = ["model", "seed"]


def utility_changes(tables: Tables, world: str, method: str, metric: str) -> pl.DataFrame:
    """After − before of a per-example utility: columns model, seed, example, then one a path; a row
    is a unit.
    """
    chosen = tables.examples.filter(
        (pl.col("experiment") == "positions")
        & (pl.col("world") == world)
        & (pl.col("position") > 0)
        & (pl.col("method") == method)
        & (pl.col("metric") == metric)
    )
    unit = [*RUN, "example"]
    change = (
        chosen.sort("step")
        .group_by([*unit, "position"])
        .agg(pl.col("value").last() - pl.col("value").first())
    )
    return change.pivot("position", index=unit, values="value", sort_columns=True).sort(unit)


def unmet_starts(tables: Tables, world: str) -> dict[int, tuple[int, int]]:
    """Position -> (leaves below half of the retrained model's accuracy, leaves): the start
    condition not met.
    """
    accuracy = _accuracy_at_start(tables, world)
    kept = accuracy.filter(pl.col("method") == "retrained").select(
        *RUN, pl.col("value").alias("retrained")
    )
    leaves = accuracy.filter(pl.col("position") > 0).unique([*RUN, "position"]).join(kept, on=RUN)
    low = pl.col("value") < pl.col("retrained") / 2
    unmet = leaves.group_by("position").agg(low.sum(), pl.len().alias("leaves")).sort("position")
    return {position: (count, of) for position, count, of in unmet.iter_rows()}


def _accuracy_at_start(tables: Tables, world: str) -> pl.DataFrame:
    return tables.records.filter(
        (pl.col("experiment") == "positions")
        & (pl.col("world") == world)
        & (pl.col("step") == 0)
        & (pl.col("metric") == "math_accuracy")
    )


def _by_model(by_run: pl.DataFrame, paths: list[str]) -> str:
    """max − min over paths of each model's mean change, where there are several models."""
    means = by_run.group_by("model").agg(pl.col(paths).mean()).sort("model")
    spread = means.select("model", pl.max_horizontal(paths) - pl.min_horizontal(paths))
    told = ", ".join(f"{model} {value:.3f}" for model, value in spread.iter_rows())
    return f"; max − min by model: {told}" if means.height > 1 else ""


def _utility(tables: Tables, world: str, method: str, metric: str) -> Claim | None:
    changes = utility_changes(tables, world, method, metric)
    if changes.is_empty():
        return None
    paths = changes.columns[len(RUN) + 1 :]
    test = metrics.path_spread_test(changes.select(paths).to_numpy())
    by_run = changes.group_by(RUN).agg(pl.col(paths).mean()).sort(RUN)
    verdict = (
        "holds"
        if test.spread > test.threshold
        else "fails"
        if test.p_value > 0.5
        else "inconclusive"
    )
    means = ", ".join(
        f"p={p}: {mean:+.3f}"
        for p, mean in zip(paths, changes.select(paths).mean().row(0), strict=True)
    )
    detail = f"p {test.p_value:.2g}"
    if max(part.height for _, part in by_run.group_by("model")) < 2:
        verdict, detail = (
            "not testable",
            f"needs at least 2 seeds, one cannot tell path from shuffle; {detail}",
        )
    by_seed = (
        metrics.path_spread_test(by_run.select(paths).to_numpy()).p_value
        if world == "llm"
        else test.p_value
    )
    if world == "llm":
        detail += f", by seeds {by_seed:.2g}"
    detail += f"; mean change {means}{_by_model(by_run, paths)}; {changes.height} {UNITS[world]}"
    if metric == "math_accuracy":
        low = [f"p={p}: {n} of {of}" for p, (n, of) in unmet_starts(tables, world).items() if n]
        detail += "; leaves below half the retrained accuracy at the start: " + (
            ", ".join(low) or "none"
        )
    return Claim(
        "L3",
        "The loss of utility depends on the path.",
        "Table 1",
        world,
        " + ".join(by_run["model"].unique().sort()),
        method,
        f"max − min over paths of the change of {metric}",
        test.spread,
        None,
        f"> {test.threshold:.3g} (95% of the permutation null); fails if p > 0.5",
        verdict,
        detail,
        None if verdict == "not testable" else by_seed,
    )


def judge(tables: Tables) -> list[Claim]:
    """L3 for every world, method and utility there are single values of."""
    pairs = worlds_and_methods(positions(tables), "label_loglik")
    found = [
        _utility(tables, world, method, metric)
        for world, method in pairs
        for metric in UTILITIES.get(world, ())
    ]
    return [claim for claim in found if claim is not None]
