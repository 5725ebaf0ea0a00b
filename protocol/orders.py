"""Stage orders: which sequences of stages are trained, and what they share.

An order is a tuple of stage names. "Path p" of the paper is the order with the forget stage at
position p (1-based) while the retained stages keep their own order (arXiv 2510.16629, section 4).
Two orders that begin alike share the training of that beginning: the prefix tree lists every
distinct beginning once.

A stage's name may say more than whose data it learns: "math@20" stops after 20 updates, "inst+tofu"
mixes the rows of both, "inst+tofu#2" in another shuffle. So an order says by itself what was
trained. Records keep the names; `phases` reads what they say.
"""

import functools
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from protocol.errors import InputError

Order = tuple[str, ...]
NAME = re.compile(r"(?P<members>[^+@#]+(?:\+[^+@#]+)*)(?:#(?P<shuffle>\d+))?(?:@(?P<stop>\d+))?")


class Phase(NamedTuple):
    """What a stage's name says: whose rows, in which shuffle of a mixture, where it stops.

    members: stages whose rows are learned · shuffle: number of a mixture's shuffle · stop: number
    of updates after which the stage ends, None for its whole schedule.
    """

    members: tuple[str, ...]
    shuffle: int | None = None
    stop: int | None = None

    @property
    def rows(self) -> str:
        """The name without its stop: its rows are named so, and its randomness derives from it."""
        shuffle = "" if self.shuffle is None else f"#{self.shuffle}"
        return "+".join(self.members) + shuffle

    @property
    def name(self) -> str:
        """The name `phase` reads."""
        return self.rows if self.stop is None else f"{self.rows}@{self.stop}"


def _number(digits: str | None) -> int | None:
    return None if digits is None else int(digits)


@functools.cache  # every key of a node needs its phases
def phase(stage: str) -> Phase:
    """Read a stage's name, MEMBER+…#SHUFFLE@STOP; InputError if it has another form."""
    name = NAME.fullmatch(stage)
    if not name:
        raise InputError(f"stage: expected NAME, or NAME+NAME…#SHUFFLE@UPDATES; got {stage!r}")
    members = tuple(name["members"].split("+"))
    return Phase(members, _number(name["shuffle"]), _number(name["stop"]))


def phases(order: Sequence[str]) -> tuple[Phase, ...]:
    """The phases of an order; every name is parsed once in a process."""
    return tuple(map(phase, order))


def position_of(order: Sequence[str], forget: str) -> int:
    """The 1-based position p of the forget stage, whole or stopped early; 0 without that stage.

    In a mixture that has the forget stage as a member, p is the number of the shuffle: the paths of
    a mixture are its shuffles.
    """
    for position, read in enumerate(phases(order), start=1):
        if forget in read.members:
            return position if read.shuffle is None else read.shuffle
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
    """The paths p = 1..P of the paper: `forget` at each position among `retain`, in their order.

    Returns P = len(retain) + 1 orders; element p − 1 is path p. Raises InputError if a stage is in
    the order twice.
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
    return any(len(read.members) > 1 for read in phases(order))


def retrained(order: Sequence[str], forget: str) -> Order:
    """The order of the retrained model θ_r: the same order without the forget stage.

    All shuffles of a mixture share one, the mixture without the forget stage.
    """
    whole = phases(_distinct("order", order))
    if not any(forget in read.members for read in whole):
        raise InputError(f"forget: expected one of the stages {', '.join(order)}; got {forget!r}")
    kept = [_without(read, forget) for read in whole]
    return tuple(read.name for read in kept if read.members)


def _without(read: Phase, forget: str) -> Phase:
    """The phase without the rows of the forget stage; a mixture then has no shuffle number."""
    if forget not in read.members:
        return read
    members = tuple(member for member in read.members if member != forget)
    return read._replace(members=members, shuffle=None)


def prefix_tree(orders: Iterable[Sequence[str]]) -> tuple[Order, ...]:
    """Every distinct non-empty prefix of the orders, parents before children: each trained once.

    The paper's four orders of four stages give 13 nodes (not 16), the 24 orders of four stages 64.
    """
    nodes = {tuple(order[:n]): None for order in orders for n in range(1, len(order) + 1)}
    return tuple(sorted(nodes, key=lambda node: (len(node), node)))
