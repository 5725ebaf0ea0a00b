"""W1–W3 from experiment "retain": does descent on a retained sample stop the divergence?

theory/experiments/retain.py explains the metrics. A difference grows if ‖Δ‖ grows by more than a
factor e from 10¹² to 2·10¹² steps, exactly computed: a difference that does not grow differs from 0
there by rounding alone, and one that grows at a rate of 10⁻¹² a step is still seen.
"""

import numpy as np
import polars as pl

from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import holds_if
from protocol.readings.retain import ABOVE, BELOW
from protocol.readings.sweeps import by_example, sweep
from protocol.records import Tables

# of ‖Δ₀‖: a hundredth is far above rounding (1e-15), and would not pass for equal models
NOTABLE = 0.01
EQUAL = 1e-6  # relative; what is left of the part that shrinks is 0 by then, and the rest rounding


def _threshold(examples: pl.DataFrame, models: str) -> Claim:
    """W1: growth below λ* and none above, instance by instance."""
    below = by_example(examples, metric="log_growth", method=BELOW)
    above = by_example(examples, metric="log_growth", method=ABOVE)
    share = float(np.mean(np.concatenate([below > 1, above <= 1])))
    return STATEMENTS["W1"].judged(
        world="linear",
        model=models,
        method="GradDiff",
        value=share,
        rule="= 1: all grow at 0.9 λ*, none at 1.1 λ*",
        verdict=holds_if(share == 1.0),
        details=[
            f"{below.size} differences at 0.9 λ*, {np.sum(below > 1)} of them grow",
            f"{above.size} at 1.1 λ*, {np.sum(above > 1)} grow",
            f"log growth over 10¹² steps: at 0.9 λ* at least {below.min():.3g}, at 1.1 λ* at most "
            f"{above.max():.3g}",
        ],
    )


def _cells_that_do_not_span(records: pl.DataFrame) -> pl.DataFrame:
    """Cells (model, number of rows, weight) whose samples span the forget rows in no instance."""
    spans = records.filter(pl.col("metric") == "spans").select("model", "samples", spans="value")
    grows = records.filter(pl.col("metric") == "grows")
    return grows.join(spans, on=["model", "samples"]).filter(pl.col("spans") == 0)


def _no_weight(records: pl.DataFrame, models: str) -> Claim | None:
    """W2: samples that span in no instance, growth at every weight; None if every sample spans."""
    cells = _cells_that_do_not_span(records)
    if cells.is_empty():
        return None
    share, weights = cells["value"].to_numpy(), cells["weight"].to_numpy()
    largest = cells.group_by("model").agg(pl.col("samples").max()).sort("model")
    up_to = ", ".join(f"{model} n_R ≤ {n:.0f}" for model, n in largest.iter_rows())
    return STATEMENTS["W2"].judged(
        world="linear",
        model=models,
        method="GradDiff",
        value=float(share.min()),
        rule="= 1 at every weight",
        verdict=holds_if(bool(np.all(share == 1.0))),
        details=[
            f"{share.size} cells (n_R × λ), λ {weights.min():g}–{weights.max():g}",
            f"samples that do not span: {up_to}",
        ],
    )


def _lasting(examples: pl.DataFrame) -> Claim | None:
    """W3: what is left above λ* if the sample spans the forget rows but not the difference."""
    sample = examples.filter(pl.col("model") == "subspace")
    lasting = by_example(sample, metric="lasting", method=ABOVE)
    kernel = by_example(sample, metric="on_kernel", method=ABOVE)
    if kernel.size == 0:
        return None
    rule = (
        f"> {NOTABLE:g} in every instance, none growing, and equal to the share on ker R within "
        f"{EQUAL:g}"
    )
    if lasting.size < kernel.size:
        grown = kernel.size - lasting.size
        return STATEMENTS["W3"].judged(
            world="linear",
            model="subspace",
            method="GradDiff",
            value=None,
            rule=rule,
            verdict="fails",
            details=[f"{grown} of {kernel.size} differences grow"],
        )
    error = float(np.max(np.abs(lasting / kernel - 1)))
    details = [
        f"{lasting.size} differences, from {lasting.min():.3g} to {lasting.max():.3g}",
        f"largest relative difference from the share on ker R {error:.2g}",
    ]
    full = by_example(examples.filter(pl.col("model") == "full"), metric="lasting", method=ABOVE)
    if full.size:
        details.append(f"if the sample spans everything, at most {full.max():.2g} is left")
    return STATEMENTS["W3"].judged(
        world="linear",
        model="subspace",
        method="GradDiff",
        value=float(np.median(lasting)),
        rule=rule,
        verdict=holds_if(lasting.min() > NOTABLE and error < EQUAL),
        details=details,
    )


def judge(tables: Tables) -> list[Claim]:
    """W1, W2, W3; those there are records of."""
    records = sweep(tables, "retain")
    if records.is_empty():
        return []
    examples = tables.examples.filter(pl.col("experiment") == "retain")
    models = " + ".join(records["model"].unique().sort())
    both = {BELOW, ABOVE} <= set(examples["method"])
    claims = [
        _threshold(examples, models) if both else None,
        _no_weight(records, models),
        _lasting(examples),
    ]
    return [claim for claim in claims if claim is not None]
