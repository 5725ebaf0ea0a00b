"""D2: do models unlearned from different orders differ more than retrained models do?

½ max √d(u_p, u_q) says how far some outcome stays from any one target, whatever it is (D1). It
means something if it exceeds the noise floor: the largest √d between two retrained models that
differ in the shuffle seed alone. Both on centred logits of retained prompts: the half-diameter over
all of them ("rates"), the floor by part ("positions"), of which the largest is taken: about at
least that of all parts together, whose positions are others of the same prompts.
"""

import numpy as np
import polars as pl

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import MOST_SEEDS, by_interval
from protocol.readings.distances import logit_noise_floor
from protocol.readings.rates import AHEAD, rate_records, series
from protocol.records import Tables


def _spread(key: tuple[str, str, str], records: pl.DataFrame, noise: float) -> Claim | None:
    world, model, method = key
    measured = records.filter(metric="half_diameter").sort("seed")
    if measured.is_empty():
        return None
    step = min(AHEAD, int(measured["step"].to_numpy().max()))
    start = measured.filter(step=0)["value"].to_numpy()
    half = measured.filter(step=step)["value"].to_numpy()
    hits = int(np.sum(half > noise))
    interval = metrics.exact_interval(hits, half.size)
    statement = STATEMENTS["D2"].measured(step=step)
    return statement.judged(
        world=world,
        model=model,
        method=method,
        value=hits / half.size,
        interval=interval,
        rule=MOST_SEEDS,
        verdict=by_interval(interval, above=0.5),
        details=[
            f"half-diameter, median over {half.size} seeds: {np.median(start):.3g} at step 0, "
            f"{np.median(half):.3g} then",
            f"noise floor {noise:.3g}",
        ],
    )


def judge(tables: Tables) -> list[Claim]:
    """D2 for every model and method with a noise floor.

    The linear model has none: its training has no chance in it.
    """
    claims = []
    for key, records in series(rate_records(tables)):
        noise = logit_noise_floor(tables, key[0], key[1])
        claim = None if noise is None else _spread(key, records, noise)
        if claim is not None:
            claims.append(claim)
    return claims
