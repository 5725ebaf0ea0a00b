"""Forget scores out of the record table, a row a run: for experiments in which several orders share a position."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl

from protocol.claims.curves import judged_steps, unlearned, worlds_and_methods
from protocol.errors import InputError
from protocol.records import Tables

RUN = ["model", "seed", "order", "position"]


class Scores(NamedTuple):
    """Runs of one method by model, seed and order, with the label's forget score at both judged steps."""

    last: int  # the later judged step (see `curves.judged_steps`): 20, or the last of a shorter run
    half: int  # the earlier one: 10, or half-way
    runs: pl.DataFrame  # RUN, start = label log-likelihood at step 0, last and half = forget scores up to these steps

    @property
    def steps(self) -> dict[str, int]:
        """Column -> step."""
        return {"last": self.last, "half": self.half}

    @property
    def models(self) -> str:
        """The models pooled, by name."""
        return " + ".join(self.runs["model"].unique().sort())

    @property
    def seeds(self) -> int:
        """Seeds of the model that has most."""
        return max(part["seed"].n_unique() for _, part in self.runs.group_by("model"))


def forget_scores(records: pl.DataFrame, *, world: str, method: str) -> Scores:
    """Forget scores by the label of every run; InputError where a seed lacks an order or a step that others have."""
    chosen = records.filter(world=world, method=method, metric="label_loglik")
    steps = chosen["step"].unique().sort().to_list()
    models = chosen.group_by("model").agg(runs=pl.col("seed").n_unique() * pl.col("order").n_unique())
    expected = len(steps) * models["runs"].sum()
    if chosen.height != expected:
        raise InputError(
            f"records: expected every order and step of {method}, label_loglik under every seed, {expected} values; "
            f"got {chosen.height}: run the experiment to its end"
        )
    last, half = judged_steps(steps)
    before, *after = (pl.col("value").filter(pl.col("step") == step).first() for step in (0, last, half))
    runs = chosen.group_by(RUN).agg(start=before, last=before - after[0], half=before - after[1]).sort(RUN)
    return Scores(last, half, runs)


def scored(tables: Tables, experiment: str) -> Iterator[tuple[str, str, Scores]]:
    """(world, method, forget scores) of an experiment, methods in the paper's order."""
    records = unlearned(tables, experiment)
    for world, method in worlds_and_methods(records, "label_loglik"):
        yield world, method, forget_scores(records, world=world, method=method)


def means(runs: pl.DataFrame, key: str, column: str = "last") -> dict[Any, float]:
    """Value of `key` -> mean of `column` over its runs, in ascending order."""
    return dict(runs.group_by(key).agg(pl.col(column).mean()).sort(key).iter_rows())


def listed(found: dict[Any, float], name: str = "") -> str:
    """ "p=1 0.52, p=2 0.31" of the means, with what stands before every key."""
    return ", ".join(f"{name}{key} {value:.3g}" for key, value in found.items())
