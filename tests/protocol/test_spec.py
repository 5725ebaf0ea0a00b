"""Experiments and their digests."""

import dataclasses

import pytest

from protocol.errors import InputError
from protocol.spec import METHODS, Experiment, Method, digest, named_methods


def experiment(**changes) -> Experiment:
    fields = {
        "name": "positions",
        "world": "linear",
        "model": "m",
        "retain": ("a", "b"),
        "forget": "U",
        "methods": named_methods(("GA",)),
        "steps": 3,
        "seeds": (0,),
        "settings": None,
    }
    return Experiment(**{**fields, **changes})


def test_equal_configurations_share_a_digest_and_others_do_not() -> None:
    assert digest(experiment()) == digest(experiment())
    others = [
        {"steps": 4},
        {"seeds": (0, 1)},
        {"forget": "V"},
        {"methods": named_methods(("NPO",))},
        {"base": 1},
    ]
    digests = {digest(experiment()), *(digest(experiment(**other)) for other in others)}
    assert len(digests) == 1 + len(others)


def test_the_papers_methods_the_one_of_n1_and_simnpos_original() -> None:
    objectives = [m.objective for m in METHODS.values()]
    assert objectives == ["gradient_ascent", "npo", "simnpo", "simnpo", "simnpo_normalized"]
    assert dict(METHODS["SimNPO"].constants) == {"beta": 0.2}
    assert dict(METHODS["SimNPO-beta1"].constants) == {"beta": 1.0}


def test_experiments_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment().steps = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: experiment(forget="a"), "forget: expected a stage outside retain"),
        (
            lambda: experiment(starts=(("a", "b"),)),
            "forget: expected one of the stages a, b; got 'U'",
        ),
        (lambda: experiment(steps=0), "steps: expected at least 1 unlearning step; got 0"),
        (lambda: experiment(seeds=()), "seeds: expected at least one seed; got none"),
        (lambda: Method("x", "dpo"), "method.objective: expected one of .*; got 'dpo'"),
        (
            lambda: Method("x", "npo", reduction="sum"),
            "method.reduction: expected one of mean, tokens; got 'sum'",
        ),
        (
            lambda: named_methods(("DPO",)),
            "methods: expected one of GA, NPO, SimNPO, .*; got 'DPO'",
        ),
    ],
)
def test_bad_input_is_named(make, message) -> None:
    with pytest.raises(InputError, match=message):
        make()
