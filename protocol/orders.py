"""Stage orders: which sequences of stages are trained, and what they share.

An order is a tuple of stage names. "Path p" of the paper is the order with the forget stage at
position p (1-based) while the retained stages keep their own order (arXiv 2510.16629, section 4).
Two orders that begin alike share the training of that beginning: the prefix tree lists every
distinct beginning once.

A stage's name may say more than whose data it learns: "math@20" stops after 20 updates, "inst+tofu"
mixes the rows of both, "inst+tofu#2" in another shuffle. So an order says by itself what was
trained.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from protocol.errors import InputError

Order = tuple[str, ...]
NAME = re.compile(r"(?P<members>[^+@#]+(?:\+[^+@#]+)*)(?:#(?P<shuffle>\d+))?(?:@(?P<stop>\d+))?")


class Phase(NamedTuple):
    """What a stage's name says: whose rows, in which shuffle of a mixture, and after how many
    updates it stops.
    """

    members: tuple[str, ...]
    shuffle: int | None = None
    stop: int | None = None

    @property
    def rows(self) -> str:
        """The name without its stop: what the stage learns from, and what its randomness derives
        from.
        """
        shuffle = "" if self.shuffle is None else f"#{self.shuffle}"
        return "+".join(self.members) + shuffle

    @property
    def name(self) -> str:
        """The name `phase` reads."""
        return self.rows if self.stop is None else f"{self.rows}@{self.stop}"


def phase(stage: str) -> Phase:
    """Read a stage's name, MEMBER+…#SHUFFLE@STOP; InputError where it is none."""
    found = NAME.fullmatch(stage)
    if not found:
        raise InputError(f"stage: expected NAME, or NAME+NAME…#SHUFFLE@UPDATES; got {stage!r}")
    shuffle, stop = (
        None if found[part] is None else int(found[part]) for part in ("shuffle", "stop")
    )
    return Phase(tuple(found["members"].split("+")), shuffle, stop)


def place(order: Sequence[str], forget: str) -> int:
    """The 1-based place of the forget stage, whole, stopped early or in a mixture; 0 where it is
    not in the order.

    In a mixture that holds it, the number of the shuffle, as its paths are its shuffles.
    """
    for at, stage in enumerate(order, start=1):
        read = phase(stage)
        if forget in read.members:
            return at if read.shuffle is None else read.shuffle
    return 0


def _distinct(argument: str, stages: Sequence[str]) -> Order:
    if isinstance(stages, str):
        raise InputError(
            f"{argument}: expected a sequence of stage names; got the string {stages!r}"
        )
    order = tuple(stages)
    if not order:
        raise InputError(f"{argument}: expected at least one stage name; got none")
    if len(set(order)) != len(order):
        raise InputError(f"{argument}: expected every stage once; got {', '.join(order)}")
    return order


def positions(retain: Sequence[str], forget: str) -> tuple[Order, ...]:
    """The paths p = 1..P of the paper: `forget` at each position among `retain`, whose order is
    kept.

    Returns P = len(retain) + 1 orders; element p − 1 is path p. Raises InputError where a stage
    stands twice.
    """
    kept = _distinct("retain", retain)
    if forget in kept:
        raise InputError(
            f"forget: expected a stage outside retain ({', '.join(kept)}); got {forget!r}"
        )
    return tuple((*kept[:p], forget, *kept[p:]) for p in range(len(kept) + 1))


def permutations(stages: Sequence[str]) -> tuple[Order, ...]:
    """All n! orders of the given stages, in lexicographic order of their indices."""
    return tuple(itertools.permutations(_distinct("stages", stages)))


def mixed(order: Sequence[str]) -> bool:
    """Whether some stage of the order is a mixture."""
    return any(len(phase(stage).members) > 1 for stage in order)


def retrained(order: Sequence[str], forget: str) -> Order:
    """The order of the retrained model θ_r: the same order without the forget stage.

    All shuffles of a mixture share one, the mixture without the forget stage.
    """
    phases = [phase(stage) for stage in _distinct("order", order)]
    if not any(forget in each.members for each in phases):
        raise InputError(f"forget: expected one of the stages {', '.join(order)}; got {forget!r}")
    kept = [
        each._replace(members=tuple(m for m in each.members if m != forget), shuffle=None)
        if forget in each.members
        else each
        for each in phases
    ]
    return tuple(each.name for each in kept if each.members)


def prefix_tree(orders: Iterable[Sequence[str]]) -> tuple[Order, ...]:
    """Every distinct non-empty prefix of the orders, parents before children: one training each.

    The paper's four orders of four stages give 13 nodes (not 16), the 24 orders of four stages 64.
    """
    nodes = {tuple(order[:n]): None for order in orders for n in range(1, len(order) + 1)}
    return tuple(sorted(nodes, key=lambda node: (len(node), node)))
