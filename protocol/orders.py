"""Stage orders: which sequences of stages are trained, and what they share.

An order is a tuple of stage names. "Path p" of the paper is the order with the forget stage at position p (1-based)
while the retained stages keep their own order (arXiv 2510.16629, section 4). Two orders that begin alike share the
training of that beginning: the prefix tree lists every distinct beginning once.
"""

import itertools
from collections.abc import Iterable, Sequence

from protocol.errors import InputError

Order = tuple[str, ...]


def _distinct(argument: str, stages: Sequence[str]) -> Order:
    if isinstance(stages, str):
        raise InputError(f"{argument}: expected a sequence of stage names; got the string {stages!r}")
    order = tuple(stages)
    if not order:
        raise InputError(f"{argument}: expected at least one stage name; got none")
    if len(set(order)) != len(order):
        raise InputError(f"{argument}: expected every stage once; got {', '.join(order)}")
    return order


def positions(retain: Sequence[str], forget: str) -> tuple[Order, ...]:
    """The paths p = 1..P of the paper: `forget` at each position among `retain`, whose order is kept.

    Returns P = len(retain) + 1 orders; element p − 1 is path p. Raises InputError where a stage stands twice.
    """
    kept = _distinct("retain", retain)
    if forget in kept:
        raise InputError(f"forget: expected a stage outside retain ({', '.join(kept)}); got {forget!r}")
    return tuple((*kept[:p], forget, *kept[p:]) for p in range(len(kept) + 1))


def permutations(stages: Sequence[str]) -> tuple[Order, ...]:
    """All n! orders of the given stages, in lexicographic order of their indices."""
    return tuple(itertools.permutations(_distinct("stages", stages)))


def retrained(order: Sequence[str], forget: str) -> Order:
    """The order of the retrained model θ_r: the same order without the forget stage."""
    stages = _distinct("order", order)
    if forget not in stages:
        raise InputError(f"forget: expected one of the stages {', '.join(stages)}; got {forget!r}")
    return tuple(stage for stage in stages if stage != forget)


def prefix_tree(orders: Iterable[Sequence[str]]) -> tuple[Order, ...]:
    """Every distinct non-empty prefix of the orders, parents before children: one training each.

    The paper's four orders of four stages give 13 nodes (not 16), the 24 orders of four stages 64.
    """
    nodes = {tuple(order[:n]): None for order in orders for n in range(1, len(order) + 1)}
    return tuple(sorted(nodes, key=lambda node: (len(node), node)))
