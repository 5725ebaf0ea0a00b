"""R1 and R2 from experiment "recency": why, and for how long, p = last is forgotten slowest.

R1 is a theorem: a pair of paths that breaks it refutes the code or the formula. R2 is judged on the
base problem between the first and the last step that were ranked; the two probabilities come from
the same instances, so they are compared by an exact test on those in which they differ.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool
from scipy import stats

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import by_interval, every, holds_if
from protocol.readings.recency import cells, slowest
from protocol.records import Tables

LEVEL = 0.05  # of the paired test, one-sided like the exact intervals
CRITERIA = {"each": "each component", "summed": "summed from the top"}


def weakening(early: Bool[np.ndarray, " n"], late: Bool[np.ndarray, " n"]) -> tuple[float, float]:
    """One-sided p-values of "less often late" and "more often late".

    Binomial tests on the instances that changed.
    """
    lost, won = int(np.sum(early & ~late)), int(np.sum(late & ~early))
    if lost + won == 0:
        return 1.0, 1.0
    less = stats.binomtest(lost, lost + won, 0.5, alternative="greater").pvalue
    more = stats.binomtest(won, lost + won, 0.5, alternative="greater").pvalue
    return float(less), float(more)


def _criterion(name: str, total: dict[str, float], base: dict[str, float]) -> str:
    """How many pairs a criterion orders and how many obey, in words."""
    obeyed, ordered = total[f"obeyed/{name}"], total[f"dominated/{name}"]
    return (
        f"{CRITERIA[name]}: {obeyed:.0f} of {ordered:.0f} pairs × steps obey, p = last below every "
        f"other path in {base[f'last_dominates/{name}']:.3g} of the base problem's instances"
    )


def _dominance(records: pl.DataFrame) -> Claim:
    """R1: if a criterion on the components orders two paths, so does their growth at every step."""
    total = dict(records.group_by("metric").agg(pl.col("value").sum()).iter_rows())
    base = dict(records.filter(base=1.0).select("metric", "value").iter_rows())
    ordered = sum(total[f"dominated/{name}"] for name in CRITERIA)
    obeyed = sum(total[f"obeyed/{name}"] for name in CRITERIA)
    return STATEMENTS["R1"].judged(
        world="linear",
        model=f"{records['run'].n_unique()} problems",
        method="GA",
        value=obeyed / ordered if ordered else None,
        rule="= 1, growth equal to 1e-9 obeys",
        verdict=holds_if(obeyed == ordered) if ordered else "inconclusive",
        details=[_criterion(name, total, base) for name in CRITERIA],
    )


def _by_step(records: pl.DataFrame) -> str:
    measured = records.filter(metric="last_slowest").sort("step")
    shares = measured.select("step", "value").iter_rows()
    listed = ", ".join(f"{share:.3g} at {step}" for step, share in shares)
    limit = records.filter(metric="last_slowest_limit")["value"].item()
    return f"P by step: {listed}, {limit:.3g} in the limit"


def _changes(tables: Tables, records: pl.DataFrame) -> str:
    """In how many problems recency weakens, and in how many it strengthens, in words."""
    problems = records["run"].unique(maintain_order=True)
    hits = [slowest(tables, run)[1] for run in problems]
    tests = np.array([weakening(hit[:, 0], hit[:, -1]) for hit in hits])
    weaker, stronger = np.sum(tests < LEVEL, axis=0)
    return f"of {len(tests)} problems {weaker} weaken, {stronger} strengthen"


def _over_time(tables: Tables, records: pl.DataFrame) -> Claim:
    """R2: P(p = last slowest) at the first step above chance, and above that at the last step."""
    base = records.filter(base=1.0)
    steps, hits = slowest(tables, base["run"][0])
    first, last, early, late = steps[0], steps[-1], hits[:, 0], hits[:, -1]
    chance = 1 / base["stages"].to_numpy()[0]
    interval = metrics.exact_interval(int(early.sum()), early.size)
    fell, rose = weakening(early, late)
    change = "holds" if fell < LEVEL else "fails" if rose < LEVEL else "inconclusive"
    lowest = records.filter(metric="last_slowest", step=first)["value"].to_numpy().min()
    statement = STATEMENTS["R2"].measured(step=first)
    return statement.judged(
        world="linear",
        model="base problem",
        method="GA",
        value=float(early.mean()),
        interval=interval,
        rule=(
            f"exact 95% lower bound > {chance:.3g}, and less often at step {last} (paired, p < "
            f"{LEVEL:g})"
        ),
        verdict=every([by_interval(interval, above=chance), change]),
        details=[
            f"{early.size} instances",
            _by_step(base),
            f"slowest at step {first} only: {np.sum(early & ~late)}, at step {last} only: "
            f"{np.sum(late & ~early)}, p {fell:.2g}",
            _changes(tables, records),
            f"lowest P at step {first} {lowest:.3g}",
        ],
    )


def judge(tables: Tables) -> list[Claim]:
    """R1 and R2; none if the experiment was not run."""
    records = cells(tables)
    return [] if records.is_empty() else [_dominance(records), _over_time(tables, records)]
