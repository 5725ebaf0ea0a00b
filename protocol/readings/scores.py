"""Forget scores out of the record table, a row a run: several orders may share a position.

Each model is judged at steps of its own (`curves.judged_steps`), since runs may differ in length.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl

from protocol.errors import InputError
from protocol.readings.curves import (
    EARLIER,
    LATER,
    judged_steps,
    step_name,
    unlearned,
    worlds_and_methods,
)
from protocol.records import Tables

RUN = ["model", "seed", "order", "position"]


class Scores(NamedTuple):
    """Runs of one method, with the label's forget score at both judged steps."""

    # model -> its later judged step (20, or the last), its earlier judged step
    judged: dict[str, tuple[int, int]]
    # RUN, start = label log-likelihood at step 0, last and half = forget scores up to these steps
    runs: pl.DataFrame

    @property
    def steps(self) -> dict[str, str]:
        """Column -> its step in words: "step 20" if the models share it."""
        last, half = zip(*self.judged.values(), strict=True)
        return {"last": step_name(last, LATER), "half": step_name(half, EARLIER)}

    @property
    def both(self) -> str:
        """Both judged steps in words: "steps 10 and 20" if the models share them."""
        if len(set(self.judged.values())) > 1:
            return "both judged steps of every model"
        last, half = next(iter(self.judged.values()))
        return f"steps {half} and {last}"

    def of(self, model: str) -> "Scores":
        """The runs of one model."""
        return Scores({model: self.judged[model]}, self.runs.filter(model=model))

    @property
    def models(self) -> str:
        """The models pooled, by name."""
        return " + ".join(self.runs["model"].unique().sort())

    @property
    def seeds(self) -> int:
        """Seeds of the model that has most."""
        return max(part["seed"].n_unique() for _, part in self.runs.group_by("model"))


def _of_model(model: str, method: str, label: pl.DataFrame) -> Scores:
    """Forget scores out of one model's label log-likelihoods."""
    steps = label["step"].unique().sort().to_list()
    expected = label["seed"].n_unique() * label["order"].n_unique() * len(steps)
    if label.height != expected:
        raise InputError(
            f"records: expected every order and step of {model}, {method}, label_loglik under "
            f"every seed, {expected} values; got {label.height}: run the experiment to its end"
        )
    last, half = judged_steps(steps)
    before, *after = (
        pl.col("value").filter(pl.col("step") == step).first() for step in (0, last, half)
    )
    runs = (
        label.group_by(RUN)
        .agg(start=before, last=before - after[0], half=before - after[1])
        .sort(RUN)
    )
    return Scores({model: (last, half)}, runs)


def forget_scores(records: pl.DataFrame, *, world: str, method: str) -> Scores:
    """Forget scores by the label of every run.

    Raises InputError if a seed lacks an order or a step that others of its model have.
    """
    labels = records.filter(world=world, method=method, metric="label_loglik").sort("model")
    parts = labels.group_by("model", maintain_order=True)
    by_model = [_of_model(str(model), method, label) for (model,), label in parts]
    judged: dict[str, tuple[int, int]] = {}
    for scores in by_model:
        judged |= scores.judged
    return Scores(judged, pl.concat(scores.runs for scores in by_model))


def scored(tables: Tables, experiment: str) -> Iterator[tuple[str, str, Scores]]:
    """(world, method, forget scores) of an experiment, methods in the paper's order."""
    records = unlearned(tables, experiment)
    for world, method in worlds_and_methods(records, "label_loglik"):
        yield world, method, forget_scores(records, world=world, method=method)


def means(runs: pl.DataFrame, key: str, column: str = "last") -> dict[Any, float]:
    """Value of `key` -> mean of `column` over its runs, in ascending order."""
    return dict(runs.group_by(key).agg(pl.col(column).mean()).sort(key).iter_rows())


def listed(means_by_key: dict[Any, float], name: str = "") -> str:
    """ "p=1 0.52, p=2 0.31" of the means, with a name before every key."""
    return ", ".join(f"{name}{key} {value:.3g}" for key, value in means_by_key.items())
