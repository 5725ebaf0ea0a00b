"""L1–L3: paths diverge, the last-learned is forgotten slowest, utility loss depends on the path.

Forget scores are of the label alone (primary) at two steps, half-way and last, and by area; the verdict is the common
one of the readings, "inconclusive" where they differ. Label + paraphrases is reported second.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.claims.claim import Claim, agreed, share_verdict
from protocol.claims.curves import Curves, curves, positions, worlds_and_methods
from protocol.records import Tables

UNITS = {"llm": "questions × seeds", "linear": "instances"}
UTILITIES = {"llm": ("math_accuracy", "tofu_loglik"), "linear": ("retain_loglik",)}


def _readings(values: Float[np.ndarray, "seeds paths points"]) -> dict[str, Float[np.ndarray, "seeds paths"]]:
    last = values.shape[-1] - 1
    return {
        f"step {last}": metrics.forget_score(values, last),
        f"step {last // 2}": metrics.forget_score(values, last // 2),
        "area": metrics.area_score(values),
    }


def _divergence(world: str, method: str, measured: Curves) -> Claim:
    """L1 for one model: F of path against seed, on the forget score half-way and at the end."""
    head = (
        "L1", "The paths diverge under unlearning.", "Section 4, Figures 1, 3, 5", world, measured.model, method,
        "F = between-path over within-path (seed) variance of the forget score, last step",
    )  # fmt: skip
    if measured.values.shape[0] < 2:
        return Claim(*head, None, None, "F above its 95% quantile", "inconclusive", "needs at least 2 seeds; 1 was run")
    last = measured.values.shape[-1] - 1
    tests = {s: metrics.path_f_test(metrics.forget_score(measured.values, s)) for s in (last, last // 2)}
    level = {s: metrics.path_f_test(measured.values[..., s]) for s in (0, last)}
    verdicts = [
        "holds" if test.statistic > test.threshold else "fails" if test.statistic < 1 else "inconclusive"
        for test in tests.values()
    ]
    threshold = f"> {tests[last].threshold:.3g} (95% quantile) at steps {last // 2} and {last}; fails below 1"
    detail = "; ".join(f"step {s}: F {t.statistic:.3g}, p {t.p_value:.2g}" for s, t in tests.items())
    between = (
        f"between-path variance of the level {level[0].between:.3g} at step 0, {level[last].between:.3g} at the end"
    )
    detail += f"; {between}; {measured.values.shape[0]} seeds"
    return Claim(*head, tests[last].statistic, None, threshold, agreed(verdicts), detail)


def _recency(world: str, method: str, label: list[Curves], phrases: list[Curves]) -> Claim:
    """L2, pooled over models and seeds: how often p = last has the smallest forget score."""
    slowest: dict[str, list[float]] = {}
    for measured in label:
        for name, scores in _readings(measured.values).items():
            slowest.setdefault(name, []).extend(metrics.recency(scores) == 1)
    counts = {name: (int(np.sum(hits)), len(hits)) for name, hits in slowest.items()}
    intervals = {name: metrics.exact_interval(*count) for name, count in counts.items()}
    chance = 1 / label[0].values.shape[1]
    verdict = agreed([share_verdict(interval, chance) for interval in intervals.values()])
    first = next(iter(counts))
    detail = "slowest by label: " + ", ".join(f"{n}: {s} of {t}" for n, (s, t) in counts.items())
    if phrases:
        ranks = [metrics.recency(_readings(c.values)[first]) for c in phrases]
        hits = np.concatenate(ranks) == 1
        detail += f"; by label and paraphrases, {first}: {hits.sum()} of {hits.size}"
    return Claim(
        "L2", "Recency: what was learned last is forgotten slowest.", "Section 4, Figures 1, 3", world,
        " + ".join(c.model for c in label), method, f"P(p = last slowest), {first}",
        counts[first][0] / counts[first][1], intervals[first],
        f"exact 95% lower bound > {chance:.3g} at both steps and by area", verdict, detail,
    )  # fmt: skip


def _utility_changes(tables: Tables, world: str, method: str, metric: str) -> Float[np.ndarray, "units paths"] | None:
    """After − before of a per-example utility; a unit is one example of one seed of one model, paths are columns."""
    chosen = tables.examples.filter(
        (pl.col("experiment") == "positions") & (pl.col("world") == world) & (pl.col("position") > 0)
        & (pl.col("method") == method) & (pl.col("metric") == metric)
    )  # fmt: skip
    if chosen.is_empty():
        return None
    unit = ["model", "seed", "example"]
    change = chosen.sort("step").group_by([*unit, "position"]).agg(pl.col("value").last() - pl.col("value").first())
    return change.pivot("position", index=unit, values="value", sort_columns=True).sort(unit).drop(unit).to_numpy()


def unmet_starts(tables: Tables, world: str) -> dict[int, tuple[int, int]]:
    """Position -> (leaves below half of the retrained model's accuracy, leaves): the start condition not met."""
    accuracy = tables.records.filter(
        (pl.col("world") == world) & (pl.col("metric") == "math_accuracy") & (pl.col("step") == 0)
        & (pl.col("experiment") == "positions")
    )  # fmt: skip
    run = ["model", "seed"]
    kept = accuracy.filter(pl.col("method") == "retrained").select(*run, pl.col("value").alias("retrained"))
    leaves = accuracy.filter(pl.col("position") > 0).unique([*run, "position"]).join(kept, on=run)
    unmet = (
        leaves.group_by("position").agg((pl.col("value") < pl.col("retrained") / 2).sum(), pl.len()).sort("position")
    )
    return {position: (low, count) for position, low, count in unmet.iter_rows()}


def _utility(tables: Tables, world: str, method: str, metric: str, models: str) -> Claim | None:
    """L3: max − min over paths of the mean utility change against its permutation null."""
    changes = _utility_changes(tables, world, method, metric)
    if changes is None:
        return None
    test = metrics.path_spread_test(changes)
    verdict = "holds" if test.spread > test.threshold else "fails" if test.p_value > 0.5 else "inconclusive"
    means = ", ".join(f"p={p}: {mean:+.3f}" for p, mean in enumerate(changes.mean(axis=0), start=1))
    detail = f"p {test.p_value:.2g}; mean change {means}; {changes.shape[0]} {UNITS[world]}"
    if metric == "math_accuracy":
        low = [f"p={p}: {n} of {of}" for p, (n, of) in unmet_starts(tables, world).items() if n]
        detail += "; leaves below half the retrained accuracy at the start: " + (", ".join(low) or "none")
    return Claim(
        "L3", "The loss of utility depends on the path.", "Table 1", world, models, method,
        f"max − min over paths of the change of {metric}", test.spread, None,
        f"> {test.threshold:.3g} (95% of the permutation null); fails if p > 0.5", verdict,
        detail,
    )  # fmt: skip


def judge(tables: Tables) -> list[Claim]:
    """L1, L2, L3 for every world and method there are records of."""
    records = positions(tables)
    pairs = list(worlds_and_methods(records, "label_loglik"))
    label = {pair: curves(records, world=pair[0], method=pair[1], metric="label_loglik") for pair in pairs}
    claims = [_divergence(*pair, measured) for pair in pairs for measured in label[pair]]
    for world, method in pairs:
        phrases = curves(records, world=world, method=method, metric="phrase_loglik")
        claims.append(_recency(world, method, label[world, method], phrases))
    for world, method in pairs:
        models = " + ".join(c.model for c in label[world, method])
        found = (_utility(tables, world, method, metric, models) for metric in UTILITIES.get(world, ()))
        claims.extend(claim for claim in found if claim is not None)
    return claims
