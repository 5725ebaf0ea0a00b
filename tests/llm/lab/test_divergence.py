"""What paths tell together, against direct computations in float64 from what their runs have
stored.
"""

import copy
import itertools
from dataclasses import replace
from typing import NamedTuple

import micro
import numpy as np
import polars as pl
import pytest
import torch
from safetensors.numpy import load_file

from llm import models
from llm.config import experiments
from llm.config.methods import METHODS
from llm.config.options import Options
from llm.data.chat import Row
from llm.lab import divergence, runs
from llm.lab.lab import Lab
from llm.lab.start import Start
from llm.models import Architecture
from llm.models.adapters import Adaptation, attach, effective_weights, merged, save
from llm.training import trainer
from llm.training.recipe import Recipe
from protocol import orders
from protocol.records import order_name

RETRAINED = ("inst", "tofu", "math")
PATHS = orders.positions(RETRAINED, "safety")
PAIRS = list(itertools.combinations(range(4), 2))


class Told(NamedTuple):
    """Records of the paths of one lab together, and the stored outputs under GA, by path."""

    lab: Lab
    records: pl.DataFrame
    outputs: list[dict[str, np.ndarray]]  # step points, (points, positions, V) by part
    weights: list[np.ndarray]  # (points, d)


def tell(lab: Lab) -> Told:
    experiment = replace(lab.experiment, methods=(METHODS["GA"], METHODS["rewind"]))
    lab = micro.with_probes(replace(lab, experiment=experiment), parameters=True)
    records = divergence.together(lab).records
    folders = [runs.run_folder(Start(lab, order), METHODS["GA"]) for order in PATHS]
    outputs, weights = (
        [load_file(folder / f"{name}.safetensors") for folder in folders]
        for name in ("outputs", "parameters")
    )
    return Told(lab, records, outputs, [each["all"].astype(np.float64) for each in weights])


@pytest.fixture(scope="module")
def told(lab: Lab) -> Told:
    return tell(lab)


@pytest.fixture(scope="module")
def adapted(lab: Lab) -> Told:
    return tell(micro.with_settings(lab, adaptation=Adaptation("lora", rank=4)))


def recorded(told: Told, metric: str, order: str) -> list[float]:
    """The recorded values of a metric by step."""
    frame = told.records.filter((pl.col("metric") == metric) & (pl.col("order") == order)).sort(
        "step"
    )
    assert frame["step"].to_list() == list(range(frame.height))
    return frame["value"].to_list()


def apart(told: Told, a: int, b: int) -> np.ndarray:
    """e_t: the difference of two paths' centred logits on the retained prompts, (points, positions,
    V).
    """
    logits = [told.outputs[i]["test"].astype(np.float64) for i in (a, b)]
    first, second = (each - each.mean(axis=-1, keepdims=True) for each in logits)
    return first - second


def name_of(a: int, b: int) -> str:
    return f"{order_name(PATHS[a])}|{order_name(PATHS[b])}"


def test_what_is_told_has_its_names_and_no_more(told: Told) -> None:
    """Six pairs and all paths under "rates"; under "mixture" the staged paths; rewind, a single
    step, is not told.
    """
    frame = told.records
    assert set(frame["method"]) == {"GA"}
    assert set(frame["reference"]) == {"inst>tofu>math"}
    secant, staged = (frame.filter(pl.col("experiment") == name) for name in ("rates", "mixture"))
    assert secant.height + staged.height == frame.height
    assert dict(secant.select("order", "position").unique().rows()) == {
        **{name_of(a, b): a + 1 for a, b in PAIRS},
        "all paths": 0,
    }
    assert set(staged.select("order", "position").rows()) == {("staged", 0)}
    assert set(staged["metric"]) == {
        "path_distance/test",
        "path_distance/forget",
        "path_log_distance/test",
        "path_log_distance/forget",
    }


@pytest.mark.parametrize("part", ["test", "forget"])
def test_path_distances_are_means_over_pairs_and_positions(told: Told, part) -> None:
    """(1/6) Σ_{p<q} (1/m) Σ_i ‖u_p,i − u_q,i‖² in probabilities and in log-probabilities, at every
    step.
    """
    logits = [each[part].astype(np.float64) for each in told.outputs]
    log_p = [z - np.log(np.exp(z).sum(axis=-1, keepdims=True)) for z in logits]
    for metric, of in (("path_distance", np.exp), ("path_log_distance", lambda x: x)):
        squares = [
            ((of(log_p[a]) - of(log_p[b])) ** 2).sum(axis=-1).mean(axis=-1) for a, b in PAIRS
        ]
        expected = np.mean(squares, axis=0)
        assert expected.shape == (4,) and expected.min() > 0
        assert recorded(told, f"{metric}/{part}", "staged") == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_rates_of_outputs(told: Told, a, b) -> None:
    """r_t = ⟨e_t, e_{t+1} − e_t⟩/‖e_t‖² and log(‖e_t‖²/m)."""
    error = apart(told, a, b)
    rate = [(e * (after - e)).sum() / (e * e).sum() for e, after in itertools.pairwise(error)]
    divergence = [np.log((e * e).sum() / len(e)) for e in error]
    assert recorded(told, "output_rate", name_of(a, b)) == pytest.approx(rate, rel=1e-6, abs=1e-12)
    assert recorded(told, "log_divergence", name_of(a, b)) == pytest.approx(divergence, rel=1e-9)
    assert max(map(abs, rate)) > 1e-4


def test_all_paths_together(told: Told) -> None:
    """½ max_{p<q} √d(u_p, u_q), and max_p √d(u_p, θ_r) with θ_r's own predictions from its run."""
    logits = [each["test"].astype(np.float64) for each in told.outputs]
    retrained = load_file(runs.retrained_folder(told.lab, RETRAINED) / "outputs.safetensors")[
        "test"
    ][0].astype(float)
    centred = [each - each.mean(axis=-1, keepdims=True) for each in (*logits, retrained)]
    distance = [
        np.sqrt(((each - centred[-1]) ** 2).sum(axis=-1).mean(axis=-1)) for each in centred[:4]
    ]
    widest = [np.sqrt((apart(told, a, b) ** 2).sum(axis=-1).mean(axis=-1)) for a, b in PAIRS]
    assert recorded(told, "half_diameter", "all paths") == pytest.approx(
        np.max(widest, axis=0) / 2, rel=1e-9
    )
    assert recorded(told, "retrained_distance", "all paths") == pytest.approx(
        np.max(distance, axis=0), rel=1e-9
    )


@pytest.mark.parametrize("kind", ["told", "adapted"])
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_rates_of_parameters_and_their_identity(kind, a, b, request) -> None:
    """ρ_t = ⟨Δ_t, u_a − u_b⟩/‖Δ_t‖² with u the updates, and ‖Δ_{t+1}‖² = ‖Δ_t‖²(1 + 2ρ_t) + ‖u_a −
    u_b‖².
    """
    told: Told = request.getfixturevalue(kind)
    rate = recorded(told, "secant_rate", name_of(a, b))
    delta = told.weights[a] - told.weights[b]
    update = np.diff(told.weights[a], axis=0) - np.diff(told.weights[b], axis=0)
    assert rate == pytest.approx(
        [d @ u / (d @ d) for d, u in zip(delta, update, strict=False)], rel=1e-6, abs=1e-12
    )
    for t in range(3):
        promised = (delta[t] @ delta[t]) * (1 + 2 * rate[t]) + update[t] @ update[t]
        assert delta[t + 1] @ delta[t + 1] == pytest.approx(promised, rel=1e-10)
    assert max(map(abs, rate)) > 1e-5


def test_stored_weights_are_those_of_every_step(adapted: Told) -> None:
    """At step 0 the merged leaf's; then the adapter's product moves them, and only in the layers it
    is on.
    """
    for order, weights in zip(PATHS, adapted.weights, strict=True):
        start = adapted.lab.model(order)
        assert np.array_equal(
            weights[0], torch.cat([p.detach().flatten() for p in start.parameters()]).double()
        )
        projections = torch.cat(
            [torch.full((p.numel(),), "_proj" in name) for name, p in start.named_parameters()]
        )
        moved = (weights[1:] != weights[0]).any(axis=0)
        assert not moved[~projections.numpy()].any()
        assert moved[projections.numpy()].mean() > 0.9


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
@pytest.mark.parametrize(
    "targets", [("q_proj", "down_proj"), ("k_proj", "v_proj", "o_proj", "gate_proj", "up_proj")]
)
def test_effective_weights_are_those_of_the_merged_model(family, tied, targets, tmp_path) -> None:
    """W + (α/r)·B·A where the adapter is, everything else (biases, embeddings, head) as it is, in
    the merged order.
    """
    base = models.build(Architecture(family, 16, 2, 2, 1, 32, vocabulary=40, tied=tied), seed=0)
    model = copy.deepcopy(base)
    handle = attach(model, Adaptation("lora", rank=2, alpha=6, targets=targets), seed=(1,))
    rows = [Row((5, 6, i), (7 + i, 4)) for i in range(4)]
    trainer.train(model, rows, Recipe(1e-2, epochs=3, batch=2), seed=(0,))
    save(handle, tmp_path)
    whole = merged(copy.deepcopy(base), tmp_path)
    expected = torch.cat([parameter.detach().flatten() for parameter in whole.parameters()])
    torch.testing.assert_close(effective_weights(model), expected, rtol=1e-6, atol=1e-7)
    before = torch.cat([parameter.detach().flatten() for parameter in base.parameters()])
    assert float((expected - before).abs().max()) > 1e-2
    assert torch.equal(effective_weights(base), before)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("orders", [4] * 6), ("depth", [3, 3]), ("positions", [4]), ("dose", [11]), ("wash-out", [])],
)
def test_only_orders_of_one_retrained_model_are_held_against_each_other(name, sizes) -> None:
    """24 orders in 6 groups of 4, six in 2 of 3; doses of one stage together; washed out, each has
    a θ_r of its own.
    """
    (experiment,) = experiments.EXPERIMENTS[name]("tiny-llama", Options(seeds=1))
    found = divergence.groups(experiment)
    assert [len(members) for members in found.values()] == sizes
    for (reference, kind), members in found.items():
        assert {orders.retrained(order, experiment.forget) for order in members} == {reference}
        assert kind == "staged"
        assert len(set(members)) == len(members)


def test_shuffles_of_a_mixture_are_a_group_of_their_own() -> None:
    (experiment,) = experiments.positions("tiny-llama", Options(seeds=1, include_mixture=True))
    assert list(divergence.groups(experiment)) == [
        (RETRAINED, "staged"),
        (("inst+tofu+math",), "mixture"),
    ]


def test_shuffles_of_a_mixture_of_two_stages_are_a_group_of_their_own() -> None:
    options = Options(seeds=1, include_mixture=True, stages=("inst", "safety"))
    (experiment,) = experiments.positions("tiny-llama", options)
    assert [len(members) for members in divergence.groups(experiment).values()] == [2, 2]


def test_rates_need_every_step(lab: Lab) -> None:
    """Measured at steps 0, 2 and 3: distances stand there, and there are no rates."""
    experiment = replace(lab.experiment, methods=(METHODS["GA"],))
    sparse = micro.with_probes(replace(lab, experiment=experiment), every=2)
    frame = divergence.together(sparse).records
    assert set(frame["experiment"]) == {"mixture"}
    assert sorted(set(frame["step"])) == [0, 2, 3]


def test_the_orders_of_another_experiment_are_told_under_its_name(lab: Lab) -> None:
    """Distances only; the order says that stages were trained one after another."""
    experiment = replace(lab.experiment, name="dose", methods=(METHODS["GA"],))
    frame = divergence.together(replace(lab, experiment=experiment)).records
    assert set(frame.select("experiment", "order").rows()) == {("dose", "staged")}
