"""The experiment end to end at micro size: shared nodes, complete records, equality to the bit,
kill and resume.
"""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import micro
import polars as pl
import pytest
import torch

from llm.config.settings import Files
from llm.lab import run as lab_run
from llm.lab.lab import Lab
from llm.models.adapters import Adaptation
from llm.training.recipe import batches
from protocol import orders, records
from protocol.errors import InputError


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, records.Result]:
    runs = tmp_path_factory.mktemp("finished")
    return runs, micro.carry_out([micro.experiment()], runs)


def artifacts(runs: Path) -> dict[str, float]:
    """Finished artifacts and when they were finished."""
    return {
        p.name: p.stat().st_mtime
        for p in (runs / "artifacts").iterdir()
        if not p.name.startswith(".")
    }


def unlearning(result: records.Result) -> pl.DataFrame:
    """Records of unlearning runs."""
    return result.tables.records.filter(
        (pl.col("experiment") == "positions") & (pl.col("position") > 0)
    )


def test_four_orders_are_13_trainings_and_the_retrained_model_is_one(lab: Lab) -> None:
    experiment = lab.experiment
    keys = {lab.key(node) for node in orders.prefix_tree(experiment.orders)}
    assert len(keys) == 13
    assert lab.key(orders.retrained(experiment.orders[0], "safety")) in keys


def test_a_stages_rows_come_in_an_order_of_its_own_or_of_the_running_epoch(lab: Lab) -> None:
    """`shuffle` is what batches derive from: the stage's name wherever it stands, or the epochs
    before it (here 0, 1, 2, as in the authors' code). An order that begins alike is the same
    training either way.
    """
    epochs = micro.with_settings(lab, shuffle="epoch")
    places = [("math",), ("inst", "math"), ("inst", "tofu", "math")]
    plans = []
    for each in (lab, epochs):
        seeds = [each.node(order).spec["seed"] for order in places]
        plans.append([torch.cat(batches(24, micro.TRAINING, seed=seed)).tolist() for seed in seeds])
    by_name, by_epoch = plans
    assert by_name[0] == by_name[1] == by_name[2]
    assert len({tuple(plan) for plan in by_epoch}) == 3
    assert lab.key(("inst", "math")) != epochs.key(("inst", "math"))
    others = [
        epochs.node(order).spec["seed"]
        for order in (("inst",), ("tofu",), ("inst", "safety", "math"))
    ]
    assert others == [(0, "epoch 0"), (0, "epoch 0"), (0, "epoch 2")]


def test_every_artifact_is_made_once_and_no_other(finished) -> None:
    """A base and its check; by seed 13 nodes, 4 paths × 4 methods and θ_r; the noise floor between
    the two seeds.
    """
    assert len(artifacts(finished[0])) == 2 + 2 * (13 + 16 + 1) + 1


def test_every_run_has_all_steps_and_metrics(finished) -> None:
    frame = unlearning(finished[1])
    assert frame["run"].n_unique() == 2 * 4 * 4  # seeds, paths, methods
    steps = frame.group_by("run", "metric").agg(pl.col("step").sort())
    others_at = {
        "grad_norm": [0, 1, 2],
        "forget_logp": [0],
        "math_accuracy": [0, 3],
        "math_accuracy_flexible": [0, 3],
        "math_cut": [0, 3],
    }
    for run_metric in steps.iter_rows(named=True):
        assert run_metric["step"] == others_at.get(run_metric["metric"], [0, 1, 2, 3]), run_metric
    parts = [
        f"{kind}/{part}"
        for kind in ("re_distance", "log_distance", "logit_distance", "kl")
        for part in ("forget", "inst", "tofu", "math")
    ]
    single = ["tofu_loglik", "math_loglik", "math_accuracy", "math_accuracy_flexible", "math_cut"]
    others = ["label_loglik", "label_loglik_held_out", "phrase_loglik", "grad_norm", "forget_logp"]
    masses = ["mass/label", "mass/paraphrases", "mass/other"]
    assert set(frame["metric"]) == {*parts, *single, *others, *masses}
    everything = finished[1].tables.records
    assert everything["value"].is_finite().all()
    floor = everything.filter(
        (pl.col("method") == "floor") & (pl.col("metric") == "re_distance/forget")
    )
    assert (floor.height, (floor["value"] > 0).all()) == (1, True)


def test_step_0_is_the_same_for_all_methods_and_ga_and_npo_start_alike(finished) -> None:
    frame = unlearning(finished[1]).filter(pl.col("step") == 0)
    levels = (
        frame.filter(pl.col("metric") != "grad_norm")
        .group_by("seed", "position", "metric")
        .agg(pl.col("value").n_unique())
    )
    assert (levels["value"] == 1).all()
    norms = frame.filter(pl.col("metric") == "grad_norm").pivot(
        "method", index=["seed", "position"], values="value"
    )
    assert norms["GA"].to_list() == pytest.approx(norms["NPO"].to_list(), rel=1e-5)


def test_the_retrained_model_has_no_distance_to_itself(finished) -> None:
    frame = finished[1].tables.records
    own = frame.filter(
        (pl.col("method") == "retrained") & pl.col("metric").str.starts_with("re_distance/")
    )
    assert own.height == 2 * 4
    assert own["value"].to_list() == [0.0] * 8


def test_a_second_run_computes_nothing(finished) -> None:
    runs, result = finished
    before = artifacts(runs)
    again = micro.carry_out([micro.experiment()], runs)
    assert artifacts(runs) == before
    assert again.tables.records.equals(result.tables.records)
    assert again.specs == result.specs


def test_killed_in_the_middle_and_started_again_in_two_processes(finished, tmp_path) -> None:
    """SIGKILL once some artifacts are finished: they are not made again, and the records equal, to
    the bit, those of an unbroken run in another folder and in one process.
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(micro.__file__).parent)}
    process = subprocess.Popen(
        [sys.executable, micro.__file__, str(tmp_path)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (tmp_path / "artifacts").is_dir() and len(artifacts(tmp_path)) >= 8:
            break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)  # the parent alone: its workers must end by themselves
    process.wait()
    kept = artifacts(tmp_path)
    assert 8 <= len(kept) < len(artifacts(finished[0])), "killed in the middle"
    resumed = micro.run(tmp_path)
    after = artifacts(tmp_path)
    assert {key: after[key] for key in kept} == kept, "finished stages were not trained again"
    assert after.keys() == artifacts(finished[0]).keys()
    assert resumed.tables.records.equals(finished[1].tables.records)
    assert resumed.tables.examples.equals(finished[1].tables.examples)


def test_more_seeds_reuse_what_fewer_seeds_made(finished) -> None:
    runs, result = finished
    before = artifacts(runs)
    fewer = micro.carry_out([micro.experiment(seeds=1)], runs)
    assert artifacts(runs) == before
    assert set(unlearning(fewer)["run"]) < set(unlearning(result)["run"])


def test_no_models_no_workers(tmp_path) -> None:
    with pytest.raises(InputError, match="models: expected at least one model; got none"):
        lab_run.run([], tmp_path, workers=1)
    with pytest.raises(InputError, match="workers: expected at least 1; got 0"):
        lab_run.run([micro.experiment()], tmp_path, workers=0)


def test_sums_without_a_final_number_are_found_before_anything_is_trained(tmp_path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"prompt": "Q{n}", "response": "A"}}\n' for n in range(32)))
    chosen = micro.experiment(seeds=1)
    stages = {
        **chosen.settings.stages,
        "math": replace(chosen.settings.stages["math"], files=Files((str(path),))),
    }
    wrong = replace(chosen, settings=replace(chosen.settings, stages=stages))
    with pytest.raises(
        InputError,
        match=r'math: expected .* last line "#### NUMBER", or --probes.sums 0; got .* 7 more',
    ):
        lab_run.run([wrong], tmp_path / "runs")
    few = replace(stages["math"], train=30)
    with pytest.raises(
        InputError, match=r"math: expected 30 training rows; .*rows.jsonl has 24: ask for fewer"
    ):
        lab_run.run(
            [replace(chosen, settings=replace(chosen.settings, stages={**stages, "math": few}))],
            tmp_path / "runs",
        )


def test_results_depend_neither_on_the_number_of_workers_nor_on_what_a_worker_did_before(
    tmp_path,
) -> None:
    """Adapters with dropout, sampled answers: all in this process in turn, and in whichever of two
    workers is free.
    """
    how = Adaptation("lora", rank=4, alpha=8, dropout=0.3)
    chosen = micro.experiment(seeds=1, adaptation=how)
    chosen = replace(chosen, methods=chosen.methods[:2])
    alone = micro.carry_out([chosen], tmp_path / "alone")
    torch.rand(7)  # what ran before
    together = lab_run.run([chosen], tmp_path / "together", workers=2)
    assert "math_accuracy" in alone.tables.records["metric"].to_list()
    assert alone.tables.records.equals(together.tables.records)
    assert alone.tables.examples.equals(together.tables.examples)
