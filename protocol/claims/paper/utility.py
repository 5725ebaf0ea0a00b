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
from protocol.claims.statements import STATEMENTS
from protocol.readings.curves import positions, worlds_and_methods
from protocol.readings.utility import RUN, UTILITIES, unmet_starts, utility_changes
from protocol.records import Tables

UNITS = {
    "llm": "questions × seeds",
    "linear": "instances",
    "network": "models × seeds",
    "published": "models",
}
ONE_SEED = "needs at least 2 seeds: one seed cannot separate the path from the shuffle"


def _by_model(by_run: pl.DataFrame, paths: list[str]) -> str:
    """max − min over paths of each model's mean change, if there are several models."""
    means = by_run.group_by("model").agg(pl.col(paths).mean()).sort("model")
    spread = means.select("model", pl.max_horizontal(paths) - pl.min_horizontal(paths))
    by_model = ", ".join(f"{model} {value:.3f}" for model, value in spread.iter_rows())
    return f"; max − min by model: {by_model}" if means.height > 1 else ""


def _verdict(test: metrics.SpreadTest, seeds: int) -> str:
    if seeds < 2:
        return "not testable"
    if test.spread > test.threshold:
        return "holds"
    return "fails" if test.p_value > 0.5 else "inconclusive"


def _low_starts(tables: Tables, world: str) -> str:
    """Leaves that do not meet the start condition, in words."""
    starts = unmet_starts(tables, world).items()
    low = ", ".join(f"p={p}: {count} of {leaves}" for p, (count, leaves) in starts if count)
    return f"leaves below half the retrained accuracy at the start: {low or 'none'}"


def _utility(tables: Tables, world: str, method: str, metric: str) -> Claim | None:
    changes = utility_changes(tables, world, method, metric)
    if changes.is_empty():
        return None
    paths = changes.columns[len(RUN) + 1 :]
    by_unit = changes.select(paths)
    test = metrics.path_spread_test(by_unit.to_numpy())
    by_run = changes.group_by(RUN).agg(pl.col(paths).mean()).sort(RUN)
    verdict = _verdict(test, max(part.height for _, part in by_run.group_by("model")))
    p_value, p_values = test.p_value, f"p {test.p_value:.2g}"
    if world == "llm":
        p_value = metrics.path_spread_test(by_run.select(paths).to_numpy()).p_value
        p_values += f", by seeds {p_value:.2g}"
    mean_of_path = zip(paths, by_unit.mean().row(0), strict=True)
    means = ", ".join(f"p={p}: {mean:+.3f}" for p, mean in mean_of_path)
    details = [
        p_values,
        f"mean change {means}{_by_model(by_run, paths)}",
        f"{changes.height} {UNITS[world]}",
    ]
    if verdict == "not testable":
        details.insert(0, ONE_SEED)
    if metric == "math_accuracy":
        details.append(_low_starts(tables, world))
    statement = STATEMENTS["L3"].measured(metric=metric)
    return statement.judged(
        world=world,
        model=" + ".join(by_run["model"].unique().sort()),
        method=method,
        value=test.spread,
        rule=f"> {test.threshold:.3g} (95% of the permutation null); fails if p > 0.5",
        verdict=verdict,
        details=details,
        p_value=None if verdict == "not testable" else p_value,
    )


def judge(tables: Tables) -> list[Claim]:
    """L3 for every kind of model, method and utility there are single values of."""
    claims = []
    for world, method in worlds_and_methods(positions(tables), "label_loglik"):
        for metric in UTILITIES.get(world, ()):
            claim = _utility(tables, world, method, metric)
            if claim is not None:
                claims.append(claim)
    return claims
