"""Every experiment carried out with one seed at micro size: its runs, its metrics, and what its
paths tell together.
"""

import itertools
from dataclasses import replace
from pathlib import Path

import micro
import polars as pl
import pytest

from llm.config.experiments import EXPERIMENTS
from llm.config.options import Options
from llm.config.presets import STAGES
from protocol import orders, records
from protocol.spec import Experiment

KEPT = ("inst", "tofu", "math")
PATHS = orders.positions(KEPT, "safety")
MIXED = "inst+tofu+math+safety"
ONE_STEP = ("negation", "rewind")
# 3 updates a stage, 6 of math, and 3 of unlearning.
FEW = Options(
    seeds=1,
    rows=dict.fromkeys(STAGES, 24) | {"math": 48},
    held_out=dict.fromkeys(STAGES, 4),
    epochs=dict.fromkeys(STAGES, 1),
    learning={"batch": 8, "micro_batch": 8},
    unlearning={"batch": 8, "micro_batch": 8},
    methods=("GA",),
)
OTHERWISE = {
    "positions": replace(FEW, include_mixture=True),
    "depth": Options(seeds=1),
    "oracle-local": replace(FEW, methods=None),
    "history": replace(FEW, methods=None),
    "seeds": replace(FEW, methods=("GA", "NPO")),
}
SHORT = {"depth": 2}  # unlearning epochs


def small(name: str) -> list[Experiment]:
    found = EXPERIMENTS[name]("tiny-llama", OTHERWISE.get(name, FEW))
    if name not in SHORT:
        return [micro.shrunk(each) for each in found]
    unlearning = replace(found[0].settings.unlearning, epochs=SHORT[name])
    return [replace(micro.shrunk(each, unlearning=unlearning), steps=SHORT[name]) for each in found]


@pytest.fixture(scope="module")
def carried_out(runs: Path) -> dict[str, records.Result]:
    """The result of every experiment; all in one store, so common artifacts are made once."""
    return {name: micro.carry_out(small(name), runs) for name in EXPERIMENTS}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_runs_and_every_run_is_recorded(carried_out, name) -> None:
    """A run per order and method, measured every so many steps and at the end; θ_r of every order
    beside.
    """
    frame = carried_out[name].tables.records
    assert frame["value"].is_finite().all()
    assert len(carried_out[name].specs) == len(small(name))
    mixed = pl.col("order").str.contains("+", literal=True)
    for each in small(name):
        column = (
            pl.when(mixed).then(pl.lit("mixture")).otherwise(pl.lit(each.name))
            if name == "positions"
            else each.name
        )
        mine = frame.filter(
            (pl.col("experiment") == column) & ~pl.col("order").is_in(["staged", "mixture"])
        )
        unlearned = mine.filter(pl.col("position") > 0)
        expected = {
            (
                ">".join(order),
                method.name,
                orders.position_of(order, each.forget),
                ">".join(orders.retrained(order, each.forget)),
            )
            for order in each.orders
            for method in each.methods
        }
        assert set(unlearned.select("order", "method", "position", "reference").rows()) == expected
        assert unlearned["run"].n_unique() == len(expected)
        retrained = mine.filter(pl.col("method") == "retrained")
        assert set(retrained["order"]) == {
            ">".join(orders.retrained(order, each.forget)) for order in each.orders
        }
        every = each.settings.probes.every
        steps = sorted({*range(0, each.steps + 1, every), each.steps})
        for (method,), of_method in unlearned.filter(pl.col("metric") == "kl/forget").group_by(
            "method"
        ):
            assert sorted(set(of_method["step"])) == ([0, 1] if method in ONE_STEP else steps), (
                method
            )


DISTANCES = {f"{kind}/" for kind in ("re_distance", "log_distance", "logit_distance", "kl")}
LEVELS = {"label_loglik", "label_loglik_held_out", "forget_logp"}
ON_PHRASES = {
    "phrase_loglik",
    "mass/label",
    "mass/paraphrases",
    "mass/other",
    "tofu_loglik",
    "math_loglik",
}
ON_SUMS = {"math_accuracy", "math_accuracy_flexible", "math_cut"}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_has_its_metrics(carried_out, name) -> None:
    """Distances by part; sums where they were asked; whole answers in depth; no gradient where
    there was none.
    """
    frame = carried_out[name].tables.records.filter(
        (pl.col("position") > 0) & (pl.col("experiment") != "rates")
    )
    parts = ("C", "R", "forget") if name == "depth" else (*KEPT, "forget")
    expected = {f"{kind}{part}" for kind in DISTANCES for part in parts} | LEVELS
    expected |= {f"answer_loglik/{a}" for a in "CUR"} if name == "depth" else ON_PHRASES
    expected |= set() if name in ("orders", "depth", "oracle-local", "bases") else ON_SUMS
    for (method,), of_method in frame.group_by("method"):
        gradient = set() if method in ONE_STEP else {"grad_norm"}
        assert set(of_method["metric"]) == expected | gradient, method


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        (
            "positions",
            {("mixture", "staged"): ["inst>tofu>math"], ("mixture", "mixture"): ["inst+tofu+math"]},
        ),
        ("orders", {("orders", "staged"): sorted(map(">".join, itertools.permutations(KEPT)))}),
        ("depth", {("depth", "staged"): ["C>R", "R>C"]}),
        ("dose", {("dose", "staged"): ["inst>tofu>math"]}),
        ("wash-out", {}),
        ("oracle-local", {("oracle-local", "staged"): ["inst>tofu>math"]}),
        ("history", {("history", "staged"): ["inst>tofu>math"]}),
        *(
            (name, {(f"{name}/{value}", "staged"): ["inst>tofu>math"] for value in values})
            for name, values in (
                ("learning-rates", ("2e-05", "0.0001", "0.001")),
                ("schedules", ("wsd", "cosine", "constant")),
                ("optimizers", ("adamw", "normalized", "sgd")),
                ("seeds", ("1",)),
                ("bases", ("0", "1", "2")),
            )
        ),
    ],
)
def test_an_experiment_has_the_distances_between_its_paths(carried_out, name, groups) -> None:
    """By group of one retrained model, in probabilities and log-probabilities, at every measured
    step, above 0.
    """
    frame = carried_out[name].tables.records.filter(pl.col("order").is_in(["staged", "mixture"]))
    found = {
        key: sorted(set(of_group["reference"]))
        for key, of_group in frame.group_by("experiment", "order")
    }
    assert found == groups
    assert (frame["value"] > 0).all()
    assert frame.is_empty() or frame["metric"].n_unique() == 4
    assert not set(frame["method"]) & set(ONE_STEP)
    for each in small(name):
        column = "mixture" if name == "positions" else each.name
        steps = set(range(0, each.steps + 1, each.settings.probes.every)) | {each.steps}
        assert all(
            set(of["step"]) == steps for _, of in frame.filter(experiment=column).group_by("metric")
        )


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("dose", "dose"),
        ("schedules", "schedules/wsd"),
        ("optimizers", "optimizers/adamw"),
        ("seeds", "seeds/1"),
    ],
)
def test_what_asks_the_same_of_a_leaf_as_the_positions_is_their_run(
    carried_out, name, setting
) -> None:
    """The four paths under GA: the runs have the positions' names and values, another spec."""
    theirs, ours = (
        carried_out[family].tables.records.filter(
            (pl.col("experiment") == experiment) & (pl.col("method") == "GA")
            & pl.col("order").is_in([">".join(path) for path in PATHS])
        )
        for family, experiment in (("positions", "positions"), (name, setting))
    )  # fmt: skip
    assert theirs["run"].n_unique() == 4
    assert theirs.drop("spec", "experiment").equals(ours.drop("spec", "experiment"))
    assert theirs["spec"][0] != ours["spec"][0]


def test_the_other_settings_of_a_sweep_are_other_runs(carried_out) -> None:
    """Of three settings one is the positions': the learning rates have none."""
    positions = set(carried_out["positions"].tables.records["run"])
    for name, others in (("learning-rates", 3), ("schedules", 2), ("optimizers", 2)):
        frame = carried_out[name].tables.records.filter(
            pl.col("order").is_in([">".join(path) for path in PATHS])
        )
        mine = set(frame["run"])
        assert len(mine) == 12 and len(mine - positions) == 4 * others, name


def test_an_experiments_timings_name_every_training_once(carried_out) -> None:
    """The 24 orders: the base, 64 nodes and 24 runs, and what was made by another experiment is
    there, too.
    """
    timings = [what for what, _ in carried_out["orders"].timings]
    assert len(timings) == len(set(timings)) == 1 + 64 + 24


def test_mixtures_are_recorded_as_their_own_experiment(carried_out) -> None:
    """Four shuffles at positions 1 to 4, and the retrained mixture; staged paths stay as is."""
    frame = carried_out["positions"].tables.records
    mine = frame.filter(
        (pl.col("experiment") == "mixture") & ~pl.col("order").is_in(["staged", "mixture"])
    )
    runs = mine.select("order", "position", "method", "reference").unique()
    assert set(runs.rows()) == {
        *((f"{MIXED}#{shuffle}", shuffle, "GA", "inst+tofu+math") for shuffle in (1, 2, 3, 4)),
        ("inst+tofu+math", 0, "retrained", "inst+tofu+math"),
    }
    assert (
        not frame.filter(pl.col("experiment") == "positions")["order"]
        .str.contains("+", literal=True)
        .any()
    )
