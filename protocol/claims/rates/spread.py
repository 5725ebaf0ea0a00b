"""D2: does the spread of the outcomes exceed the noise of retraining? The half-diameter bound
beside the noise floor.

½ max √d(u_p, u_q) says how far some outcome stays from any one target, whatever it is (D1). It
means something where it exceeds the noise floor: the largest √d between two retrained models that
differ in the shuffle seed alone. Both on centred logits of retained prompts: the half-diameter over
all of them ("rates"), the floor by part ("positions"), of which the largest is taken: about at
least that of all parts together, whose positions are others of the same prompts.
"""

import numpy as np
import polars as pl

from protocol import metrics
from protocol.claims.claim import Claim, share_verdict
from protocol.claims.rates.divergence import AHEAD, rate_records, series
from protocol.records import Tables

FLOOR = "logit_distance/"


def retraining_noise(tables: Tables, world: str, model: str) -> float | None:
    """√d of the two retrained models farthest apart, on the retained part where that is largest;
    None without two.
    """
    floor = tables.records.filter(
        (pl.col("experiment") == "positions")
        & (pl.col("method") == "floor")
        & (pl.col("world") == world)
        & (pl.col("model") == model)
        & pl.col("metric").str.starts_with(FLOOR)
        & (pl.col("metric") != f"{FLOOR}forget")
    )["value"].to_numpy()
    return float(np.sqrt(floor.max())) if floor.size else None


def _spread(key: tuple[str, str, str], records: pl.DataFrame, noise: float) -> Claim | None:
    measured = records.filter(metric="half_diameter")
    if measured.is_empty():
        return None
    step = min(AHEAD, int(measured["step"].to_numpy().max()))
    start, half = (measured.filter(step=at).sort("seed")["value"].to_numpy() for at in (0, step))
    hits = int(np.sum(half > noise))
    interval = metrics.exact_interval(hits, half.size)
    return Claim(
        "D2",
        "The spread of the outcomes exceeds the distance of two retrained models.",
        "noise floor",
        *key,
        f"share of seeds with ½ max √d(u_p, u_q) above the largest √d of two retrained models, "
        f"step {step}",
        hits / half.size,
        interval,
        "exact 95% lower bound > 0.5; fails where the upper one is below",
        share_verdict(interval, 0.5),
        f"half-diameter, median over {half.size} seeds: {np.median(start):.3g} at step 0, "
        f"{np.median(half):.3g} then; "
        f"noise floor {noise:.3g}",
    )


def judge(tables: Tables) -> list[Claim]:
    """D2 for every model and method with a noise floor; the linear model has none, its training has
    no chance in it.
    """
    found = []
    for key, records in series(rate_records(tables)):
        noise = retraining_noise(tables, key[0], key[1])
        claim = None if noise is None else _spread(key, records, noise)
        found += [] if claim is None else [claim]
    return found
