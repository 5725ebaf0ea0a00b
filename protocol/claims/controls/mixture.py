"""K1 from experiment "mixture": does path dependence vanish if the stages' rows are mixed?

The distance between the paths of a seed, mixed over staged: below a tenth half-way and at the last
step, on the prompts of each part, the mixture has no path dependence to speak of.
"""

import numpy as np

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import every
from protocol.readings.mixture import PARTS, Control, controls
from protocol.records import Tables

TENTH = 0.1  # fixed before looking: an order of magnitude below the staged paths


def _verdict(control: Control, part: str, step: int) -> str:
    low, high = metrics.median_interval(control.ratio(part, step))
    if high < TENTH:
        return "holds"
    return "fails" if low > TENTH else "inconclusive"


def _median(control: Control, part: str, step: int) -> float:
    return float(np.median(control.ratio(part, step)))


def _judged(control: Control) -> Claim:
    last = control.staged[PARTS[0]].shape[1] - 1
    half = last // 2
    judged = [(step, part) for step in (half, last) for part in PARTS]
    by_step = []
    for step in dict.fromkeys((0, half, last)):
        parts = ", ".join(f"{part} {_median(control, part, step):.2g}" for part in PARTS)
        by_step.append(f"step {step}: {parts}")
    return STATEMENTS["K1"].judged(
        world=control.world,
        model=control.model,
        method=control.method,
        value=max(_median(control, part, step) for step, part in judged),
        rule=(
            f"95% bound of the median < {TENTH:g} on both parts at steps {half} and {last}; fails "
            f"if the bound is above {TENTH:g}"
        ),
        verdict=every([_verdict(control, part, step) for step, part in judged]),
        details=[
            f"median ratio by part, {'; '.join(by_step)}",
            f"{control.ratio(PARTS[0], 0).size} seeds",
        ],
    )


def judge(tables: Tables) -> list[Claim]:
    """K1 for every model and method there are records of."""
    return [_judged(control) for control in controls(tables)]
