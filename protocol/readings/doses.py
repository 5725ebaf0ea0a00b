"""Experiment "dose": pairs of a path and a model that learned the forget set last, at equal starts.

The runs are the paths of the positions experiment, and p = last with its last stage stopped early
("safety@8"): the doses, the whole stage one of them. A pair is a path p < last and the model of its
seed that learned the forget set last and starts at the same label log-likelihood: forget scores of
the doses, linear between them in the label log-likelihood at step 0. A path that starts outside the
doses' range has no pair. A difference is matched − path.
"""

import numpy as np
import polars as pl

PAIR = {
    "model": pl.String,
    "seed": pl.Int64,
    "position": pl.Int64,
    "last": pl.Float64,
    "half": pl.Float64,
}


def matched_pairs(runs: pl.DataFrame) -> pl.DataFrame:
    """A row a pair: model, seed, position of the path, and the differences last and half.

    Differences of forget scores at the later judged step (last) and at the earlier one (half).
    """
    rows = []
    is_last = pl.col("position") == pl.col("position").max()
    for (model, seed), part in runs.group_by("model", "seed", maintain_order=True):
        doses = part.filter(is_last).sort("start")
        start = doses["start"].to_numpy()
        within_range = pl.col("start").is_between(start[0], start[-1])
        for path in part.filter(~is_last & within_range).iter_rows(named=True):
            matched = {at: np.interp(path["start"], start, doses[at]) for at in ("last", "half")}
            last = float(matched["last"]) - path["last"]
            half = float(matched["half"]) - path["half"]
            rows.append((model, seed, path["position"], last, half))
    return pl.DataFrame(rows, schema=PAIR, orient="row")


def by_seed(pairs: pl.DataFrame) -> pl.DataFrame:
    """A row a model and seed that have pairs: the mean difference over its pairs at both steps."""
    return pairs.group_by("model", "seed", maintain_order=True).agg(pl.col("last", "half").mean())
