"""W1–W3 from experiment "retain": does descent on a retained sample stop two paths from parting,
and what is left.

Metrics and their meaning stand in theory/experiments/retain.py. A difference grows where ‖Δ‖ grows
by more than a factor e from 10¹² to 2·10¹² steps, exactly computed: one that does not grow differs
from 0 there by rounding alone, and one that grows at a rate of 10⁻¹² a step is still seen.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol.claims.claim import Claim
from protocol.readings.sweeps import sweep
from protocol.records import Tables

BELOW, ABOVE = "0.9 λ*", "1.1 λ*"
NOTABLE = (
    0.01  # of ‖Δ₀‖: a hundredth is far above rounding (1e-15), and would not pass for equal models
)
EQUAL = 1e-6  # relative; what is left of the part that shrinks is 0 by then, and the rest rounding

SOURCE = "beyond Section 3: weakly local methods"


def _verdict(holds: bool) -> str:
    return "holds" if holds else "fails"


def _values(examples: pl.DataFrame, **chosen: str) -> Float[np.ndarray, " n"]:
    return examples.filter(**chosen).sort("run", "example")["value"].to_numpy()


def _threshold(examples: pl.DataFrame, models: str) -> Claim:
    """W1: growth below λ* and none above, instance by instance."""
    below, above = (_values(examples, metric="log_growth", method=side) for side in (BELOW, ABOVE))
    share = float(np.mean(np.concatenate([below > 1, above <= 1])))
    return Claim(
        "W1",
        "Descent on a retained sample that spans the forget rows stops the divergence exactly "
        "from a weight λ* "
        "on.",
        SOURCE,
        "linear",
        models,
        "GradDiff",
        "share of instances and numbers of rows, both sides of λ*",
        share,
        None,
        "= 1: all grow at 0.9 λ*, none at 1.1 λ*",
        _verdict(share == 1.0),
        f"{below.size} differences at 0.9 λ*, {np.sum(below > 1)} of them grow; {above.size} at "
        f"1.1 λ*, "
        f"{np.sum(above > 1)} grow; log growth over 10¹² steps: at 0.9 λ* at least "
        f"{below.min():.3g}, at 1.1 λ* "
        f"at most {above.max():.3g}",
    )


def _no_weight(records: pl.DataFrame, models: str) -> Claim | None:
    """W2: with samples that span in no instance, growth at every weight; None where every sample
    spans.
    """
    spans = records.filter(pl.col("metric") == "spans").select("model", "samples", spans="value")
    cells = (
        records.filter(pl.col("metric") == "grows")
        .join(spans, on=["model", "samples"])
        .filter(pl.col("spans") == 0)
    )
    if cells.is_empty():
        return None
    share = cells["value"].to_numpy()
    largest = cells.group_by("model").agg(pl.col("samples").max()).sort("model")
    upto = ", ".join(f"{model} n_R ≤ {n:.0f}" for model, n in largest.iter_rows())
    weights = cells["weight"].to_numpy()
    return Claim(
        "W2",
        "A retained sample that does not span the forget rows stops no divergence, whatever its "
        "weight.",
        SOURCE,
        "linear",
        models,
        "GradDiff",
        "smallest share of instances that grow, over weights and numbers of rows",
        float(share.min()),
        None,
        "= 1 at every weight",
        _verdict(bool(np.all(share == 1.0))),
        f"{share.size} cells (n_R × λ), λ {weights.min():g}–{weights.max():g}; samples that do "
        f"not span: {upto}",
    )


def _lasting(examples: pl.DataFrame) -> Claim | None:
    """W3: what is left above λ* where the sample spans the forget rows but not the difference."""
    sample = examples.filter(pl.col("model") == "subspace")
    lasting, kernel = (
        _values(sample, metric=name, method=ABOVE) for name in ("lasting", "on_kernel")
    )
    if kernel.size == 0:
        return None
    head = (
        "W3", "Stopping the divergence is not path-independence: above λ* the difference on ker R stays for ever.",
        SOURCE, "linear", "subspace", "GradDiff", "‖Δ_t‖/‖Δ₀‖ at 1.1 λ* after 2·10¹² steps, median",
    )  # fmt: skip
    threshold = (
        f"> {NOTABLE:g} in every instance, none growing, and equal to the share on ker R within "
        f"{EQUAL:g}"
    )
    if lasting.size < kernel.size:
        grown = kernel.size - lasting.size
        return Claim(
            *head, None, None, threshold, "fails", f"{grown} of {kernel.size} differences grow"
        )
    error = float(np.max(np.abs(lasting / kernel - 1)))
    full = _values(examples.filter(pl.col("model") == "full"), metric="lasting", method=ABOVE)
    spanned = (
        f"; where the sample spans everything at most {full.max():.2g} is left" if full.size else ""
    )
    return Claim(
        *head,
        float(np.median(lasting)),
        None,
        threshold,
        _verdict(lasting.min() > NOTABLE and error < EQUAL),
        f"{lasting.size} differences, from {lasting.min():.3g} to {lasting.max():.3g}; largest "
        f"relative difference "
        f"from the share on ker R {error:.2g}{spanned}",
    )


def judge(tables: Tables) -> list[Claim]:
    """W1, W2, W3; those the records tell of."""
    records = sweep(tables, "retain")
    if records.is_empty():
        return []
    examples = tables.examples.filter(pl.col("experiment") == "retain")
    models = " + ".join(records["model"].unique().sort())
    both = {BELOW, ABOVE} <= set(examples["method"])
    found = [
        _threshold(examples, models) if both else None,
        _no_weight(records, models),
        _lasting(examples),
    ]
    return [claim for claim in found if claim is not None]
