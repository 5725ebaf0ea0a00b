"""One experiment dataclass for both worlds, and the hash that names a configuration.

An experiment fixes the stages, the forget stage, the unlearning methods, the number of unlearning steps and the seeds;
`settings` holds what only its world knows (sizes, learning rates), again as a frozen dataclass. Everything is immutable
and hashable to a short digest, so a record can name the exact configuration that made it.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from protocol import orders
from protocol.errors import InputError, known
from protocol.objectives import OBJECTIVES


@dataclasses.dataclass(frozen=True)
class Method:
    """An unlearning method: an objective with its constants and the reduction of its per-example losses."""

    name: str
    objective: str
    constants: tuple[tuple[str, float], ...] = ()
    reduction: str = "mean"

    def __post_init__(self) -> None:
        known("method.objective", self.objective, list(OBJECTIVES))
        known("method.reduction", self.reduction, ["mean", "tokens"])


# The three methods of the paper, and SimNPO at the β that claim N1 sets beside it.
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("GA", "gradient_ascent"),
        Method("NPO", "npo", (("beta", 0.5),)),
        Method("SimNPO", "simnpo", (("beta", 0.2),)),
        Method("SimNPO-beta1", "simnpo", (("beta", 1.0),)),
    )
}


def named_methods(names: Sequence[str]) -> tuple[Method, ...]:
    """The methods of these names; InputError lists the names there are."""
    return tuple(METHODS[known("methods", name, list(METHODS))] for name in names)


@dataclasses.dataclass(frozen=True)
class Experiment:
    """The positions experiment of one model: paths p = 1..P, each unlearned by every method.

    world: "linear", "network" or "llm" · base: seed of what all shuffle seeds share (data, pretraining) · seeds:
    shuffle seeds (in the linear world: instances) · steps: number of unlearning updates T, so a run has T + 1 points.
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

    def __post_init__(self) -> None:
        orders.positions(self.retain, self.forget)
        if self.steps < 1:
            raise InputError(f"steps: expected at least 1 unlearning step; got {self.steps}")
        if not self.seeds:
            raise InputError("seeds: expected at least one seed; got none")
        if not self.methods:
            raise InputError("methods: expected at least one unlearning method; got none")

    @property
    def orders(self) -> tuple[orders.Order, ...]:
        """Paths p = 1..P; element p − 1 is path p."""
        return orders.positions(self.retain, self.forget)


def canonical(config: Any) -> str:
    """A dataclass (or plain data) as JSON with sorted keys: equal configurations give equal text."""
    data = dataclasses.asdict(config) if dataclasses.is_dataclass(config) and not isinstance(config, type) else config
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def digest(config: Any) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of `canonical(config)`."""
    return hashlib.sha256(canonical(config).encode()).hexdigest()[:16]
