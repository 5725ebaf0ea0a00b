"""Every experiment: orders, methods and settings as the protocol has them, and each run end to end
at micro size.
"""

import itertools
from dataclasses import replace

import pytest

from llm.config.experiments import EXPERIMENTS
from llm.config.options import Options
from llm.config.presets import STAGES
from llm.models import EMBEDDED
from protocol import orders
from protocol.errors import InputError
from protocol.spec import Experiment

KEPT = ("inst", "tofu", "math")
PATHS = orders.positions(KEPT, "safety")
MIXED = "inst+tofu+math+safety"
PAPER = ["GA", "NPO", "SimNPO"]
LOCAL = [*PAPER, "SimNPO-original", "SimNPO-beta1"]


def chosen(name: str, **options: object) -> list[Experiment]:
    return EXPERIMENTS[name]("tiny-llama", Options(**options))


def methods(experiment: Experiment) -> list[str]:
    return [method.name for method in experiment.methods]


def references(experiment: Experiment) -> set[orders.Order]:
    return {orders.retrained(order, experiment.forget) for order in experiment.orders}


def test_positions_are_four_paths_of_one_retrained_model() -> None:
    (experiment,) = chosen("positions")
    assert (experiment.orders, references(experiment)) == (PATHS, {KEPT})
    assert (methods(experiment), experiment.steps, experiment.seeds) == (LOCAL, 20, (0, 1, 2))
    assert (experiment.settings.probes.every, experiment.settings.probes.sums) == (1, 100)
    assert [e.seeds for e in EXPERIMENTS["positions"]("tiny-qwen2", Options())] == [(0, 1)]


def test_orders_are_all_24_with_six_retrained_models_and_64_trainings() -> None:
    (experiment,) = chosen("orders")
    assert (
        set(experiment.orders) == set(itertools.permutations(STAGES))
        and len(experiment.orders) == 24
    )
    assert references(experiment) == set(itertools.permutations(KEPT))
    assert len(orders.prefix_tree([*experiment.orders, *references(experiment)])) == 64
    assert (
        methods(experiment),
        experiment.settings.probes.every,
        experiment.settings.probes.sums,
    ) == (PAPER, 5, 0)


def test_depth_is_six_orders_of_three_answers_with_two_retrained_models() -> None:
    """Plain gradient descent: 5 epochs of 40 prompts by 8, cosine after 3%; then GA, 20 epochs of
    all 40 at once.
    """
    (experiment,) = chosen("depth")
    assert (
        set(experiment.orders) == set(itertools.permutations("CUR")) and len(experiment.orders) == 6
    )
    assert references(experiment) == {("C", "R"), ("R", "C")}
    assert (methods(experiment), experiment.forget, experiment.steps) == (["GA"], "U", 20)
    settings = experiment.settings
    assert (settings.probes.every, settings.probes.sums, set(settings.stages)) == (1, 0, set("CUR"))
    for stage in settings.stages.values():
        how = stage.recipe
        assert (stage.train, how.epochs, how.batch, how.schedule, how.warmup, how.optimizer) == (
            40,
            5,
            8,
            "cosine",
            0.03,
            "sgd",
        )
    how = settings.unlearning
    assert (how.epochs, how.batch, how.schedule, how.optimizer) == (20, 40, "constant", "sgd")
    (paper,) = EXPERIMENTS["depth"]("llama-3.2-3b", Options())
    learned, adapter = (
        {stage.recipe.lr for stage in paper.settings.stages.values()},
        paper.settings.adaptation,
    )
    assert (learned, paper.settings.unlearning.lr) == ({1e-5}, 5e-5)
    assert (adapter.kind, adapter.rank, adapter.alpha, adapter.dropout) == ("qlora", 16, 32, 0.05)


def test_doses_stop_the_last_stage_early() -> None:
    """5% to 80% of its 20 updates, beside the paths; every count once however few updates there
    are.
    """
    (experiment,) = chosen("dose")
    assert experiment.orders == (*PATHS, *((*KEPT, f"safety@{n}") for n in (1, 2, 4, 6, 8, 12, 16)))
    assert (references(experiment), methods(experiment), experiment.steps) == ({KEPT}, PAPER, 20)
    (short,) = chosen("dose", rows={"safety": 64})
    assert short.orders[4:] == ((*KEPT, "safety@1"),)


def test_wash_out_learns_on_after_u_for_so_many_updates() -> None:
    """0, 5, 10, 20, 50 and all 100 updates of math; each order has its own retrained model."""
    (experiment,) = chosen("wash-out")
    learned = ("inst", "tofu", "safety")
    more = [(f"math@{count}",) for count in (5, 10, 20, 50)]
    assert experiment.orders == tuple((*learned, *after) for after in [(), *more, ("math",)])
    assert references(experiment) == {("inst", "tofu", *after) for after in [(), *more, ("math",)]}
    assert methods(experiment) == PAPER
    (short,) = chosen("wash-out", rows={"math": 160})
    assert [order[3:] for order in short.orders] == [(), ("math@5",), ("math",)]


def test_oracle_local_is_five_times_as_long_at_the_stages_rate() -> None:
    (experiment,) = chosen("oracle-local")
    assert (experiment.orders, methods(experiment), experiment.steps) == (
        PATHS,
        ["oracle-local"],
        100,
    )
    how, settings = experiment.settings.unlearning, experiment.settings
    assert (how.epochs, how.lr) == (5, settings.stages["safety"].recipe.lr)
    assert (settings.probes.every, settings.probes.sums) == (5, 0)
    (three,) = chosen("oracle-local", unlearning={"epochs": 3})
    assert (three.settings.unlearning.epochs, three.steps) == (3, 60)
    assert chosen("oracle-local", unlearning={"lr": 0.1})[0].settings.unlearning.lr == 0.1


def test_history_has_the_methods_that_know_more() -> None:
    (experiment,) = chosen("history")
    assert (experiment.orders, methods(experiment)) == (
        PATHS,
        ["GradDiff", "NPO-retain", "negation", "rewind"],
    )
    assert [method.retain for method in experiment.methods] == [1, 1, 0, 0]


USUAL = 2e-4  # learning rate of unlearning
STEP = (
    USUAL * EMBEDDED["tiny-llama"].parameters ** 0.5
)  # length of a step of AdamW: each weight moves by about lr


@pytest.mark.parametrize(
    ("family", "changed"),
    [
        (
            "learning-rates",
            {"2e-05": {"lr": USUAL / 10}, "0.0001": {"lr": USUAL / 2}, "0.001": {"lr": 5 * USUAL}},
        ),
        ("schedules", {name: {"schedule": name} for name in ("wsd", "cosine", "constant")}),
        (
            "optimizers",
            {
                "adamw": {"optimizer": "adamw"},
                "normalized": {"optimizer": "normalized", "lr": STEP},
                "sgd": {"optimizer": "sgd", "lr": STEP / 300},
            },
        ),
    ],
)
def test_a_sweep_changes_one_thing_about_unlearning(family, changed) -> None:
    """Everything else is the positions': learning, orders, probes. Gradients under GA have a norm
    of about 300.
    """
    (base,), found = chosen("positions", methods=tuple(PAPER)), chosen(family)
    assert [each.name for each in found] == [f"{family}/{value}" for value in changed]
    for each, change in zip(found, changed.values(), strict=True):
        how = replace(base.settings.unlearning, **change)
        assert each.settings.unlearning.lr == pytest.approx(how.lr, rel=0.05)
        same = replace(each.settings, unlearning=replace(each.settings.unlearning, lr=how.lr))
        settings = replace(base.settings, unlearning=how)
        assert replace(each, name="positions", settings=same) == replace(base, settings=settings)


def test_bases_are_three_pretrainings_of_two_seeds() -> None:
    """The positions on each, sparsely probed; only the base differs."""
    found = chosen("bases", base=4)
    assert [(each.name, each.base, each.seeds) for each in found] == [
        (f"bases/{b}", b, (0, 1)) for b in (4, 5, 6)
    ]
    assert (found[0].orders, methods(found[0]), found[0].settings.probes.sums) == (PATHS, PAPER, 0)
    assert all(replace(each, name=found[0].name, base=4) == found[0] for each in found)
    assert {each.seeds for each in chosen("bases", seeds=3)} == {(0, 1, 2)}
    with pytest.raises(InputError, match=r"model: expected an embedded one, .*; got llama-3.2-1b"):
        EXPERIMENTS["bases"]("llama-3.2-1b", Options())


@pytest.mark.parametrize(
    ("name", "unused"),
    [
        ("depth", {"rows": {"inst": 3}}),
        ("depth", {"epochs": {"inst": 3}}),
        ("depth", {"probes": {"label": "No"}}),
        ("optimizers", {"unlearning": {"optimizer": "sgd"}}),
        ("schedules", {"unlearning": {"schedule": "cosine"}}),
        ("depth", {"include_mixture": True}),
        ("oracle-local", {"methods": ("GA",)}),
        ("orders", {"include_mixture": True}),
    ],
)
def test_an_option_that_would_not_be_used_is_refused(name, unused) -> None:
    ((option, value),) = unused.items()
    if option in ("probes", "unlearning"):
        (field,) = value
        option = f"{option}.{field}"
    option = option.replace("_", "-")
    with pytest.raises(
        InputError, match=f"{option}: expected to be left out, as .* does not use it"
    ):
        chosen(name, **unused)


def test_the_depth_takes_recipes_and_adapters() -> None:
    (usual,) = chosen("depth")
    (each,) = chosen(
        "depth",
        learning={"lr": 0.5, "optimizer": "adamw"},
        unlearning={"lr": 0.25, "epochs": 3},
        adaptation={"kind": "lora", "rank": 3},
    )
    settings = each.settings
    learned = replace(usual.settings.stages["C"].recipe, lr=0.5, optimizer="adamw")
    assert {stage.recipe for stage in settings.stages.values()} == {learned}
    assert settings.unlearning == replace(usual.settings.unlearning, lr=0.25, epochs=3)
    assert each.steps == 3  # updates: all 40 prompts at once
    assert (settings.adaptation.kind, settings.adaptation.rank) == ("lora", 3)


def test_seeds_are_four_unless_chosen() -> None:
    (four,), (two,) = chosen("seeds"), chosen("seeds", seeds=2)
    assert (four.name, four.seeds, two.name, two.seeds) == (
        "seeds/4",
        (0, 1, 2, 3),
        "seeds/2",
        (0, 1),
    )
    assert (four.orders, methods(four)) == (PATHS, PAPER)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_is_chosen_goes_before_an_experiments_own(name) -> None:
    """Methods (but for the oracle, which is one), seeds, sums and how often is probed."""
    asked = {} if name == "oracle-local" else {"methods": ("NPO",)}
    for each in chosen(name, **asked, seeds=1, probes={"sums": 7, "every": 2}):
        assert methods(each) == list(asked.get("methods", ("oracle-local",)))
        assert (each.seeds, each.settings.probes.sums, each.settings.probes.every) == ((0,), 7, 2)
        assert each.name.partition("/")[0] == name
        assert each.settings.model == EMBEDDED["tiny-llama"]
