"""A deterministic synthetic result with the record schema of both worlds, so that figures run
without any experiment.

`make_result` leaves out what a test wants missing. Curves are smooth: path p falls at the rate (5 −
p)/10 per step, so p = last is slowest; noise is drawn from a generator seeded by what the value is
of.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from paper_figs.report import outputs
from protocol import records, spec
from protocol.orders import positions, retrained
from protocol.sources import Source

STEPS = 20
PARTS = ("forget", "inst", "tofu", "math")
MODELS = ("tiny-llama", "tiny-qwen2")
METHODS = ("GA", "NPO", "SimNPO", "SimNPO-beta1")
STRENGTH = {"GA": 4.0, "NPO": 1.0, "SimNPO": 0.7, "SimNPO-beta1": 0.2}
ORDERS = {
    "llm": positions(("inst", "tofu", "math"), "safety"),
    "linear": positions(("a", "b", "c"), "u"),
}
QUESTIONS = 30
MACHINE = {"memory": "8 GB"}
LEARNING = {"recipe": {"lr": 5e-4, "batch": 32}}
SPEC = {
    "world": "llm",
    "name": "positions",
    "model": "tiny-llama",
    "methods": [asdict(spec.METHODS[name]) for name in METHODS],
    "settings": {
        "adaptation": {"kind": "full", "rank": 16, "alpha": 32},
        "stages": {"inst": LEARNING, "math": LEARNING},
        "unlearning": {"lr": 2e-4, "batch": 16},
    },
}

Values = list[tuple[int, str, float]]
Examples = list[tuple[int, str, int, float]]


def noise(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def drop(method: str, position: int, step: int, seed: int) -> float:
    """How far the label has fallen: rate by position and method, a little by seed."""
    return (
        STRENGTH[method]
        * (5 - position)
        / 10
        * step
        * (1 + 0.1 * noise(method, position, seed).normal())
    )


def unlearning(method: str, position: int, seed: int) -> tuple[Values, Examples]:
    values: Values = []
    for t in range(STEPS + 1):
        fallen = drop(method, position, t, seed)
        values += [
            (t, "label_loglik", -2.0 - position / 10 - fallen),
            (t, "phrase_loglik", -3.0 - position / 10 - 0.6 * fallen),
            (t, "tofu_loglik", -0.5 - 0.1 * fallen),
            (t, "grad_norm", (100.0 if position == 4 else 1.0) / (1 + t)),
        ]
        for i, part in enumerate(PARTS):
            distance = (0.4 if part == "forget" else 0.02 * (i + position)) * (1 + 0.1 * fallen)
            values += [
                (t, f"{kind}/{part}", distance) for kind in ("re_distance", "logit_distance", "kl")
            ]
    right = {
        t: noise("math", method, position, seed, t).uniform(0, 0.5, QUESTIONS).round(1)
        for t in (0, STEPS)
    }
    values += [(t, "math_accuracy", float(right[t].mean())) for t in right]
    examples = [(t, "math_accuracy", i, float(v)) for t in right for i, v in enumerate(right[t])]
    examples += [
        (t, "tofu_loglik", i, -0.5 - 0.1 * drop(method, position, t, seed) - i / 100)
        for t in (0, STEPS)
        for i in range(QUESTIONS)
    ]
    return values, examples


def linear(method: str, position: int, seed: int) -> tuple[Values, Examples]:
    values: Values = []
    for t in range(STEPS + 1):
        fallen = drop(method, position, t, seed)
        values += [
            (t, "label_loglik", -0.1 - fallen),
            (t, "retain_loglik", -0.2 - 0.2 * fallen),
            (t, "grad_norm", 1.0),
        ]
        values += [
            (t, f"re_distance/{part}", 0.3 / position * np.exp(0.05 * fallen))
            for part in ("test", "forget")
        ]
    return values, [
        (t, "retain_loglik", 0, -0.2 - 0.2 * drop(method, position, t, seed)) for t in (0, STEPS)
    ]


def run(
    world: str, model: str, position: int, method: str, seed: int, experiment: str = "positions"
) -> records.Run:
    order = (
        ORDERS[world][position - 1]
        if position
        else retrained(ORDERS[world][0], ORDERS[world][0][0])
    )
    reference = records.order_name(retrained(order, ORDERS[world][0][0])) if position else "floor"
    name = f"{zlib.crc32(repr((experiment, world, model, position, method, seed)).encode()):08x}"
    head = (name, f"spec-{world}", experiment, world, model)
    return records.Run(*head, records.order_name(order), position, reference, method, seed)


def llm_tables(
    seeds: int, models: tuple[str, ...], methods: tuple[str, ...], floor: bool
) -> Iterator[records.Tables]:
    for model in models:
        for seed in range(seeds):
            for p in (1, 2, 3, 4):
                for method in methods:
                    yield records.tables(
                        run("llm", model, p, method, seed), *unlearning(method, p, seed)
                    )
        if floor:
            level = [(0, f"re_distance/{part}", 0.05 + i / 100) for i, part in enumerate(PARTS)]
            yield records.tables(run("llm", model, 0, "floor", 0), level)


def linear_tables(instances: int, methods: tuple[str, ...]) -> Iterator[records.Tables]:
    for seed in range(instances):
        for p in (1, 2, 3, 4):
            for method in methods:
                yield records.tables(
                    run("linear", "linear", p, method, seed), *linear(method, p, seed)
                )


def theorem_tables() -> Iterator[records.Tables]:
    for seed, t0 in enumerate((-np.inf, 4.0, 11.0)):
        values = [(t, "log_divergence", 0.3 * t) for t in range(30)] + [
            (t, "log_bound", 0.25 * t - 1) for t in range(30)
        ]
        yield records.tables(
            run("linear", "n20-d60", 0, "GA", seed, "theorem-curves"), [*values, (0, "t0", t0)]
        )
    for seed in range(8):
        slack = [(0, "bound_log_slack", i, 0.5 + noise(seed).random() + i) for i in range(3)]
        others = [
            ("violation_log_margin", 0.4),
            ("lemma_error", 1e-13),
            ("projected_difference", 0.7),
            ("sigma", 0.1),
        ]
        examples = slack + [(0, metric, 0, value) for metric, value in others]
        yield records.tables(run("linear", "n20-d60", 0, "GA", seed, "theorem"), [], examples)


def build(
    *,
    seeds: int = 3,
    instances: int = 6,
    models: tuple[str, ...] = MODELS,
    methods: tuple[str, ...] = METHODS,
    floor: bool = True,
    theorem: bool = True,
) -> records.Result:
    """seeds = 0 leaves the language models out, instances = 0 the linear positions."""
    parts = [*llm_tables(seeds, models, methods, floor)] if seeds else []
    parts += linear_tables(instances, methods)
    parts += theorem_tables() if theorem else ()
    linear = {"world": "linear", "settings": {"mu": 0.1}, "methods": SPEC["methods"]}
    specs = {"spec-llm": json.dumps(SPEC), "spec-linear": json.dumps(linear)}
    return records.Result(
        records.Tables.concat(parts), specs, (("pretraining tiny-llama", 38.25), ("theorem", 1.5))
    )


@pytest.fixture(scope="session")
def make_result() -> Callable[..., records.Result]:
    return build


@pytest.fixture(scope="session")
def full(make_result: Callable[..., records.Result]) -> records.Result:
    return make_result()


def sources_of(result: records.Result) -> tuple[Source, ...]:
    """Where `build` would have its records from; the language models' command was typed with an
    option.
    """
    columns = ["experiment", "world", "model"]
    held = {
        row
        for frame in (result.tables.records, result.tables.examples)
        for row in frame.select(columns).rows()
    }
    folders = {
        f"{'llm' if world == 'llm' else 'theory'}/{experiment}" for experiment, world, _ in held
    }
    return tuple(
        Source(
            folder,
            f"retrace {folder.replace('/', ' ')}"
            + (" --seeds 3" if folder.startswith("llm") else ""),
            {"torch": "2.13.0"} if folder.startswith("llm") else {},
            frozenset(
                row
                for row in held
                if folder == f"{'llm' if row[1] == 'llm' else 'theory'}/{row[0]}"
            ),
        )
        for folder in sorted(folders)
    )


@pytest.fixture(scope="session")
def make_sources() -> Callable[[records.Result], tuple[Source, ...]]:
    return sources_of


@pytest.fixture(scope="session")
def one_model(make_result: Callable[..., records.Result]) -> records.Result:
    return make_result(models=("tiny-llama",))


@pytest.fixture(scope="session")
def built(one_model: records.Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `build` filled from `one_model`; not to be changed."""
    out = tmp_path_factory.mktemp("out")
    outputs.build(one_model, sources_of(one_model), out, MACHINE)
    return out
