"""N1 on made-up records: SimNPO is read by the β of the saved configuration, whatever a preset
names the method.
"""

import numpy as np
import pytest

from protocol import records
from protocol.claims import Claim
from protocol.claims.paper import equivalence
from protocol.readings.betas import ACTING, SILENT, by_beta
from protocol.spec import METHODS, Experiment, Method, canonical, digest

STEPS = 4
EMBEDDED = (METHODS["GA"], METHODS["SimNPO"], METHODS["SimNPO-beta1"])  # β 0.2 and 1
PAPER = (
    METHODS["GA"],
    Method("SimNPO", "simnpo", (("beta", 1.0),)),
    Method("SimNPO-beta0.2", "simnpo", (("beta", 0.2),)),
)
LOUD = {1.0: 20.0, 0.2: 2.0}  # gradient of p = 4 over that of the others, by β
LOW = -30.0  # log π of a forget answer


def label(seed: int, position: int, step: int) -> float:
    """p = 4 is forgotten fastest."""
    noise = 1e-2 * np.random.default_rng([seed, position, step]).standard_normal()
    return -1.0 - step / (5 - position) ** 2 + float(noise)


def result(methods: tuple[Method, ...], model: str = "m", *, loud=LOUD, low=LOW) -> records.Result:
    """A positions experiment of these methods, three seeds, as it is saved."""
    spec = Experiment(
        "positions", "llm", model, ("a", "b", "c"), "u", methods, STEPS, (0, 1, 2), {}
    )
    name, parts = digest(spec), []
    for method in methods:
        last = loud.get(dict(method.constants).get("beta", 0.0), 1.0)
        for seed in spec.seeds:
            for p, order in enumerate(spec.paths, start=1):
                key = f"{model}{method.name}{seed}{p}"
                run = records.Run(
                    key, name, "positions", "llm", model, ">".join(order), p, "r", method.name, seed
                )
                values = [(t, "label_loglik", label(seed, p, t)) for t in range(STEPS + 1)]
                start = [(0, "grad_norm", last if p == 4 else 1.0), (0, "forget_logp", low)]
                parts.append(records.tables(run, values + start))
    return records.Result(records.Tables.concat(parts), {name: canonical(spec)})


def n1(*results: records.Result) -> list[Claim]:
    return [
        claim
        for claim in equivalence.judge(records.Result.concat(results).tables)
        if claim.id == "N1"
    ]


@pytest.mark.parametrize(
    ("loud", "low", "verdict"),
    [(20.0, -30.0, "holds"), (5.0, -30.0, "inconclusive"), (20.0, -0.9, "inconclusive")],
)
def test_n1_asks_for_a_silent_start_a_reversed_order_and_improbable_answers(
    loud, low, verdict
) -> None:
    (claim,) = n1(result(EMBEDDED, loud={1.0: loud, 0.2: loud}, low=low))
    assert claim.verdict == verdict
    assert f"{loud:.3g} at β = 1" in claim.detail


@pytest.mark.parametrize(
    ("results", "models"),
    [
        ([result(EMBEDDED)], "m"),
        ([result(PAPER, "paper")], "paper"),
        ([result(EMBEDDED), result(PAPER, "paper")], "m + paper"),
        ([result(EMBEDDED), result(PAPER[:2], "paper")], "m + paper"),
    ],
)
def test_n1_reads_simnpo_by_its_beta_whatever_the_preset_names_it(results, models) -> None:
    """β = 1 is SimNPO-beta1 of the embedded preset and SimNPO of the paper's, also where the latter
    was run alone.
    """
    (claim,) = n1(*results)
    assert (claim.verdict, claim.model, claim.method) == ("holds", models, "SimNPO-beta1")
    assert (
        "gradient of p = last over the largest other, median: 20 at β = 1, 2 at β = 0.2"
        in claim.detail
    )


@pytest.mark.parametrize("methods", [PAPER[:2], PAPER[::2], EMBEDDED[:2], EMBEDDED[::2]])
def test_one_beta_alone_is_not_taken_for_the_other(methods) -> None:
    assert n1(result(methods)) == []
    beta = dict(methods[1].constants)["beta"]
    assert by_beta(result(methods).tables)["method"].unique().to_list() == [
        {1.0: SILENT, 0.2: ACTING}[beta]
    ]


def test_only_the_papers_form_at_the_two_beta_is_read() -> None:
    others = (
        METHODS["SimNPO-original"],
        METHODS["NPO"],
        Method("SimNPO", "simnpo", (("beta", 0.5),)),
        Method("SimNPO-beta1", "simnpo_normalized", (("beta", 1.0), ("gamma", 0.0))),
    )
    assert by_beta(result(others).tables).is_empty()


def test_of_two_methods_with_one_beta_the_first_is_read() -> None:
    twice = (*PAPER, METHODS["SimNPO-beta1"])
    (claim,), (once,) = n1(result(twice)), n1(result(PAPER))
    assert claim == once


def test_records_without_their_configuration_say_nothing_of_beta() -> None:
    whole = result(EMBEDDED).tables
    bare = records.Tables(whole.records, whole.examples)
    assert by_beta(bare).is_empty()
    assert [claim.id for claim in equivalence.judge(bare)] == []


def test_configurations_reach_the_tables_by_every_way(tmp_path) -> None:
    """As an experiment returns them, joined with others, and read from a folder."""
    first, second = result(EMBEDDED), result(PAPER, "paper")
    joined = records.Result.concat([first, second])
    assert first.tables.specs == first.specs
    assert joined.tables.specs == joined.specs == {**first.specs, **second.specs}
    assert records.Tables.concat([first.tables, second.tables]).specs == joined.specs
    records.write(joined, tmp_path)
    assert records.read(tmp_path).tables.specs == joined.specs
