"""R1 and R2 from experiment "recency": why p = last is forgotten slowest in the linear model, and
for how long.

Cells, instances and metrics: theory/experiments/recency.py. R1 is a theorem: a pair of paths that
breaks it refutes the code or the formula. R2 is judged on the base problem between the first and
the last step that were ranked; the two probabilities come from the same instances, so they are
compared by an exact test on those in which they differ.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool
from scipy import stats

from protocol import metrics
from protocol.claims.claim import Claim, every, share_verdict
from protocol.readings.sweeps import sweep
from protocol.records import Tables

LEVEL = 0.05  # of the paired test, one-sided like the exact intervals
SOURCE = "Section 4 (recency), in the theorem's model"


def cells(tables: Tables) -> pl.DataFrame:
    """Records of the cells, long form, with a column per setting."""
    return sweep(tables, "recency")


def slowest(tables: Tables, run: str) -> tuple[list[int], Bool[np.ndarray, "instances steps"]]:
    """The steps at which a cell was ranked, and whether p = last was slowest in each instance at
    each of them.
    """
    ranks = tables.examples.filter(run=run, metric="recency_rank").sort("example", "step")
    steps = ranks["step"].unique().sort().to_list()
    return steps, ranks["value"].to_numpy().reshape(-1, len(steps)) == 1


def weakening(early: Bool[np.ndarray, " n"], late: Bool[np.ndarray, " n"]) -> tuple[float, float]:
    """One-sided p-values of "less often late" and "more often late": binomial on the instances that
    changed.
    """
    lost, won = int(np.sum(early & ~late)), int(np.sum(late & ~early))
    if lost + won == 0:
        return 1.0, 1.0
    return tuple(
        float(stats.binomtest(n, lost + won, 0.5, alternative="greater").pvalue)
        for n in (lost, won)
    )  # type: ignore[return-value]


def _dominance(records: pl.DataFrame) -> Claim:
    """R1: wherever a criterion on the components orders two paths, their growth has that order at
    every step.
    """
    total = dict(records.group_by("metric").agg(pl.col("value").sum()).iter_rows())
    ordered, obeyed = (
        sum(total[f"{kind}/{name}"] for name in ("each", "summed"))
        for kind in ("dominated", "obeyed")
    )
    base = dict(records.filter(base=1.0).select("metric", "value").iter_rows())
    detail = "; ".join(
        f"{text}: {total[f'obeyed/{name}']:.0f} of {total[f'dominated/{name}']:.0f} pairs × "
        f"steps obey, p = last below "
        f"every other path in {base[f'last_dominates/{name}']:.3g} of the base problem's instances"
        for name, text in (("each", "each component"), ("summed", "summed from the top"))
    )
    verdict = "inconclusive" if ordered == 0 else "holds" if obeyed == ordered else "fails"
    return Claim(
        "R1",
        "A path whose residual is smaller in the forget set's eigendirections forgets slower at "
        "every step.",
        SOURCE,
        "linear",
        f"{records['run'].n_unique()} problems",
        "GA",
        "share of ordered pairs of paths × steps",
        obeyed / ordered if ordered else None,
        None,
        "= 1, growth equal to 1e-9 obeys",
        verdict,
        detail,
    )


def _by_step(records: pl.DataFrame) -> str:
    measured = records.filter(metric="last_slowest").sort("step")
    listed = ", ".join(
        f"{p:.3g} at {step}" for step, p in measured.select("step", "value").iter_rows()
    )
    limit = records.filter(metric="last_slowest_limit")["value"].item()
    return f"P by step: {listed}, {limit:.3g} in the limit"


def _over_time(tables: Tables, records: pl.DataFrame) -> Claim:
    """R2: P(p = last slowest) at the first step above chance, and above that at the last step."""
    base = records.filter(base=1.0)
    steps, hits = slowest(tables, base["run"][0])
    early, late = hits[:, 0], hits[:, -1]
    chance = 1 / base["stages"].to_numpy()[0]
    interval = metrics.exact_interval(int(early.sum()), early.size)
    fell, rose = weakening(early, late)
    change = "holds" if fell < LEVEL else "fails" if rose < LEVEL else "inconclusive"
    verdict = every([share_verdict(interval, chance), change])
    runs = records["run"].unique(maintain_order=True)
    tests = [weakening(one[:, 0], one[:, -1]) for one in (slowest(tables, run)[1] for run in runs)]
    weaker, stronger = (sum(test[i] < LEVEL for test in tests) for i in (0, 1))
    lowest = records.filter(metric="last_slowest", step=steps[0])["value"].to_numpy().min()
    return Claim(
        "R2",
        "Recency is strongest early and weakens with t.",
        SOURCE,
        "linear",
        "base problem",
        "GA",
        f"P(p = last slowest) at step {steps[0]}",
        float(early.mean()),
        interval,
        f"exact 95% lower bound > {chance:.3g}, and less often at step {steps[-1]} (paired, p < "
        f"{LEVEL:g})",
        verdict,
        f"{early.size} instances; {_by_step(base)}; slowest at step {steps[0]} only: "
        f"{np.sum(early & ~late)}, at step "
        f"{steps[-1]} only: {np.sum(late & ~early)}, p {fell:.2g}; of {len(tests)} problems "
        f"{weaker} weaken, "
        f"{stronger} strengthen; lowest P at step {steps[0]} {lowest:.3g}",
    )


def judge(tables: Tables) -> list[Claim]:
    """R1 and R2; none where the experiment was not run."""
    records = cells(tables)
    return [] if records.is_empty() else [_dominance(records), _over_time(tables, records)]
