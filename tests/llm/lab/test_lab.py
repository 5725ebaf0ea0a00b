"""A lab: what it resolves once, and what travels when a worker gets it."""

import pickle

import pytest

from llm.lab.lab import Lab
from llm.lab.nodes import Node
from llm.models import loading
from protocol import orders
from protocol.orders import Phase

ORDER = ("inst", "tofu")


def test_what_a_lab_has_resolved_does_not_travel_with_it(lab: Lab) -> None:
    """The pickle has the same bytes before and after; the format alone would be larger."""
    fresh = Lab(lab.experiment, lab.seed, lab.store)
    before = pickle.dumps(fresh)
    assert fresh.base.context == 512
    assert fresh.base.format.special and fresh.rows("inst").train and fresh.key(ORDER)
    assert pickle.dumps(fresh) == before
    assert len(before) < 4096 < len(pickle.dumps(fresh.base.format))
    worker: Lab = pickle.loads(before)
    assert worker == fresh
    assert set(vars(worker)) == {"experiment", "seed", "store"}
    assert worker.key(ORDER) == fresh.key(ORDER)


def test_a_base_is_resolved_once_for_a_lab_and_its_tokenizer_once_in_a_process(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, other = Lab(lab.experiment, lab.seed, lab.store), lab.under(1)
    folder, form = fresh.base.folder, fresh.base.format
    assert other.base.folder == folder
    monkeypatch.setattr(loading, "load_tokenizer", None)  # a second load would be an error
    monkeypatch.setattr("llm.lab.base.produce", None)
    assert fresh.base.folder == folder
    assert fresh.base.format is form is other.base.format


def test_an_order_is_its_parent_and_one_more_stage(lab: Lab) -> None:
    """The key of a node names its parent's; the empty order is the base."""
    node = lab.node(("inst", "math@2"))
    assert node.spec["parent"] == lab.key(("inst",)) == node.parent.key
    assert node.parent.parent == Node(lab.base, lab.seed, ())
    assert lab.key(()) == lab.base.key
    assert (node.spec["stage"], node.spec["stop"]) == ("math", 2)
    assert node.phases == (Phase(("inst",)), Phase(("math",), stop=2))


def test_a_seed_changes_the_nodes_and_not_the_base(lab: Lab) -> None:
    other = lab.under(7)
    assert other.key(()) == lab.key(())
    assert other.key(ORDER) != lab.key(ORDER)
    assert other.under(lab.seed).key(ORDER) == lab.key(ORDER)


def test_learned_rows_are_those_of_the_phase(lab: Lab) -> None:
    """A mixture learns the rows of its stages; here every stage has one epoch."""
    parts, (mixture,) = orders.phases(ORDER), orders.phases(("inst+tofu",))
    assert lab.learned(mixture) == lab.learned(parts[0]) + lab.learned(parts[1])
    assert len(lab.learned(mixture)) == sum(len(lab.rows(stage).train) for stage in ORDER)
