"""Unlearning by method: what history gives back, what a reference teaches, what retained rows and
doses are.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import micro
import pytest
import torch

from llm.config.methods import METHODS
from llm.config.options import Options, base_experiment
from llm.data import chat
from llm.lab import runs
from llm.lab.lab import Lab
from llm.lab.start import Start
from llm.models.adapters import Adaptation, effective_weights
from llm.training import logprobs, trainer, unlearning
from llm.training.recipe import Recipe, batches
from llm.training.trainer import Objective
from llm.training.unlearning import (
    UNLEARNERS,
    Step,
    Unlearner,
    add,
    check,
    distillation_score,
    unlearned,
)
from protocol import orders
from protocol.errors import InputError
from protocol.spec import REFERENCE_METHODS, Method

RETRAINED = ("inst", "tofu", "math")
FIRST, *_, LAST = orders.positions(RETRAINED, "safety")
MIXTURE = "inst+tofu+math+safety"


@pytest.fixture(scope="module", params=["full", "lora"])
def kind(request, lab: Lab) -> Lab:
    """The lab with all weights trained, and with an adapter."""
    return micro.with_settings(lab, adaptation=Adaptation(request.param, rank=4))


def steps(start: Start, method: Method) -> list[torch.Tensor]:
    """All weights after every step."""
    return [effective_weights(model) for _, model in unlearned(start, method)]


def test_negation_is_the_retrained_model_where_u_came_last_and_only_there(kind: Lab) -> None:
    """θ − (θ − φ) = φ up to one rounding of float32, |θ|·2⁻²³; where U came first, math, inst and
    tofu learned on.
    """
    retrained = effective_weights(kind.model(RETRAINED))
    for order, equal in ((LAST, True), (FIRST, False)):
        start = effective_weights(kind.model(order))
        ((_, model),) = unlearned(Start(kind, order), METHODS["negation"])
        back = effective_weights(model)
        assert float((start - retrained).abs().max()) > 1e-3
        assert (
            bool(((back - retrained).abs() <= 2**-22 * start.abs().clamp(min=2**-3)).all()) == equal
        )


@pytest.mark.parametrize("order", orders.positions(RETRAINED, "safety"))
def test_negation_takes_back_what_u_changed_and_nothing_else(lab: Lab, order) -> None:
    """In one step, without a gradient: θ − (T_U φ − φ), φ trained up to U, whatever came after."""
    at = order.index("safety")
    whole, after, before = (effective_weights(lab.model(order[:end])) for end in (4, at + 1, at))
    ((norm, model),) = unlearned(Start(lab, order), METHODS["negation"])
    assert norm is None
    torch.testing.assert_close(
        effective_weights(model), whole - (after - before), rtol=0, atol=1e-7
    )
    assert float((after - before).abs().max()) > 1e-3


@pytest.mark.parametrize("shuffle", [1, 2])
def test_negation_of_a_mixture_is_one_line(lab: Lab, shuffle) -> None:
    name = f"{MIXTURE}#{shuffle}"
    with pytest.raises(InputError) as raised:
        check(Start(lab, (name,)), METHODS["negation"])
    assert str(raised.value) == (
        "order: expected safety as a stage of its own, as the method takes the model before "
        f"safety; got {name}"
    )


@pytest.mark.parametrize("order", orders.positions(RETRAINED, "safety"))
def test_rewind_is_the_retrained_model(lab: Lab, order) -> None:
    """Distance exactly 0 at step 1, in every part and measure, and not before."""
    measured = runs.run(Start(lab, order), METHODS["rewind"])
    apart = {
        step: [
            value
            for at, name, value in measured.values
            if at == step and name.split("/")[0] in DISTANCES
        ]
        for step in (0, 1)
    }
    assert len(apart[0]) == len(apart[1]) == 16
    assert min(apart[0]) > 0
    assert apart[1] == [0.0] * 16
    assert max(step for step, *_ in measured.values) == 1
    assert "grad_norm" not in {name for _, name, _ in measured.values}


DISTANCES = ("re_distance", "log_distance", "logit_distance", "kl")


@torch.no_grad()
def sharp(model):
    """The model with matrices four times as large: far from all others, almost uniform ones."""
    for parameter in model.parameters():
        parameter.mul_(4 if parameter.ndim > 1 else 1)
    return model


def batch_of(start: Start) -> logprobs.Batch:
    return logprobs.collate(start.rows[:6], pad=0)


def test_distillation_is_the_divergence_from_the_retrained_model(lab: Lab) -> None:
    """−Σ_t Σ_v π_r(v) (log π_r(v) − log π(v)) over the answer's tokens, each row by itself and from
    plain logits.
    """
    start, model, reference = Start(lab, LAST), sharp(lab.model(LAST)), lab.leaf(RETRAINED)
    expected = []
    for row in start.rows[:6]:
        tokens, first = torch.tensor([row.prompt + row.answer]), len(row.prompt) - 1
        with torch.no_grad():
            log_p, log_q = (
                m(tokens).logits[0, first:-1].double().log_softmax(-1) for m in (model, reference)
            )
        expected.append(-float((log_q.exp() * (log_q - log_p)).sum()))
    assert distillation_score(reference)(model, batch_of(start)).tolist() == pytest.approx(
        expected, rel=1e-4
    )
    assert max(expected) < -1


def test_distillation_has_nothing_to_teach_the_retrained_model(lab: Lab) -> None:
    """Score 0 and gradient 0, up to rounding, at θ_r; far from it elsewhere."""
    start, reference = Start(lab, LAST), lab.leaf(RETRAINED)
    sizes = {}
    for name, model in (("same", lab.leaf(RETRAINED)), ("other", sharp(lab.leaf(LAST)))):
        score = distillation_score(reference)(model, batch_of(start))
        score.sum().backward()
        sizes[name] = (float(score.detach().abs().max()), trainer.gradient_norm(model))
    assert sizes["same"][0] == 0
    assert sizes["same"][1] < 1e-5
    assert min(sizes["other"]) > 1


def test_descending_on_distillation_brings_the_forget_rows_to_the_retrained_model(lab: Lab) -> None:
    far = micro.with_settings(lab, unlearning=replace(micro.TRAINING, lr=5e-3, epochs=3))
    start, reference = Start(far, LAST), lab.leaf(RETRAINED)
    rows = logprobs.collate(start.rows, pad=0)
    apart = []
    with torch.no_grad():
        apart.append(float(distillation_score(reference)(far.leaf(LAST), rows).mean()))
        for norm, model in unlearned(start, METHODS["oracle-local"]):
            assert norm is not None
            apart.append(float(distillation_score(reference)(model, rows).mean()))
    assert len(apart) == 10
    assert apart[0] < apart[-1] < 0
    assert apart[-1] > 0.7 * apart[0]


def retained_loglik(start: Start, model) -> float:
    return float(logprobs.row_logprobs(model, start.retained, pad=0)[0].mean())


def test_a_weakly_local_method_of_weight_0_is_the_local_one_and_keeps_more_with_weight_1(
    lab: Lab,
) -> None:
    """GradDiff without its retained term is GA, to the bit at every step; with it the retained rows
    stay likelier.
    """
    start = Start(micro.with_settings(lab, unlearning=replace(micro.TRAINING, lr=5e-3)), LAST)
    ascent, none, both = (
        METHODS["GA"],
        replace(METHODS["GradDiff"], retain=0.0),
        METHODS["GradDiff"],
    )
    assert all(
        torch.equal(a, b) for a, b in zip(steps(start, ascent), steps(start, none), strict=True)
    )
    likelihoods = []
    for method in (ascent, both):
        *_, (_, model) = unlearned(start, method)
        likelihoods.append(retained_loglik(start, model))
    assert likelihoods[1] > likelihoods[0] + 1


def test_retained_rows_are_the_same_for_all_paths_and_hold_no_forget_row(lab: Lab) -> None:
    """Drawn from the three retained stages under the seed alone; U's rows have other prompts."""
    lab = micro.with_settings(lab, retained=20)
    drawn = [Start(lab, order).retained for order in lab.experiment.orders]
    assert drawn[0] == drawn[1] == drawn[2] == drawn[3]
    assert len(drawn[0]) == 20
    assert drawn[0] != Start(replace(lab, seed=1), FIRST).retained
    stages = [set(lab.learned(phase)) for phase in orders.phases((*RETRAINED, "safety"))]
    assert [any(row in stage for row in drawn[0]) for stage in stages] == [True, True, True, False]
    assert all(any(row in stage for stage in stages[:3]) for row in drawn[0])


def test_forget_rows_come_in_one_order_whatever_the_path_and_method(lab: Lab, monkeypatch) -> None:
    seen, plan = [], batches
    monkeypatch.setattr(trainer, "batches", lambda *a, **k: seen.append(plan(*a, **k)) or seen[-1])
    for order, name in ((FIRST, "GA"), (LAST, "GA"), (LAST, "NPO"), (LAST, "GradDiff")):
        next(unlearned(Start(lab, order), METHODS[name]))
    assert len({str([batch.tolist() for batch in each]) for each in seen}) == 1
    assert Start(lab, FIRST).rows == Start(lab, LAST).rows


def test_the_reference_of_npo_is_the_leaf(kind: Lab) -> None:
    """So at step 0 its loss is (2/β) log 2 for every row, and its gradient GA's: 2σ(0) = 1."""
    start = Start(kind, LAST)
    model = kind.leaf(LAST)
    expected = logprobs.row_logprobs(model, start.rows, pad=0)[0]
    torch.testing.assert_close(start.reference_logprobs, expected, rtol=0, atol=0)
    norms = [next(unlearned(start, METHODS[name]))[0] for name in ("GA", "NPO")]
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)


def test_a_method_has_its_constants_and_reduction(lab: Lab) -> None:
    """Gradient norms at step 0 of one batch, by hand from the weights of the objective."""
    one = micro.with_settings(lab, unlearning=Recipe(lr=1e-3, batch=24, micro_batch=24))
    start = Start(one, FIRST)
    model, logp = one.leaf(FIRST), start.reference_logprobs.double()
    tokens = sum(len(row.answer) for row in start.rows)
    weigh = {
        Method("GA", "gradient_ascent", reduction="tokens"): torch.ones_like(logp) / tokens,
        Method("S", "simnpo", (("beta", 0.02),)): 2 * torch.sigmoid(0.02 * logp) / 24,
        Method("S", "simnpo", (("beta", 0.02),), "tokens"): 2 * torch.sigmoid(0.02 * logp) / tokens,
    }
    for method, weight in weigh.items():
        model.zero_grad()
        score = logprobs.answer_logprobs(model, logprobs.collate(start.rows, pad=0))
        (score * weight.float()).sum().backward()
        assert next(unlearned(start, method))[0] == pytest.approx(
            trainer.gradient_norm(model), rel=1e-4
        )


def test_a_dose_is_a_snapshot_inside_the_stage(lab: Lab) -> None:
    """Of 6 updates: "safety@3" has the weights, to the bit, that the whole stage's training has
    after 3.
    """
    stages = {**lab.settings.stages}
    stages["safety"] = replace(stages["safety"], recipe=replace(micro.TRAINING, epochs=2))
    lab = micro.with_settings(lab, stages=stages)
    rows = lab.learned(orders.phase("safety"))
    model = lab.model(("inst",))
    model.requires_grad_(True)
    whole = trainer.updates(model.train(), rows, stages["safety"].recipe, seed=(0, "safety"))
    inside = [effective_weights(model) for _ in whole]
    assert len(inside) == 6
    for order, at in (
        (("inst", "safety@3"), 3),
        (("inst", "safety@1"), 1),
        (("inst", "safety"), 6),
    ):
        assert torch.equal(effective_weights(lab.model(order)), inside[at - 1])
    assert len({tuple(each[:9].tolist()) for each in inside}) == 6


def test_a_dose_that_is_none_is_one_line(lab: Lab) -> None:
    with pytest.raises(
        InputError, match="stage: expected to stop after 1 to 3 updates, as many as it has; got 4"
    ):
        lab.model(("inst", "safety@4"))


def test_unlearning_with_an_adapter_leaves_all_other_weights(lab: Lab) -> None:
    """A fresh adapter on the merged leaf: the base weights after all steps are the leaf's, to the
    bit.
    """
    start = Start(micro.with_settings(lab, adaptation=Adaptation("lora", rank=4)), LAST)
    *_, (_, model) = unlearned(start, METHODS["GA"])
    merged = start.lab.model(LAST).state_dict()
    kept = {
        name.replace(".base_layer", ""): w
        for name, w in model.state_dict().items()
        if ".lora_" not in name
    }
    assert kept.keys() == merged.keys()
    assert all(torch.equal(kept[name], merged[name]) for name in kept)
    first = [effective_weights(start.lab.leaf(LAST)), effective_weights(start.lab.model(LAST))]
    assert torch.equal(*first), "a fresh adapter adds nothing"


def test_a_score_other_than_the_likelihood_is_trained_through_micro_batches(lab: Lab) -> None:
    """The distillation's gradient is one sum however its rows are cut."""
    start, reference = Start(lab, LAST), lab.leaf(RETRAINED)
    aim = Objective(trainer.likelihood, "mean", distillation_score(reference))
    rows: list[chat.Row] = start.rows[:8]
    norms = [
        next(
            trainer.updates(
                lab.leaf(LAST), rows, Recipe(1e-3, batch=8, micro_batch=size), aim=aim, seed=(0,)
            )
        )
        for size in (8, 3, 1)
    ]
    assert norms[1:] == pytest.approx([norms[0]] * 2, rel=1e-4)


def averaged(start: Start, method: Method) -> Iterator[Step]:
    """The mean of the leaf and the node before the forget stage."""
    model = start.model(start.order)
    before = start.model(start.order[: start.order.index(start.forget)])
    with torch.no_grad():
        for weight, earlier in zip(model.parameters(), before.parameters(), strict=True):
            weight.lerp_(earlier, 0.5)
    yield None, model


def not_first(start: Start) -> None:
    if start.order[0] == start.forget:
        raise InputError(f"averaging: expected a stage before {start.forget}; got none")


@pytest.fixture
def averaging() -> Iterator[Method]:
    """A reference method added in one call, and taken away afterwards."""
    tables = (REFERENCE_METHODS, UNLEARNERS, unlearning.METHODS)
    with contextlib.ExitStack() as stack:
        for table in tables:
            stack.enter_context(mock.patch.dict(table))
        add(Unlearner("averaged", "averaging", averaged, one_step=True, check=not_first))
        yield METHODS["averaged"]


def test_a_reference_method_is_one_entry(lab: Lab, averaging: Method, tmp_path) -> None:
    """Added in one call it is an option, is checked, runs in one step, and is in the records; it
    has no rates, which need the experiment's steps.
    """
    options = Options(methods=("GA", "averaged"))
    assert base_experiment("tiny-llama", options).methods == (METHODS["GA"], averaging)
    orders_of = (LAST, ("inst", "safety", "tofu", "math"))
    chosen = replace(
        lab.experiment, seeds=(0,), methods=(METHODS["GA"], averaging), starts=orders_of
    )
    frame = micro.carry_out([chosen], lab.store.root).tables.records
    recorded = frame.filter(method="averaged")
    assert set(recorded["step"]) == {0, 1}
    assert "grad_norm" not in set(recorded["metric"])
    assert set(frame.filter(order="staged")["method"]) == {"GA"}
    whole, before = (effective_weights(lab.model(order)) for order in (LAST, RETRAINED))
    ((_, model),) = unlearned(Start(lab, LAST), averaging)
    torch.testing.assert_close(effective_weights(model), (whole + before) / 2, rtol=0, atol=1e-7)
    with pytest.raises(InputError, match="averaging: expected a stage before safety; got none"):
        micro.carry_out([replace(chosen, starts=(FIRST, LAST))], lab.store.root)


def test_an_unknown_method_is_refused_with_the_list(averaging: Method) -> None:
    """By the option, by `Method`, and where an entry is gone from the registry."""
    known = "gradient_ascent, npo, simnpo, simnpo_normalized, distillation, negation, rewind"
    with pytest.raises(InputError) as raised:
        Method("x", "average")
    assert str(raised.value) == (
        f"method.objective: expected one of {known}, averaging; got 'average': did you mean "
        "'averaging'?"
    )
    with pytest.raises(InputError, match=r"methods: expected one of .*, averaged; got 'average'"):
        base_experiment("tiny-llama", Options(methods=("average",)))
    del UNLEARNERS["averaging"]
    with pytest.raises(InputError) as raised:
        unlearned(None, averaging)
    assert str(raised.value) == f"objective: expected one of {known}; got 'averaging'"
