"""The experiment end to end at micro size: shared nodes, complete records, equality to the bit, kill and resume."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import micro
import polars as pl
import pytest

from llm import laboratory, nodes
from llm.stages import Lab
from protocol import orders, records
from protocol.errors import InputError


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, records.Result]:
    runs = tmp_path_factory.mktemp("finished")
    return runs, micro.run(runs)


def artifacts(runs: Path) -> dict[str, float]:
    """Finished artifacts and when they were finished."""
    return {p.name: p.stat().st_mtime for p in (runs / "artifacts").iterdir() if not p.name.startswith(".")}


def test_four_orders_are_13_trainings_and_the_retrained_model_is_one(lab: Lab) -> None:
    experiment = lab.experiment
    keys = {nodes.node_key(lab, node) for node in orders.prefix_tree(experiment.orders)}
    assert len(keys) == 13
    assert nodes.node_key(lab, orders.retrained(experiment.orders[0], "safety")) in keys


def test_every_run_has_all_steps_and_metrics(finished) -> None:
    frame = finished[1].tables.records
    unlearning = frame.filter((pl.col("experiment") == "positions") & (pl.col("position") > 0))
    assert unlearning["run"].n_unique() == 2 * 4 * 4  # seeds, paths, methods
    steps = unlearning.group_by("run", "metric").agg(pl.col("step").sort())
    for run_metric in steps.iter_rows(named=True):
        expected = {"grad_norm": [0, 1, 2], "math_accuracy": [0, 3], "forget_logp": [0]}.get(
            run_metric["metric"], [0, 1, 2, 3]
        )
        assert run_metric["step"] == expected, run_metric
    parts = [f"{kind}/{part}" for kind in ("re_distance", "logit_distance", "kl")
             for part in ("forget", "inst", "tofu", "math")]  # fmt: skip
    assert {*parts, "label_loglik", "phrase_loglik", "tofu_loglik", "math_accuracy", "grad_norm"} <= set(
        unlearning["metric"]
    )
    assert frame["value"].is_finite().all()
    floor = frame.filter((pl.col("method") == "floor") & (pl.col("metric") == "re_distance/forget"))
    assert (floor.height, (floor["value"] > 0).all()) == (1, True)


def test_step_0_is_the_same_for_all_methods_and_ga_and_npo_start_alike(finished) -> None:
    frame = finished[1].tables.records.filter((pl.col("position") > 0) & (pl.col("step") == 0))
    levels = frame.filter(pl.col("metric") != "grad_norm").group_by("seed", "position", "metric").agg(
        pl.col("value").n_unique()
    )  # fmt: skip
    assert (levels["value"] == 1).all()
    norms = frame.filter(pl.col("metric") == "grad_norm").pivot("method", index=["seed", "position"], values="value")
    assert norms["GA"].to_list() == pytest.approx(norms["NPO"].to_list(), rel=1e-5)


def test_the_retrained_model_has_no_distance_to_itself(finished) -> None:
    frame = finished[1].tables.records
    own = frame.filter((pl.col("method") == "retrained") & pl.col("metric").str.starts_with("re_distance/"))
    assert own.height == 2 * 4
    assert own["value"].to_list() == [0.0] * 8


def test_another_folder_and_another_number_of_workers_give_the_same_bits(finished, tmp_path) -> None:
    again = micro.run(tmp_path, workers=1)
    assert again.tables.records.equals(finished[1].tables.records)
    assert again.tables.examples.equals(finished[1].tables.examples)
    assert again.specs == finished[1].specs


def test_a_second_run_computes_nothing(finished) -> None:
    runs, result = finished
    before = artifacts(runs)
    again = micro.run(runs)
    assert artifacts(runs) == before
    assert again.tables.records.equals(result.tables.records)


def test_killed_in_the_middle_and_started_again(finished, tmp_path) -> None:
    """SIGKILL once some artifacts are finished: they are not made again, and the records equal an unbroken run's."""
    environment = {**os.environ, "PYTHONPATH": str(Path(micro.__file__).parent)}
    process = subprocess.Popen(
        [sys.executable, micro.__file__, str(tmp_path)], env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
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
    assert resumed.tables.records.equals(finished[1].tables.records)
    assert resumed.tables.examples.equals(finished[1].tables.examples)


def test_more_seeds_reuse_what_fewer_seeds_made(finished) -> None:
    runs, result = finished
    before = artifacts(runs)
    fewer = micro.run(runs, seeds=1)
    assert artifacts(runs) == before
    assert set(fewer.tables.records["run"]) < set(result.tables.records["run"])


def test_another_forget_stage_and_fewer_stages_can_be_chosen() -> None:
    experiment = settings.positions_experiment("tiny-qwen2", stages=("math", "inst"), forget="inst", seeds=1)
    assert experiment.orders == (("inst", "math"), ("math", "inst"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "gpt-5"}, "model: expected one of tiny-llama, tiny-qwen2, llama.* a hub id OWNER/NAME; got 'gpt-5'"),
        ({"methods": ("DPO",)}, "methods: expected one of GA, NPO, SimNPO, SimNPO-beta1; got 'DPO'"),
        ({"stages": ("inst", "poems")}, "stages: expected one of inst, tofu, math, safety; got 'poems'"),
        ({"stages": ("inst", "math")}, "forget: expected one of inst, math; got 'safety'"),
        ({"seeds": 0}, "seeds: expected at least 1; got 0"),
        ({"methods": ()}, "methods: expected at least one unlearning method; got none"),
    ],
)
def test_bad_input_is_named(arguments, message) -> None:
    with pytest.raises(InputError, match=message):
        settings.positions_experiment(**{"model": "tiny-llama", "seeds": 1, **arguments})


def test_no_models_no_workers(tmp_path) -> None:
    with pytest.raises(InputError, match="models: expected at least one model; got none"):
        laboratory.run([], tmp_path, workers=1, progress=lambda *_: None)
    with pytest.raises(InputError, match="workers: expected at least 1; got 0"):
        laboratory.run([micro.experiment()], tmp_path, workers=0, progress=lambda *_: None)
