"""K1 from experiment "mixture": does path dependence vanish where the stages' rows are mixed?

Staged paths beside as many shuffles of their i.i.d. mixture, same rows, steps and seeds. The
distance between the paths of a seed, on the held-out prompts of each part, mixed over staged: below
a tenth half-way and at the last step the mixture has no path dependence to speak of. Metrics:
theory/experiments/network_records.py.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.claims.claim import Claim, every
from protocol.readings.curves import PAPER_METHODS
from protocol.records import Tables

TENTH = 0.1  # fixed before looking: an order of magnitude below the staged paths
PARTS = ("test", "forget")


class Control(NamedTuple):
    """Distances between paths of one model under one method, by part; seeds in ascending order,
    steps from 0.
    """

    world: str
    model: str
    method: str
    staged: dict[str, Float[np.ndarray, "seeds points"]]
    mixture: dict[str, Float[np.ndarray, "seeds points"]]

    def ratio(self, part: str, step: int) -> Float[np.ndarray, " seeds"]:
        """Mixed over staged."""
        return self.mixture[part][:, step] / self.staged[part][:, step]


def controls(tables: Tables) -> list[Control]:
    """Every model and method of the paper there are records of both kinds of."""
    records = tables.records.filter(pl.col("experiment") == "mixture").sort("seed", "step")
    found = []
    for world, model in sorted(records.select("world", "model").unique().iter_rows()):
        for method in PAPER_METHODS:
            chosen = records.filter(world=world, model=model, method=method)
            seeds = chosen["seed"].n_unique()
            both = [
                {
                    p: chosen.filter(order=order, metric=f"path_distance/{p}")["value"].to_numpy()
                    for p in PARTS
                }
                for order in ("staged", "mixture")
            ]
            if seeds and all(values.size for kind in both for values in kind.values()):
                shaped = [
                    {p: values.reshape(seeds, -1) for p, values in kind.items()} for kind in both
                ]
                found.append(Control(world, model, method, *shaped))
    return found


def _judged(control: Control) -> Claim:
    last = control.staged[PARTS[0]].shape[1] - 1
    medians = {
        step: {p: float(np.median(control.ratio(p, step))) for p in PARTS}
        for step in (0, last // 2, last)
    }
    verdicts = []
    for step in (last // 2, last):
        for part in PARTS:
            low, high = metrics.median_interval(control.ratio(part, step))
            verdicts.append("holds" if high < TENTH else "fails" if low > TENTH else "inconclusive")
    worst = max(max(medians[step].values()) for step in (last // 2, last))
    told = "; ".join(
        f"step {step}: " + ", ".join(f"{part} {value:.2g}" for part, value in parts.items())
        for step, parts in medians.items()
    )
    return Claim(
        "K1",
        "Path dependence vanishes where the stages are mixed.",
        "control: i.i.d. mixture",
        control.world,
        control.model,
        control.method,
        "largest median ratio over parts and steps, path distance of the mixture over that of "
        "the stages",
        worst,
        None,
        f"95% bound of the median < {TENTH:g} on both parts at steps {last // 2} and {last}, "
        f"fails above it",
        every(verdicts),
        f"median ratio by part, {told}; {control.ratio(PARTS[0], 0).size} seeds",
    )


def judge(tables: Tables) -> list[Claim]:
    """K1 for every world, model and method there are records of."""
    return [_judged(control) for control in controls(tables)]
