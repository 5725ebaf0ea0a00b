"""G4 from experiment "rates": does the divergence of two paths grow exponentially, on every side?

The growth is exponential for as long as its rate, over windows of 5 steps, stays within a factor 2
of that of the first window. G4 holds if the exact 95% lower bound of the median over seeds is ≥ 20
steps, the paper's runs, and fails if the upper one is below. It is inconclusive if d has not
doubled by then: so little growth shows no law.
"""

import numpy as np

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import at_least
from protocol.readings.rates import AHEAD, ModelRates, model_rates
from protocol.records import Tables

DOUBLED = 2.0


def _exponential(rates: ModelRates) -> Claim:
    interval = metrics.median_interval(rates.span)
    verdict = at_least(interval, AHEAD)
    grown = np.median(rates.grown)
    notes = [f"d grows by a factor {grown:.3g} in {AHEAD} steps (median)"]
    if grown < DOUBLED or rates.steps < AHEAD:
        verdict = "inconclusive"
        notes.append("too little growth to show a law" if rates.steps >= AHEAD else "too few steps")
    elif np.isinf(interval[0]):
        notes.append("too few seeds for an interval")
    return STATEMENTS["G4"].judged(
        world=rates.world,
        model=rates.model,
        method=rates.method,
        value=float(np.median(rates.span)),
        interval=interval,
        rule=(
            f"exact 95% lower bound of the median ≥ {AHEAD}; fails if the upper bound is below; "
            "inconclusive if d does not double"
        ),
        verdict=verdict,
        details=[f"runs of {rates.steps} steps, {rates.span.size} seeds", *notes],
    )


def judge(tables: Tables) -> list[Claim]:
    """G4 for every model and method there are records of."""
    return [_exponential(rates) for rates in model_rates(tables)]
