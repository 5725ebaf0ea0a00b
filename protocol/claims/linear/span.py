"""B1–B4 from experiment "span": the span floor, and which methods are bound by it.

Runs and their columns: protocol/readings/span.py. B2 and B3 are theorems: a run that breaks them
refutes the code or the formula.
"""

import numpy as np
import polars as pl

from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import holds_if
from protocol.readings.span import SPAN_METHODS, bounds, paired, span_records, unlearned
from protocol.records import Tables

ROUNDING = 1e-9  # of a floor: a projection of some 1e4 products holds to about 1e-13
ZERO = 1e-20  # of nothing; an exact 0 comes out at about 1e-30, the square of a relative 1e-15
POSITIVE = 1e-10  # of nothing: above it a floor is no rounding
OUTSIDE = 1e-20  # of a squared displacement; a span method's comes out below 1e-28
OTHERS = {"adam": "Adam", "decay": "Weight decay"}  # optimizers that are no span methods


def _ratio(column: pl.Series) -> str:
    values = column.to_numpy()
    if values.size == 0:
        return "not run"
    return f"median {np.median(values):.3g}, {values.min():.3g} to {values.max():.3g}"


def _objectives(runs: pl.DataFrame) -> str:
    return " + ".join(runs["objective"].unique(maintain_order=True))


def _earlier(runs: pl.DataFrame) -> pl.DataFrame:
    """Runs of p < last."""
    return runs.filter(pl.col("position") < pl.col("position").max())


def _floors(limits: pl.DataFrame) -> Claim:
    """B1: the floor is 0 for p = last and positive before."""
    shares = limits.with_columns(share=pl.col("floor") / pl.col("nothing"))
    earlier = _earlier(shares)
    last = shares.filter(pl.col("position") == pl.col("position").max())
    zero = last["share"].to_numpy() < ZERO
    positive = earlier["share"].to_numpy() > POSITIVE
    right = int(np.sum(zero) + np.sum(positive))
    positions = earlier.group_by("position", maintain_order=True)
    by_position = "; ".join(f"p = {p}: {_ratio(part['share'])}" for (p,), part in positions)
    return STATEMENTS["B1"].judged(
        world="linear",
        model="linear",
        method="any span method",
        value=right / shares.height,
        rule=(
            f"= 1: floor < {ZERO:g} of the distance before unlearning for p = last, > {POSITIVE:g} "
            "of it before"
        ),
        verdict=holds_if(right == shares.height),
        details=[
            f"{last.height} instances",
            f"floor over the distance before unlearning: {by_position}",
            f"p = last: at most {float(last['share'].to_numpy().max()):.2g}",
        ],
    )


def _never_below(runs: pl.DataFrame) -> Claim:
    """B2: best stopping of every span method against the floor."""
    bound = runs.filter(pl.col("optimizer").is_in(SPAN_METHODS))
    obeyed = bound["best"] >= bound["floor"] * (1 - ROUNDING) - ZERO * bound["nothing"]
    tight = []
    for (method,), part in _earlier(bound).group_by("method", maintain_order=True):
        ratio = (part["best"] / part["floor"]).to_numpy()
        tight.append(f"{method} {np.median(ratio):.3g}")
    return STATEMENTS["B2"].judged(
        world="linear",
        model="linear",
        method=_objectives(bound),
        value=float(obeyed.to_numpy().mean()),
        rule=f"= 1, to {ROUNDING:g} of the floor",
        verdict=holds_if(obeyed.all()),
        details=[
            f"{bound.height} runs",
            f"best over floor for p < last, median: {', '.join(tight)}",
        ],
    )


def _never_together(pairs: pl.DataFrame) -> Claim:
    """B3: the divergence of two paths, and the worse of the two, against the pair's floor."""
    closest = pairs["closest"] / pairs["pair_floor"]
    farther = pairs["farther"] / (pairs["pair_floor"] / 4)
    ratios = {"closest over floor": closest, "worse of the two over a quarter": farther}
    apart, worse = closest >= 1 - ROUNDING, farther >= 1 - ROUNDING
    informed = pairs["objective"] == "informed"
    notes = [
        f"{name}: {_ratio(ratio.filter(~informed))}; informed: {_ratio(ratio.filter(informed))}"
        for name, ratio in ratios.items()
    ]
    return STATEMENTS["B3"].judged(
        world="linear",
        model="linear",
        method=_objectives(pairs),
        value=float((apart & worse).to_numpy().mean()),
        rule=(
            "= 1: divergence ≥ the pair's floor, the worse of the two ≥ a quarter of it, to "
            f"{ROUNDING:g}"
        ),
        verdict=holds_if((apart & worse).all()),
        details=[f"{pairs.height} pairs", *notes],
    )


def _below_by_objective(earlier: pl.DataFrame) -> str:
    counts = [
        f"{name} {np.sum(part['below'].to_numpy())} of {part.height}"
        for (name,), part in earlier.group_by("objective", maintain_order=True)
    ]
    return ", ".join(counts)


def _shrinking(earlier: pl.DataFrame) -> str:
    """In how many paths the best shrinking and span step together go below the floor, in words."""
    paths = earlier.unique(["seed", "position"])
    helped = paths.filter(pl.col("shrunk") < pl.col("floor") * (1 - ROUNDING)).height
    return f"best shrinking and span step together below the floor in {helped} of {paths.height}"


def _leaves(runs: pl.DataFrame, optimizer: str) -> Claim:
    """B4: whether an optimizer leaves the span, and whether that takes it below the floor."""
    own = runs.filter(optimizer=optimizer)
    left = bool((own["outside"] > OUTSIDE).all())
    is_below = pl.col("best") < pl.col("floor") * (1 - ROUNDING)
    earlier = _earlier(own).with_columns(below=is_below)
    share = float(earlier["below"].to_numpy().mean())
    objectives = own.group_by("objective", maintain_order=True)
    outside = "; ".join(f"{name} {_ratio(part['outside'])}" for (name,), part in objectives)
    details = [
        f"below the floor, p < last: {_below_by_objective(earlier)}",
        f"share of the displacement outside at the end: {outside}",
    ]
    if optimizer == "decay":
        details.append(_shrinking(earlier))
    return STATEMENTS["B4"].judged(
        world="linear",
        model="linear",
        method=f"{_objectives(own)}, {OTHERS[optimizer]}",
        value=share,
        rule=f"> 0, and displacement outside the span (> {OUTSIDE:g}) in every run",
        verdict="fails" if not left else "holds" if share > 0 else "inconclusive",
        details=details,
    )


def judge(tables: Tables) -> list[Claim]:
    """B1–B4; none if the experiment was not run."""
    if span_records(tables).is_empty():
        return []
    runs = unlearned(tables)
    leaving = [_leaves(runs, optimizer) for optimizer in OTHERS]
    return [_floors(bounds(tables)), _never_below(runs), _never_together(paired(tables)), *leaving]
