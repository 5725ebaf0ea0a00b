"""B1–B4 from experiment "span": the floor of span methods, and who is bound by it.

Runs and metrics: theory/experiments/span.py. SGD and momentum are span methods, whatever the
gradient; Adam and weight decay are not. "nothing" is the distance of the trained model, before
unlearning. B2 and B3 are theorems: a run that breaks them refutes the code or the formula.
"""

import numpy as np
import polars as pl

from protocol.claims.claim import Claim
from protocol.records import Tables

ROUNDING = 1e-9  # of a floor: a projection of some 1e4 products holds to about 1e-13
ZERO = 1e-20  # of nothing; an exact 0 comes out at about 1e-30, the square of a relative 1e-15
POSITIVE = 1e-10  # of nothing: above it a floor is no rounding
OUTSIDE = 1e-20  # of a squared displacement; a span method's comes out below 1e-28

SPAN_METHODS = ("sgd", "momentum")
OTHERS = {"adam": "Adam", "decay": "Weight decay"}
SOURCE = "beyond the paper: Definition 2.2 narrowed to the span of the forget gradients"


def bounds(tables: Tables) -> pl.DataFrame:
    """seed, order, position, nothing, floor, shrunk, shrink: what bounds each path; empty where it
    was not run.
    """
    oracle = (
        _records(tables)
        .filter(method="oracle")
        .filter(~pl.col("order").str.contains("|", literal=True))
    )
    return _wide(oracle, ("nothing", "floor", "shrunk", "shrink"))


def unlearned(tables: Tables) -> pl.DataFrame:
    """Runs of single paths: objective, optimizer, step (of best), best, outside/best and outside,
    with their bounds.
    """
    records = _records(tables).filter(pl.col("method") != "oracle")
    runs = _wide(
        records.filter(~pl.col("order").str.contains("|", literal=True)),
        ("best", "outside/best", "outside"),
    )
    steps = records.filter(metric="best").select("run", "step")
    found = runs.join(steps, on="run").join(
        bounds(tables).drop("run", "method", "order"), on=["seed", "position"]
    )
    return _split(found).sort("objective", "optimizer", "seed", "position")


def paired(tables: Tables) -> pl.DataFrame:
    """Runs of pairs of paths under span methods: closest, pair_floor, and farther = the larger best
    of the two.
    """
    records = _records(tables).filter(pl.col("order").str.contains("|", literal=True))
    floors = records.filter(metric="pair_floor").select("seed", "order", pair_floor="value")
    closest = records.filter(metric="closest").select("seed", "order", "method", closest="value")
    pairs = closest.join(floors, on=["seed", "order"]).with_columns(
        one=pl.col("order").str.split("|").list.first(),
        other=pl.col("order").str.split("|").list.last(),
    )
    best = _records(tables).filter(metric="best")
    for side in ("one", "other"):
        own = best.select(
            "seed", "method", pl.col("order").alias(side), pl.col("value").alias(f"best_{side}")
        )
        pairs = pairs.join(own, on=["seed", "method", side])
    farther = pl.max_horizontal("best_one", "best_other")
    pairs = _split(pairs.with_columns(farther=farther)).filter(
        pl.col("optimizer").is_in(SPAN_METHODS)
    )
    return pairs.sort("method", "seed", "order")


def _records(tables: Tables) -> pl.DataFrame:
    return tables.records.filter(pl.col("experiment") == "span")


def _wide(records: pl.DataFrame, metrics: tuple[str, ...]) -> pl.DataFrame:
    """A row per run with a column per metric."""
    chosen = records.filter(pl.col("metric").is_in(metrics))
    wide = chosen.pivot(
        "metric",
        on_columns=metrics,
        index=["run", "method", "seed", "order", "position"],
        values="value",
    )
    return wide.sort("seed", "position")


def _split(frame: pl.DataFrame) -> pl.DataFrame:
    """The method's two words as columns objective and optimizer."""
    words = pl.col("method").str.split(" ")
    return frame.with_columns(objective=words.list.first(), optimizer=words.list.last())


def _ratio(column: pl.Series) -> str:
    values = column.to_numpy()
    if values.size == 0:
        return "not run"
    return f"median {np.median(values):.3g}, {values.min():.3g} to {values.max():.3g}"


def _floors(found: pl.DataFrame) -> Claim:
    """B1: the floor is 0 for p = last and positive before."""
    share = found.with_columns(share=pl.col("floor") / pl.col("nothing"))
    is_last = pl.col("position") == pl.col("position").max()
    last, earlier = share.filter(is_last), share.filter(~is_last)
    right = int(
        np.sum(last["share"].to_numpy() < ZERO) + np.sum(earlier["share"].to_numpy() > POSITIVE)
    )
    each = "; ".join(
        f"p = {p}: {_ratio(part['share'])}"
        for (p,), part in earlier.group_by("position", maintain_order=True)
    )
    return Claim(
        "B1",
        "A span method can reach the retrained model if the forget set was learned last, and not "
        "otherwise.",
        SOURCE,
        "linear",
        "linear",
        "any span method",
        "share of instances and paths",
        right / share.height,
        None,
        f"= 1: floor < {ZERO:g} of the distance before unlearning for p = last, > {POSITIVE:g} "
        f"of it before",
        "holds" if right == share.height else "fails",
        f"{last.height} instances; floor over the distance before unlearning: {each}; p = last: "
        f"at most "
        f"{float(last['share'].to_numpy().max()):.2g}",
    )


def _never_below(found: pl.DataFrame) -> Claim:
    """B2: best stopping of every span method against the floor."""
    runs = found.filter(pl.col("optimizer").is_in(SPAN_METHODS))
    obeyed = runs["best"] >= runs["floor"] * (1 - ROUNDING) - ZERO * runs["nothing"]
    earlier = runs.filter(pl.col("position") < pl.col("position").max())
    tight = [
        f"{name} {np.median((part['best'] / part['floor']).to_numpy()):.3g}"
        for (name,), part in earlier.group_by("method", maintain_order=True)
    ]
    return Claim(
        "B2",
        "No span method ever comes nearer to the retrained model than its floor.",
        SOURCE,
        "linear",
        "linear",
        " + ".join(runs["objective"].unique(maintain_order=True)),
        "share of runs, at their best stopping time",
        float(obeyed.to_numpy().mean()),
        None,
        f"= 1, to {ROUNDING:g} of the floor",
        "holds" if obeyed.all() else "fails",
        f"{runs.height} runs; best over floor for p < last, median: {', '.join(tight)}",
    )


def _never_together(pairs: pl.DataFrame) -> Claim:
    """B3: the divergence of two paths, and the worse of the two, against the pair's floor."""
    slack, room = (
        pairs["closest"] / pairs["pair_floor"],
        pairs["farther"] / (pairs["pair_floor"] / 4),
    )
    apart, worse = (ratio >= 1 - ROUNDING for ratio in (slack, room))
    informed = pairs["objective"] == "informed"
    ratios = (("closest over floor", slack), ("worse of the two over a quarter", room))
    notes = [
        f"{name}: {_ratio(ratio.filter(~informed))}; informed: {_ratio(ratio.filter(informed))}"
        for name, ratio in ratios
    ]
    return Claim(
        "B3",
        "Two paths under span methods stay apart for ever, and one of them stays away from any "
        "common target.",
        SOURCE,
        "linear",
        "linear",
        " + ".join(pairs["objective"].unique(maintain_order=True)),
        "share of pairs of paths and methods",
        float((apart & worse).to_numpy().mean()),
        None,
        f"= 1: divergence ≥ the pair's floor, the worse of the two ≥ a quarter of it, to "
        f"{ROUNDING:g}",
        "holds" if (apart & worse).all() else "fails",
        f"{pairs.height} pairs; {'; '.join(notes)}",
    )


def _leaves(found: pl.DataFrame, optimizer: str) -> Claim:
    """B4: whether an optimizer leaves the span, and whether it gets below the floor by it."""
    runs = found.filter(optimizer=optimizer)
    earlier = runs.filter(pl.col("position") < pl.col("position").max())
    below = earlier.with_columns(below=pl.col("best") < pl.col("floor") * (1 - ROUNDING))
    counts = ", ".join(
        f"{name} {np.sum(part['below'].to_numpy())} of {part.height}"
        for (name,), part in below.group_by("objective", maintain_order=True)
    )
    left = bool((runs["outside"] > OUTSIDE).all())
    share = float(below["below"].to_numpy().mean())
    oracle = earlier.unique(["seed", "position"])
    helped = oracle.filter(pl.col("shrunk") < pl.col("floor") * (1 - ROUNDING)).height
    outside = "; ".join(
        f"{name} {_ratio(part['outside'])}"
        for (name,), part in runs.group_by("objective", maintain_order=True)
    )
    detail = (
        f"below the floor, p < last: {counts}; share of the displacement outside at the end: "
        f"{outside}"
    )
    if optimizer == "decay":
        detail += (
            f"; best shrinking and span step together below the floor in {helped} of "
            f"{oracle.height}"
        )
    return Claim(
        "B4",
        "Adam and weight decay leave the span, so the floor does not bind them.",
        SOURCE,
        "linear",
        "linear",
        f"{' + '.join(runs['objective'].unique(maintain_order=True))}, {OTHERS[optimizer]}",
        "share of runs with p < last that go below the floor",
        share,
        None,
        f"> 0, and displacement outside the span (> {OUTSIDE:g}) in every run",
        "fails" if not left else "holds" if share > 0 else "inconclusive",
        detail,
    )


def judge(tables: Tables) -> list[Claim]:
    """B1–B4; none where the experiment was not run."""
    if _records(tables).is_empty():
        return []
    found = unlearned(tables)
    leaving = [_leaves(found, optimizer) for optimizer in OTHERS]
    return [_floors(bounds(tables)), _never_below(found), _never_together(paired(tables)), *leaving]
