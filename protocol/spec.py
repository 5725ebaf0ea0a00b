"""One experiment dataclass for both worlds, and the hash that names a configuration.

An experiment fixes the stages, the forget stage, the unlearning methods, the number of unlearning
steps and the seeds; `settings` holds what only its world knows (sizes, learning rates), again as a
frozen dataclass. Everything is immutable and hashable to a short digest, so a record can name the
exact configuration that made it.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from protocol import orders
from protocol.errors import InputError, known
from protocol.objectives import OBJECTIVES

KNOWING = ("distillation", "negation", "rewind")


@dataclasses.dataclass(frozen=True)
class Method:
    """An unlearning method: an objective with its constants and the reduction of its per-example
    losses.

    retain: weight of the likelihood of retained rows that is learned beside it; 0 for a local
    method. An objective of KNOWING is no loss on the forget set alone, but what a method does that
    knows the retrained model or the history.
    """

    name: str
    objective: str
    constants: tuple[tuple[str, float], ...] = ()
    reduction: str = "mean"
    retain: float = 0.0

    def __post_init__(self) -> None:
        known("method.objective", self.objective, [*OBJECTIVES, *KNOWING])
        known("method.reduction", self.reduction, ["mean", "tokens"])


# The three methods of the paper, SimNPO at the β that claim N1 sets beside it, and in its original
# form.
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("GA", "gradient_ascent"),
        Method("NPO", "npo", (("beta", 0.5),)),
        Method("SimNPO", "simnpo", (("beta", 0.2),)),
        Method("SimNPO-beta1", "simnpo", (("beta", 1.0),)),
        Method("SimNPO-original", "simnpo_normalized", (("beta", 2.5), ("gamma", 0.0))),
    )
}


def named_methods(
    names: Sequence[str], methods: Mapping[str, Method] = METHODS
) -> tuple[Method, ...]:
    """The methods of these names; InputError lists the names there are, and refuses one named
    twice.
    """
    if isinstance(names, str):
        raise InputError(f"methods: expected a sequence of names; got the string {names!r}")
    twice = [name for name in dict.fromkeys(names) if list(names).count(name) > 1]
    if twice:
        raise InputError(f"methods: expected every method once; got {twice[0]} twice")
    return tuple(methods[known("methods", name, list(methods))] for name in names)


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Orders of the stages of one model, each unlearned by every method; by default the paths p =
    1..P.

    world: "linear", "network" or "llm" · base: seed of what all shuffle seeds share (data,
    pretraining) · seeds: shuffle seeds (in the linear world: instances) · steps: number of
    unlearning updates T, so a run has T + 1 points · starts: the orders, where they are others than
    the paths.
    """

    name: str
    world: str
    model: str
    retain: tuple[str, ...]
    forget: str
    methods: tuple[Method, ...]
    steps: int
    seeds: tuple[int, ...]
    settings: Any
    base: int = 0
    starts: tuple[orders.Order, ...] = ()

    def __post_init__(self) -> None:
        for order in self.orders:
            orders.retrained(order, self.forget)
        if self.steps < 1:
            raise InputError(f"steps: expected at least 1 unlearning step; got {self.steps}")
        if not self.seeds:
            raise InputError("seeds: expected at least one seed; got none")
        if not self.methods:
            raise InputError("methods: expected at least one unlearning method; got none")

    @property
    def paths(self) -> tuple[orders.Order, ...]:
        """Paths p = 1..P; element p − 1 is path p."""
        return orders.positions(self.retain, self.forget)

    @property
    def orders(self) -> tuple[orders.Order, ...]:
        """The orders unlearning starts from."""
        return self.starts or self.paths


def canonical(config: Any) -> str:
    """A dataclass or plain data as JSON with sorted keys: equal configurations give equal text."""
    data = (
        dataclasses.asdict(config)
        if dataclasses.is_dataclass(config) and not isinstance(config, type)
        else config
    )
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def digest(config: Any) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of `canonical(config)`."""
    return hashlib.sha256(canonical(config).encode()).hexdigest()[:16]
