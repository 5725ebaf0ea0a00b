"""Orders and their prefix tree."""

import pytest

from protocol import orders
from protocol.errors import InputError
from protocol.orders import Phase

RETAIN = ("inst", "tofu", "math")


def test_positions_put_the_forget_stage_everywhere_and_keep_the_others_in_order() -> None:
    assert orders.positions(RETAIN, "U") == (
        ("U", "inst", "tofu", "math"),
        ("inst", "U", "tofu", "math"),
        ("inst", "tofu", "U", "math"),
        ("inst", "tofu", "math", "U"),
    )


def test_retrained_is_the_same_order_without_the_forget_stage() -> None:
    assert {orders.retrained(order, "U") for order in orders.positions(RETAIN, "U")} == {RETAIN}


@pytest.mark.parametrize(
    ("stage", "members", "shuffle", "stop", "rows"),
    [
        ("math", ("math",), None, None, "math"),
        ("math@20", ("math",), None, 20, "math"),
        ("inst+tofu#2", ("inst", "tofu"), 2, None, "inst+tofu#2"),
        ("inst+tofu#2@5", ("inst", "tofu"), 2, 5, "inst+tofu#2"),
    ],
)
def test_a_stages_name_says_what_is_trained(stage, members, shuffle, stop, rows) -> None:
    read = orders.phase(stage)
    assert (*read, read.rows, read.name) == (members, shuffle, stop, rows, stage)


def test_places_and_references_of_stopped_stages_and_mixtures() -> None:
    assert [orders.position_of(order, "U") for order in orders.positions(RETAIN, "U")] == [
        1,
        2,
        3,
        4,
    ]
    assert orders.position_of(RETAIN, "U") == 0
    assert orders.position_of(("inst", "U@8"), "U") == 2
    assert orders.position_of(("inst+U#3",), "U") == 3, "the paths of a mixture are its shuffles"
    assert orders.retrained(("inst", "U@8", "math@5"), "U") == ("inst", "math@5")
    assert orders.retrained(("inst+tofu+U#3",), "U") == ("inst+tofu",)


def test_the_papers_four_orders_share_13_nodes() -> None:
    # U, Ui, Uit, Uitm; i, iU, iUt, iUtm; it, itU, itUm; itm, itmU
    nodes = orders.prefix_tree(orders.positions(RETAIN, "U"))
    assert len(nodes) == 13
    assert RETAIN in nodes, "the retrained model is one of them"


def test_all_24_orders_with_their_references_share_64_nodes() -> None:
    # 4 + 12 + 24 + 24 prefixes; the six references are prefixes of three stages
    every = orders.permutations((*RETAIN, "U"))
    references = {orders.retrained(order, "U") for order in every}
    assert (len(every), len(references)) == (24, 6)
    assert len(orders.prefix_tree([*every, *references])) == 64


def test_parents_come_before_children() -> None:
    nodes = orders.prefix_tree(orders.positions(RETAIN, "U"))
    assert all(node[:-1] in nodes[:i] for i, node in enumerate(nodes) if len(node) > 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: orders.positions(RETAIN, "math"),
            "forget: expected a stage outside retain .*; got 'math'",
        ),
        (lambda: orders.positions(("a", "a"), "U"), "retain: expected every stage once; got a, a"),
        (
            lambda: orders.positions("inst", "U"),
            "retain: expected a sequence of stage names; got the string 'inst'",
        ),
        (lambda: orders.permutations(()), "stages: expected at least one stage name; got none"),
        (lambda: orders.phase("math@"), "stage: expected NAME, or NAME.*; got 'math@'"),
        (
            lambda: orders.retrained(RETAIN, "U"),
            "forget: expected one of the stages inst, tofu, math; got 'U'",
        ),
    ],
)
def test_bad_input_is_named(call, message) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_a_name_is_parsed_once(monkeypatch) -> None:
    """The second order has one new name; the same names give the same phases, not equal ones."""
    pattern, parsed = orders.NAME, []

    class Counting:
        def fullmatch(self, stage: str):
            parsed.append(stage)
            return pattern.fullmatch(stage)

    orders.phase.cache_clear()
    monkeypatch.setattr(orders, "NAME", Counting())
    first = orders.phases(("inst", "math@20"))
    second = orders.phases(("math@20", "inst", "U"))
    assert parsed == ["inst", "math@20", "U"]
    assert first[0] is second[1] and first[1] is second[0]
    orders.position_of(("inst", "U"), "U")
    orders.retrained(("inst", "U"), "U")
    assert parsed == ["inst", "math@20", "U"]
    orders.phase.cache_clear()


def test_phases_say_what_the_names_of_an_order_say() -> None:
    assert orders.phases(("inst", "tofu+U#2@5")) == (Phase(("inst",)), Phase(("tofu", "U"), 2, 5))
    assert orders.phases(()) == ()
