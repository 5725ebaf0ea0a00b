"""Recorder: every value comes out under the run, step and example it was added for."""

import numpy as np
import pytest

from protocol.errors import InputError
from protocol.recorder import Recorder, pair_name
from protocol.spec import canonical, digest

ORDERS = (("U", "a"), ("a", "U"))
SETTINGS = {"steps": 2}


def recorder(**names):
    return Recorder("span", "linear", SETTINGS, reference=("a",), **names)


def test_a_run_says_where_it_comes_from():
    """Its identifier is the hash of the specification and of the key: method, seed and order."""
    recorded = recorder()
    spec = digest(["span", canonical(SETTINGS)])
    run = recorded.run(order=ORDERS[1], position=2, method="GA", seed=3)
    assert (run.spec, run.experiment, run.world, run.model) == (spec, "span", "linear", "linear")
    assert (run.order, run.position, run.reference) == ("a>U", 2, "a")
    assert (run.method, run.seed, run.run) == ("GA", 3, digest([spec, "GA", 3, ORDERS[1]]))
    other = recorder(spec="s", model="mlp").run(
        order=pair_name(*ORDERS), method="GA", reference="A", key=("x", 1)
    )
    assert (other.order, other.reference, other.model) == ("U>a|a>U", "A", "mlp")
    assert (other.run, other.seed, other.position) == (digest(["s", "x", 1]), 0, 0)


def test_paths_are_numbered_within_each_seed():
    runs = recorder().paths(ORDERS, method="GA", seeds=(5, 7))
    rows = [(run.seed, run.position, run.order) for run in runs]
    assert rows == [(5, 1, "U>a"), (5, 2, "a>U"), (7, 1, "U>a"), (7, 2, "a>U")]


def test_curves_are_read_by_seed_path_and_step():
    recorded = recorder()
    runs = recorded.paths(ORDERS, method="GA", seeds=(5, 7))
    recorded.curves(runs, {"loss": np.arange(12.0).reshape(2, 2, 3)})  # seeds, paths, points
    recorded.curves(runs, {"late": np.arange(8).reshape(4, 2)}, steps=(10, 20))
    recorded.curves(runs, {"best": [0.1, 0.2, 0.3, 0.4]}, steps=np.array([[4], [5], [6], [7]]))
    recorded.curves(runs[0], {"rank": 3, "spans": True})
    records = recorded.tables().records
    found = {
        (row["seed"], row["position"], row["metric"], row["step"]): row["value"]
        for row in records.iter_rows(named=True)
    }
    assert len(found) == records.height == 12 + 8 + 4 + 2
    assert found[7, 1, "loss", 2] == 8.0  # third run, third point
    assert (found[5, 2, "late", 10], found[5, 2, "late", 20]) == (2.0, 3.0)
    assert (found[7, 2, "best", 7], found[5, 1, "best", 4]) == (0.4, 0.1)
    assert (found[5, 1, "rank", 0], found[5, 1, "spans", 0]) == (3.0, 1.0)


def test_examples_are_read_by_run_example_and_point():
    recorded = recorder()
    runs = recorded.paths(ORDERS, method="GA", seeds=(5,))
    values = np.arange(12.0).reshape(2, 3, 2)  # runs, examples, points
    recorded.examples(runs, {"acc": values}, steps=(0, 9), numbers=(4, 6, 8))
    recorded.examples(runs[1], {"slope": np.array([[0.5, 0.25]])})
    examples = recorded.tables().examples
    found = {
        (row["position"], row["metric"], row["example"], row["step"]): row["value"]
        for row in examples.iter_rows(named=True)
    }
    assert len(found) == examples.height == 12 + 2
    assert (found[1, "acc", 4, 9], found[2, "acc", 8, 0]) == (1.0, 10.0)
    assert (found[2, "slope", 0, 0], found[2, "slope", 1, 0]) == (0.5, 0.25)


def test_a_result_has_its_configuration_and_the_time_since_the_start():
    recorded = recorder()
    recorded.curves(recorded.run(order="all", method="GA"), {"loss": [1.0]})
    result = recorded.result("theory: span")
    assert result.specs == result.tables.specs == {recorded.spec: canonical(SETTINGS)}
    ((what, seconds),) = result.timings
    assert what == "theory: span"
    assert 0 <= seconds < 60
    assert recorded.result().timings == ()


def test_runs_with_unequally_many_values_are_refused():
    recorded = recorder()
    runs = recorded.paths(ORDERS, method="GA", seeds=(5,))
    message = r"loss: expected as many values for each of 2 runs; got an array of shape \(3,\)"
    with pytest.raises(InputError, match=message):
        recorded.curves(runs, {"loss": np.zeros(3)})
    with pytest.raises(InputError, match="expected as many values for each of 0 runs"):
        recorded.examples([], {"loss": np.zeros((1, 3))})
